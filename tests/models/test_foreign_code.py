"""Nothing in a base's folder is ever executed: not its Python, whoever says yes, not its pickles, not its kernels."""

from __future__ import annotations

import json
import os
import pickle
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from fedrec.errors import FedrecError
from fedrec.models.base import load_base
from tests.models.saved import SIZES, save_base


def changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A base with a module that leaves a trace when it runs."""
    save_base(tmp_path, **SIZES)
    trace = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    for module in ("own", "configuration_own", "modeling_own", "tokenization_own"):
        (tmp_path / f"{module}.py").write_text(trace, "utf-8")
    return tmp_path


def own_model(folder: Path) -> None:
    classes = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    changed(folder / "config.json", model_type="own", architectures=["Own"], auto_map=classes)


def own_tokenizer(folder: Path) -> None:
    classes = {"AutoTokenizer": ["own.Tokenizer", "own.Tokenizer"]}
    changed(folder / "tokenizer_config.json", tokenizer_class="OwnTokenizer", auto_map=classes)


def refused(folder: Path) -> None:
    with pytest.raises(FedrecError, match="code of its own") as caught:
        load_base(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [own_model, own_tokenizer])
def test_a_model_or_tokenizer_of_its_own_is_refused(folder: Path, change: Any) -> None:
    change(folder)
    refused(folder)
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("terminal", [False, True])
def test_nobody_is_asked_and_a_yes_is_not_read(folder: Path, terminal: bool) -> None:
    own_model(folder)
    ours, theirs = pty.openpty() if terminal else os.pipe()[::-1]
    os.write(ours, b"y\ny\n")
    done = subprocess.run(
        [sys.executable, "-m", "fedrec.cli", "base", "info", str(folder)],
        stdin=theirs, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    os.close(ours)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "code of its own" in done.stderr
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("key", ["auto_map", "attn_implementation", "_attn_implementation"])
def test_code_beside_a_known_family_is_left_alone(folder: Path, key: str) -> None:
    value = "someone/kernels" if "attn" in key else {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    changed(folder / "config.json", **{key: value})
    assert load_base(str(folder)).model.config.model_type == "llama"
    assert not (folder / "ran").exists()


class Trap:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return open, (str(self.trace), "w")


def test_a_pickle_is_not_executed(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"model.norm.weight": Trap(folder / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(FedrecError):
        load_base(str(folder))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(folder / "ran")))
    with pytest.raises(FedrecError):
        load_base(str(folder))
    assert not (folder / "ran").exists()
