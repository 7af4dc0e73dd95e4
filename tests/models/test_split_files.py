"""Parts from files: they are those of the whole, and nothing else is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers.modeling_utils

from fedrec.errors import FedrecError
from fedrec.models.base import load_base
from fedrec.models.body import hidden_states
from fedrec.models.item_tokens import Items, extend_part, with_items
from fedrec.models.split import SplitPlan, computed_by
from fedrec.models.split_files import load_client_part, load_server_part
from tests.models.saved import SIZES, save_base

PLAN = SplitPlan(2, 1)
KINDS = {
    "llama": {},
    "llama-tied": {"tie_word_embeddings": True},
    "gpt2": {},
    "gemma2": {"head_dim": 8, "num_key_value_heads": 1},
    "mixtral": {"num_local_experts": 2, "num_key_value_heads": 1},  # experts stand in pieces in the files
    "opt": {"ffn_dim": 24, "word_embed_proj_dim": 16},
    "bloom": {"n_layer": 5, "n_head": 2},
}


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The names of the tensors that were read."""
    names: set[str] = set()
    real = transformers.modeling_utils.safe_open

    class Slice:
        def __init__(self, name: str, inner: Any) -> None:
            self.name, self.inner = name, inner

        def __getitem__(self, key: Any) -> Any:
            names.add(self.name)
            return self.inner[key]

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    class File:
        def __init__(self, *arguments: Any, **named: Any) -> None:
            self.inner = real(*arguments, **named)

        def get_slice(self, name: str) -> Slice:
            return Slice(name, self.inner.get_slice(name))

        def get_tensor(self, name: str) -> Any:
            names.add(name)
            return self.inner.get_tensor(name)

        def __enter__(self) -> File:
            return self

        def __exit__(self, *reason: Any) -> Any:
            return self.inner.__exit__(*reason)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    monkeypatch.setattr(transformers.modeling_utils, "safe_open", File)
    return names


def saved(folder: Path, kind: str) -> str:
    family = kind.partition("-")[0]
    return str(save_base(folder, family, **SIZES | {"num_hidden_layers": 5} | KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_parts_read_their_own_layers_and_together_they_are_the_whole(
    tmp_path: Path, looked_at: set[str], kind: str
) -> None:
    name = saved(tmp_path, kind)
    client = load_client_part(name, PLAN)
    clients = set(looked_at)
    looked_at.clear()
    middle = load_server_part(name, PLAN)
    servers = set(looked_at)
    looked_at.clear()
    base = load_base(name)
    assert not clients & servers
    assert clients | servers == looked_at
    assert servers
    assert all(".2." in each or ".3." in each for each in servers)
    for part in (client.model, middle):
        assert not any(weight.is_meta for weight in [*part.parameters(), *part.buffers()])
    ids = torch.randint(3, 300, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), computed_by(middle):
        torch.testing.assert_close(hidden_states(client.model, ids), hidden_states(base.model, ids))


@pytest.mark.parametrize("kind", ["llama", "llama-tied", "gpt2"])
def test_a_clients_part_has_the_items_of_the_whole(tmp_path: Path, kind: str) -> None:
    name = saved(tmp_path, kind)
    items = Items(("red storm", "old mask", "blue"), 2, 8)
    whole, client = with_items(load_base(name), items), extend_part(load_client_part(name, PLAN), items)
    assert client.items == whole.items
    assert client.model.config.fedrec_item_tokens == whole.model.config.fedrec_item_tokens
    ids = torch.tensor([[5, 400, 7, 402, 8]])
    with torch.no_grad(), computed_by(load_server_part(name, PLAN)):
        torch.testing.assert_close(client.model(ids).logits, whole.model(ids).logits)


def test_a_base_that_is_only_read_as_a_whole_is_refused(tmp_path: Path) -> None:
    name = saved(tmp_path, "llama")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FedrecError, match="--base"):
        load_client_part(name, PLAN)
