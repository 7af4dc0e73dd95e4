"""Items as tokens: a base model whose vocabulary has, behind its own words, one more token for every item.

    title <item> answer  title <item> answer ...

The frozen row of an item's token is what its text says: the mean of the embeddings of its title's tokens, as long as a
row of the embedding usually is. What people did with it is an adapter's matter: `fedrec.models.item_rows`.

The extended base is an ordinary model of its family, so that whatever takes one (PEFT, Ray, the split) takes it too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fedrec.data.prompts import Tokens, encode_titles
from fedrec.errors import FedrecError
from fedrec.models import probe_tokens
from fedrec.models.base import Base, pack, unpack
from fedrec.models.body import hidden_states
from fedrec.models.branching import continues_like

_NOTED = "fedrec_item_tokens"  # in the model's own configuration, which goes wherever the model goes
_FRAME = 1234  # seed of `item_frame`
_TOGETHER = 1024  # titles whose rows are made at once


@dataclass(frozen=True)
class ItemTokens:
    """The item tokens of a model: `first + i` is item i's.

    Attributes:
        layer: path of the embedding.
        first: how many tokens the vocabulary has without them.
        count: of items.
        width: d of the embedding.
        rank: of the rows that adapters learn.
        length: Euclidean length of a usual row of the embedding.
    """

    layer: str
    first: int
    count: int
    width: int
    rank: int
    length: float

    @property
    def scale(self) -> float:
        """What A B counts, whatever the base: 1 in a number of A_i moves the row by half its length."""
        return scale_of(self.length, self.width)


def scale_of(length: float, width: int) -> float:
    """`ItemTokens.scale`."""
    return length / (2 * math.sqrt(width))


def item_frame(rank: int, width: int) -> Tensor:
    """(r, d) the B of every adapter: N(0, 1), public and never trained.

    So rows of all clients and shards are numbers of one frame, and their mean is what it says. The embedded base has
    learnt to read it: in its first direction stands the title's log-odds.
    """
    generators = [torch.Generator().manual_seed(_FRAME + row) for row in range(rank)]
    return torch.stack([torch.randn(width, generator=each) for each in generators])


def item_tokens(model: nn.Module) -> ItemTokens | None:
    """Those of a model; None where it is not extended."""
    noted = getattr(getattr(model, "config", None), _NOTED, None)
    return None if noted is None else ItemTokens(**noted)


@dataclass(frozen=True)
class Items:
    """What makes item tokens.

    Attributes:
        titles: the catalogue's.
        rank: of the rows that adapters learn.
        title_tokens: longer titles are cut.
    """

    titles: tuple[str, ...]
    rank: int
    title_tokens: int


def with_items(base: Base, items: Items | None) -> Base:
    """The base with a token for each item, made once in a process; the base itself without items.

    Raises:
        FedrecError: the model does not take more rows in its embedding.
    """
    return base if items is None else _with_items(_Same(base), items)


@dataclass(frozen=True, eq=False)
class _Same:
    """A base as the cache knows it: by the loaded model."""

    base: Base

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.base.model is self.base.model

    def __hash__(self) -> int:
        return id(self.base.model)


@lru_cache(maxsize=2)
def _with_items(same: _Same, items: Items) -> Base:
    base = same.base
    try:
        model = extended(base.model, encode_titles(base.tokenizer, items.titles, items.title_tokens), items.rank)
        fault = fault_of(model, base.model)
    except Exception as error:  # the model's own code raises what it likes
        fault = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
    if fault is not None:
        raise FedrecError(f"--base {base.source}: it cannot have tokens for items ({fault}); set items.rank = 0")
    return replace(base, model=model, items=items)


@torch.no_grad()
def extended(model: Any, titles: tuple[Tokens, ...], rank: int) -> Any:
    """A model with one more token for each title; on a CPU all but the embedding is the model's own memory."""
    noted, rows = _noted_rows(model, titles, rank)
    bare = pack(model)
    bare.config.get_text_config(decoder=True).vocab_size = len(rows)
    setattr(bare.config, _NOTED, asdict(noted))
    with torch.device("meta"):
        longer = bare.kind._from_config(bare.config).state_dict()
    words = bare.arrays[f"{noted.layer}.weight"]
    arrays = {
        name: rows if array is words else _longer(array, tuple(longer.get(name, array).shape))
        for name, array in bare.arrays.items()
    }
    whole = unpack(replace(bare, arrays=arrays), str(model.device))
    continues_like(whole, model)
    return whole


def _noted_rows(model: Any, titles: tuple[Tokens, ...], rank: int) -> tuple[ItemTokens, NDArray[Any]]:
    """What is noted of an extended model, and all rows of its embedding."""
    embedding = model.get_input_embeddings()
    layer = next(name for name, module in model.named_modules() if module is embedding)
    weight = embedding.weight
    usual = float(weight.float().norm(dim=-1).median())
    rows = torch.cat([weight, content_rows(weight, titles, usual).to(weight)]).cpu().numpy()
    return ItemTokens(layer, len(weight), len(titles), weight.shape[1], rank, usual), rows


