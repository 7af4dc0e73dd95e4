"""The base model: any Hugging Face causal language model, frozen, and what fedrec needs of one.

Fedrec reads hidden states from the model's body and scores only the answer tokens, so the vocabulary's logits are never
computed. Sequences are padded on the right and causal attention looks left, so no attention mask is needed either.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from fedrec.errors import FedrecError
from fedrec.files import read_json
from fedrec.hardware import precision_for, torch_device
from fedrec.models.files import Stamp, folder_of, model_files, stamp

_ALIGNED = 64  # bytes, as torch and Ray lay memory out
_CONTEXT = 2048  # where a model does not say how long its input may be
_LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "n_ctx", "seq_length")
_FIRST_LENGTH = "original_max_position_embeddings"
_SHOWN = 3  # names of missing weights in a message


@dataclass(frozen=True)
class Base:
    """A loaded base model.

    Attributes:
        name: the id or folder name it was loaded by, for people to read.
        source: the id or absolute folder that loads it from anywhere; revision: the hub's, of an id.
        model: in evaluation mode, frozen.
        tokenizer: its tokenizer.
        context: its longest input, in tokens.
        precision: what it computes in, fp32 or bf16; see `hardware.autocast`.
        items: what its tokens of items are made of, `item_tokens.Items`; None = it has none.
    """

    name: str
    source: str
    revision: str | None
    model: Any
    tokenizer: Any
    context: int
    precision: str
    items: Any = None


def load_base(name: str, *, revision: str | None = None, device: str = "cpu", precision: str = "fp32") -> Base:
    """The model in a folder, or of a Hugging Face id; loaded once in a process, and again where its files change.

    With bf16 the frozen linear weights are kept in bf16, exactly as autocast would cast them at every use.

    Raises:
        FedrecError: missing, gated, broken, incomplete, not causal (tried out), an adapter, or in need of code of its
            own, which never runs.
    """
    folder = Path(name)
    files = model_files(folder).values() if folder.is_dir() else ()
    return _load(name, revision, device, precision, tuple(map(stamp, files)))


@lru_cache(maxsize=2)
def _load(name: str, revision: str | None, device: str, precision: str, _: tuple[Stamp, ...]) -> Base:
    from fedrec.models.attention import use_matmul_attention
    from fedrec.models.branching import continues
    from fedrec.models.causality import fault_of

    model, tokenizer = read(name, revision)
    model.to(torch_device(device)).eval().requires_grad_(False)
    use_matmul_attention(model)
    if (fault := fault_of(model)) is not None:
        raise FedrecError(f"--base {name}: {fault}; choose another base model")
    continues(model)  # found out here, while all weights are fp32
    if precision == "auto":
        precision = precision_for(model, torch_device(device))
    if precision == "bf16":
        halve(model)
    return base_of_files(name, revision, model, tokenizer, precision)


def base_of_files(name: str, revision: str | None, model: Any, tokenizer: Any, precision: str) -> Base:
    """What was read of a base by its name, as one."""
    there = folder_of(name, revision)
    assert there is not None
    local = Path(name).is_dir()
    shown, source, revision = (there.name, str(there), None) if local else (name, name, there.name)
    return Base(shown, source, revision, model, tokenizer, context_of(model.config), precision)


def read(name: str, revision: str | None, part: Callable[[Any], Any] | None = None) -> tuple[Any, Any]:
    """Model and tokenizer as their files have them: every weight is from there, and no code is.

    Args:
        part: the class to make of a configuration, of whose weights alone the files are read; none = the whole model's.

    Raises:
        FedrecError: missing, gated, broken, incomplete, an adapter, or in need of code of its own, which never runs.
    """
    from transformers.utils import logging as transformers_logging

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it warns of every retry
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    local = Path(name).is_dir()
    if not local and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise FedrecError(f"--base {name}: no such folder")
    try:
        return _read(name, local, revision, part)
    except FedrecError:
        raise
    except Exception as error:  # the hub, safetensors, tokenizers and the model's own code raise what they like
        raise FedrecError(f"--base {name}: {_mend(name, local, error)}") from None


def context_of(config: Any) -> int:
    """The longest input, in tokens, that a model's configuration allows, under whichever name its family has for it.

    With `longrope` (Phi-3) a longer input than the model was first trained on is read in another way from its first
    token on, so what a row is scored would depend on the rows after it: there, the context ends before that.
    """
    for settings in (config.get_text_config(decoder=True), config):
        rope = getattr(settings, "rope_parameters", None) or {}
        lengths = (*_LENGTHS, _FIRST_LENGTH) if rope.get("rope_type") == "longrope" else _LENGTHS
        named = [rope.get(key) or getattr(settings, key, None) for key in lengths]
        if known := [length for length in named if isinstance(length, int) and length > 0]:
            return min(known)
    return _CONTEXT


def width_of(model: Any) -> int:
    """d of `hidden_states`."""
    return int(model.get_output_embeddings().weight.shape[-1])


def fingerprint(model: nn.Module) -> str:
    """SHA-256 of the weights' names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Packed:
    """A model as plain arrays, which processes of one machine can share: bf16 as int16, tied tensors as one array."""

    kind: Any
    config: Any
    arrays: dict[str, NDArray[Any]]
    halves: frozenset[str]