@torch.no_grad()
def extend_part(base: Base, items: Items) -> Base:
    """A client's part of a base with a token for each item. Its model itself becomes longer, and is not tried out: it
    is nobody else's, and the whole was tried."""
    model = base.model
    embedding = model.get_input_embeddings()
    words = embedding.weight
    noted, rows = _noted_rows(model, encode_titles(base.tokenizer, items.titles, items.title_tokens), items.rank)
    model.config.get_text_config(decoder=True).vocab_size = len(rows)
    setattr(model.config, _NOTED, asdict(noted))
    with torch.device("meta"):
        longer = type(model)._from_config(deepcopy(model.config)).state_dict()
    for name, weight in list(model.named_parameters(remove_duplicate=False)):
        shape = tuple(longer[name].shape)
        if weight is words or weight.shape != shape:
            more = rows if weight is words else _longer(weight.cpu().numpy(), shape)
            place, _, own = name.rpartition(".")
            setattr(model.get_submodule(place), own, nn.Parameter(torch.from_numpy(more).to(words.device), False))
    model.tie_weights()
    return replace(base, items=items)


@torch.no_grad()
def fault_of(whole: Any, model: Any) -> str | None:
    """What is wrong with how an extended model reads, in a few words; None where nothing is. Tried on made-up tokens.

    Words have to read as in the model that it was made of; and items by the rows of the embedding, where adapters add
    to them.
    """
    tokens = item_tokens(whole)
    assert tokens is not None
    looked_up: list[Tensor] = []
    embedding = whole.get_input_embeddings()
    handle = embedding.register_forward_hook(lambda _, inputs, found: looked_up.extend((inputs[0], found)))
    try:
        words = probe_tokens.tokens(model)
        with probe_tokens.alone(whole):
            read = hidden_states(whole, words)
            items = words.clone()
            items[:, -1] = tokens.first
            apart = hidden_states(whole, items)
    finally:
        handle.remove()
    with probe_tokens.alone(model):
        if not probe_tokens.same(read, hidden_states(model, words)):
            return "with them it reads words otherwise"
    shape = (*words.shape, tokens.width)
    if len(looked_up) != 4 or not torch.equal(looked_up[2], items) or looked_up[3].shape != shape:
        return "it does not look tokens up in its embedding"
    if probe_tokens.same(apart[:, -1], read[:, -1]) or not apart.isfinite().all():
        return "they make no difference"
    return None


@contextmanager
def reading_items(model: Any, titles: Sequence[Tokens], learnt: NDArray[np.float32]) -> Iterator[None]:
    """While it lasts, a model reads the tokens behind its vocabulary as those of items, by its embedding as it is then:
    so it learns to read what `extended` gives it, and what an adapter adds to that.

    Args:
        titles: m items' titles; learnt: (m, r) their rows A.
    """
    frame, rows_of = item_frame(learnt.shape[1], model.get_input_embeddings().weight.shape[1]), torch.from_numpy(learnt)
    embedding = model.get_input_embeddings()
    first, words = len(embedding.weight), embedding.forward

    def read(ids: Tensor) -> Tensor:
        here = ids >= first
        items, place = (ids[here] - first).unique(return_inverse=True)
        found: Tensor = words(ids.clamp(max=first - 1))
        if not len(items):
            return found
        length = float(embedding.weight.detach().norm(dim=-1).median())
        rows = content_rows(embedding.weight, tuple(titles[i] for i in items.tolist()), length)
        rows = rows + scale_of(length, rows.shape[1]) * (rows_of[items] @ frame)
        return found.masked_scatter(here.unsqueeze(-1), rows[place].to(found.dtype))

    embedding.forward = read
    try:
        yield
    finally:
        del embedding.forward


def _longer(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The array with zeros behind its rows, as the head has them: no item is ever an answer."""
    if array.shape == shape or array.shape[1:] != shape[1:]:
        return array
    return np.concatenate([array, np.zeros((shape[0] - len(array), *shape[1:]), array.dtype)])


def content_rows(weight: Tensor, titles: tuple[Tokens, ...], length: float) -> Tensor:
    """(m, d): the mean of the embeddings of each title's tokens, `length` long, fp32."""
    found = []
    for low in range(0, len(titles), _TOGETHER):
        some = titles[low : low + _TOGETHER]
        ids = torch.tensor([token for title in some for token in title], device=weight.device)
        starts = torch.tensor([0, *map(len, some[:-1])], device=weight.device).cumsum(0)
        found.append(nn.functional.embedding_bag(ids, weight.float(), starts, mode="mean"))
    return nn.functional.normalize(torch.cat(found), dim=-1) * length