def pack(model: Any) -> Packed:
    """The model without whatever is attached to it."""
    from fedrec.models.attention import use_fused_attention

    arrays: dict[str, NDArray[Any]] = {}
    once: dict[tuple[Any, ...], NDArray[Any]] = {}  # an array that stands twice in a dictionary is pickled once
    for name, tensor in model.state_dict().items():
        place = (tensor.data_ptr() or name, tensor.dtype, tuple(tensor.shape), tensor.stride())
        if place not in once:
            whole = tensor.detach().cpu().contiguous()
            once[place] = (whole.view(torch.int16) if whole.dtype == torch.bfloat16 else whole).numpy()
        arrays[name] = once[place]
    halves = frozenset(name for name, tensor in model.state_dict().items() if tensor.dtype == torch.bfloat16)
    config = deepcopy(model.config)
    use_fused_attention(config)
    return Packed(type(model), config, arrays, halves)


def unpack(packed: Packed, device: str) -> Any:
    """The same model, frozen, over the same memory where it computes on a CPU.

    Memory that is not aligned is copied: kernels add up in another order there, and the last bits would differ.
    """
    from fedrec.models.attention import use_matmul_attention

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shared arrays are read-only, and nothing writes to a frozen model
        tensors = {name: torch.from_numpy(array) for name, array in packed.arrays.items()}
    for name in packed.halves:
        tensors[name] = tensors[name].view(torch.bfloat16)
    tensors = {name: t if t.data_ptr() % _ALIGNED == 0 else t.clone() for name, t in tensors.items()}
    model: Any = packed.kind._from_config(packed.config)
    model.load_state_dict(tensors, strict=False, assign=True)
    model.tie_weights()
    model.to(torch_device(device)).eval().requires_grad_(False)
    use_matmul_attention(model)
    return model


def _read(name: str, local: bool, revision: str | None, part: Callable[[Any], Any] | None) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.peft_utils import find_adapter_config_file

    if (adapter := find_adapter_config_file(name, local_files_only=local, revision=revision)) is not None:
        raise _is_adapter(name, read_json(Path(adapter)))
    found: dict[str, Any] = {"local_files_only": local, "trust_remote_code": False, "revision": revision}
    config = AutoConfig.from_pretrained(name, **found)
    config._attn_implementation = None  # transformers' own choice; a named one may be code from the hub
    tokenizer = AutoTokenizer.from_pretrained(name, **found)
    kind: Any = AutoModelForCausalLM if part is None else part(config)
    if part is not None:
        found["use_safetensors"] = True  # other files are read as a whole
    loaded: Any = kind.from_pretrained(
        name, config=config, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True, **found
    )  # told which weights do not fit, rather than that some do not
    model, loading = loaded
    absent = sorted(loading["missing_keys"]) or [f"{key[0]} in its shape" for key in loading["mismatched_keys"]]
    if absent:
        more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
        names = ", ".join(absent[:_SHOWN])
        raise FedrecError(
            f"--base {name}: its files lack {names}{more}, which would be random numbers: fetch or save it anew"
        )
    return model, tokenizer


def _is_adapter(name: str, description: Any) -> FedrecError:
    base = description.get("base_model_name_or_path") if isinstance(description, dict) else None
    over = f" over {base}" if base else ""
    mend = "name its base, or the two merged and saved (PEFT's merge_and_unload)"
    return FedrecError(f"--base {name}: it holds an adapter{over}, not a model: {mend}")


def halve(model: Any) -> None:
    """Linear weights of the body in bf16; embeddings, norms and the head stay as they are."""
    from fedrec.models.body import body

    head = model.get_output_embeddings()
    for layer in body(model).modules():
        if isinstance(layer, nn.Linear) and layer is not head:
            layer.to(torch.bfloat16)


def _mend(name: str, local: bool, error: Exception) -> str:
    text = " ".join(str(error).split())
    lowered = text.lower()
    if "gated" in lowered or "401" in lowered or "403" in lowered:
        return "the model is gated: accept its terms on the hub and log in with `hf auth login`"
    if "trust_remote_code" in lowered:
        return "the model needs code of its own, which fedrec does not run; choose one that transformers knows"
    if "not a valid model identifier" in lowered or "couldn't connect" in lowered or "offline" in lowered:
        return "no such folder, and no such model reachable on the hub; check the name and the network"
    if "unrecognized configuration class" in lowered:
        return "not a causal language model"
    what = "the folder holds no complete model" if local else "the model cannot be loaded"
    return f"{what} ({text[:160]})"
