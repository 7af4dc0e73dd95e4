"""Records: what is said is what is heard, and whatever else comes in is refused with one line."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.data.selection import Selection
from fedrec.privacy.disclosure import LEAST_FIRST, Histogram, ScoredRows, histogram
from fedrec.protocol import layers
from fedrec.protocol.adapters import Model
from fedrec.protocol.answers import (
    Answer,
    ChainAnswer,
    EraseAnswer,
    EvaluateAnswer,
    Lacks,
    LocateAnswer,
    Measures,
    RehearseAnswer,
    RepeatAnswer,
    ServeAnswer,
    WithdrawAnswer,
)
from fedrec.protocol.questions import QUESTIONS, AboutShards, Chain, Serve
from fedrec.protocol.record import BadMessage, Content, Record
from fedrec.protocol.wire import pack, unpack
from fedrec.vault.chain import Link

RECORDS = [*dict.fromkeys([record for question in QUESTIONS for record in (question, question.answer)] + [Lacks])]
RECORDS += [*layers.LAYER_REQUESTS.values(), layers.Ticket, layers.States, layers.Adapted, layers.Ready]
TEXTS = st.text(max_size=20)
WHOLE = st.integers(-(2**70), 2**70)
FLOATS = st.floats()
FINITE = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(0, 10**12)
SOME = st.integers(1, 10**12)
HASHES = st.just("") | st.text("0123456789abcdef", min_size=64, max_size=64)
AUC = st.floats(0, 1) | st.just(math.nan)
LINKS = st.builds(Link, WHOLE, TEXTS, TEXTS, st.binary(max_size=40))
SELECTIONS = st.builds(
    Selection, users=st.lists(TEXTS).map(tuple), rows=st.lists(TEXTS).map(tuple), since=st.none() | st.integers()
)
SHAPES = st.sampled_from([(), (0,), (2, 3), (1, 1, 2)])


def filled(shape: tuple[int, ...], value: float, turned: bool) -> Any:
    array = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    if array.size:
        array.flat[0] = value
    return array.T if turned else array


ARRAYS = st.builds(filled, SHAPES, st.floats(width=32), st.booleans())
STATES = st.dictionaries(st.sampled_from(["q.A", "q.B", "a/b.A", "ü.B"]), ARRAYS, min_size=1)
MEASURES = st.builds(
    Measures, examples=WHOLE, auc=FLOATS, uauc=FLOATS, uauc_at_split=FLOATS, logloss=FLOATS, ranked=WHOLE
)
SCORED = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 1), st.integers(0, 2**63 - 1), st.floats(0, 1) | st.just(np.nan))
).map(
    lambda rows: ScoredRows(
        *(
            np.array([row[i] for row in rows], kind)
            for i, kind in enumerate((np.float64, np.int8, np.int64, np.float64))
        )
    )
)
SCORES = st.none() | SCORED | SCORED.map(histogram)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "run": TEXTS, "client": TEXTS, "request": TEXTS, "data": HASHES, "head": TEXTS, "round": WHOLE, "unseen": WHOLE,
    "after": WHOLE, "users": COUNT, "rows": COUNT, "waiting": COUNT, "left": COUNT, "share": FINITE,
    "liked": SOME, "disliked": SOME, "variance": st.floats(0, allow_infinity=False), "counts": SCORED.map(histogram),
    "requests": st.lists(TEXTS).map(tuple), "shards": st.lists(COUNT, min_size=2, max_size=2).map(tuple),
    "changed": st.lists(COUNT, min_size=2, max_size=2).map(tuple),
    "examples": st.lists(COUNT, min_size=2, max_size=2).map(tuple),
    "epsilon": st.just(()) | st.lists(st.floats(0), min_size=2, max_size=2).map(tuple),
    "loss": st.lists(FINITE, min_size=2, max_size=2).map(tuple), "forgotten": st.lists(st.floats(-1000, 0)).map(tuple),
    "adapters": st.lists(STATES, min_size=2, max_size=2), "links": st.lists(LINKS).map(tuple),
    "selection": SELECTIONS, "serves": st.booleans(), "before": AUC,
    "metrics": st.dictionaries(TEXTS, MEASURES),
    "sharing": st.sampled_from(LEAST_FIRST), "scores": SCORES, "facts": st.dictionaries(TEXTS, HASHES),
    "told": st.dictionaries(TEXTS, st.dictionaries(TEXTS, TEXTS)), "lacks": st.lists(TEXTS).map(tuple),
}  # fmt: skip
VALUES |= {
    "layers": st.none() | st.builds(layers.Ticket, address=TEXTS, token=TEXTS), "address": TEXTS, "token": TEXTS,
    "session": st.text("0123456789abcdef", min_size=32, max_size=32), "number": COUNT, "seed": WHOLE, "pull": FINITE,
    "lengths": st.lists(COUNT).map(tuple), "shape": st.lists(COUNT).map(tuple), "learn": st.booleans(),
    "wanted": st.booleans(), "states": st.binary(max_size=40), "squared_norm": FINITE, "rate": FINITE, "clip": FINITE,
}  # fmt: skip
VALUES |= {"key": HASHES, "marks": st.lists(HASHES).map(tuple), "found": st.booleans()}
KEYS = st.tuples(HASHES, HASHES, HASHES)
BOXES = st.dictionaries(TEXTS, st.binary(max_size=100).map(bytes.hex))
VALUES |= {
    "sum": TEXTS, "public": KEYS, "neighbours": st.dictionaries(TEXTS, KEYS), "boxes": BOXES, "shares": BOXES,
    "part": st.lists(st.integers(0, 2**64 - 1)).map(lambda part: np.array(part, np.uint64)),
} | dict.fromkeys(("sharers", "inside", "dropped"), st.lists(TEXTS).map(tuple))  # fmt: skip
VALUES |= {"unseen list": VALUES["forgotten"], "served": st.lists(HASHES).map(tuple)}


def of_field(record: type[Record], name: str) -> st.SearchStrategy[Any]:
    if record is EvaluateAnswer and name == "served":
        return TEXTS
    if record.__name__ == "RehearseAnswer" and name in ("unseen", "after"):
        return VALUES["unseen list" if name == "unseen" else "before"]
    return VALUES[name]


@st.composite
def records(draw: st.DrawFn) -> Record:
    kind = draw(st.sampled_from(RECORDS))
    return kind(**{name: draw(of_field(kind, name)) for name in kind.model_fields})


def same(a: Any, b: Any) -> bool:
    """Equal, with NaN equal to itself and arrays bit by bit."""
    match a, b:
        case np.ndarray(), np.ndarray():
            return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        case dict(), dict():
            return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
        case ((list() | tuple()), (list() | tuple())):
            return len(a) == len(b) and all(map(same, a, b))
        case ((Record() | Measures()), (Record() | Measures())):
            return type(a) is type(b) and same(dict(a), dict(b))
        case ((ScoredRows() | Histogram()), (ScoredRows() | Histogram())):
            return type(a) is type(b) and same(vars(a), vars(b))
        case float(), float():
            return a == b or (math.isnan(a) and math.isnan(b))
    return type(a) is type(b) and bool(a == b)


@given(records())
def test_what_is_said_is_what_is_heard(record: Record) -> None:
    assert same(type(record).of(unpack(pack(record.content()))), record)


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_says_what_it_reveals_and_every_question_has_a_kind(record: type[Record]) -> None:
    assert record.reveals and record.version >= 1
    assert len({each.__name__ for each in RECORDS}) == len(RECORDS)
    assert len({each.kind for each in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("version", [0, 2, True, "1", None, 10**70, [1]])
def test_an_unknown_version_is_refused_with_one_line(version: Any) -> None:
    content = Chain(run="r", after=1).content()
    with pytest.raises(
        BadMessage, match=r"^Chain has version .*, and only 1 is known here: install the same fedrec"
    ) as bad:
        Chain.of(Content({**content.values, "version": version}, {}))
    assert len(str(bad.value).splitlines()) == 1


def test_another_record_is_not_taken_for_the_one_that_is_awaited() -> None:
    with pytest.raises(BadMessage, match="it is 'Chain', not ChainAnswer"):
        ChainAnswer.of(Chain(run="r", after=1).content())


def test_values_that_are_not_known_are_left_alone() -> None:
    content = Chain(run="r", after=1).content()
    assert Chain.of(Content({**content.values, "more": [1]}, {})) == Chain(run="r", after=1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([10**4000]) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ANY_ARRAYS = st.dictionaries(
    st.sampled_from(["shard/0/q.A", "shard/1/q.A", "shard/01/q.A", "q.A", "", "shard/0/\n.A"]),
    st.builds(np.zeros, SHAPES, st.sampled_from(["f4", "f8", "i1", "?"])), max_size=2,
)  # fmt: skip


@given(
    records(), st.dictionaries(st.sampled_from(sorted(VALUES)) | st.text(), JSON, max_size=3), ANY_ARRAYS, st.booleans()
)
def test_whatever_comes_in_a_record_or_one_line_comes_out(
    record: Record, values: dict[str, Any], arrays: dict[str, Any], on_top: bool
) -> None:
    content = record.content()
    said = {
        **(content.values if on_top else {}),
        "record": type(record).__name__,
        "version": type(record).version,
        **values,
    }
    try:
        found = type(record).of(unpack(pack(Content(said, {**(content.arrays if on_top else {}), **arrays}))))
    except BadMessage as error:
        assert len(str(error).splitlines()) == 1 and len(str(error)) < 400
    else:
        assert isinstance(found, type(record))


@given(st.binary(max_size=200) | st.builds(lambda n, b: n.to_bytes(8, "little") + b, st.integers(0, 200), st.binary()))
def test_bytes_that_are_no_record_are_refused_with_one_line(data: bytes) -> None:
    with pytest.raises(BadMessage, match=r"^its bytes are no record") as bad:
        unpack(data)
    assert len(str(bad.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["[1]", "{", '{"a":' * 100000, "1" * 5000, "NaN"])
def test_values_that_are_no_object_are_refused_with_one_line(text: str) -> None:
    from safetensors.numpy import save

    with pytest.raises(BadMessage, match=r"^its bytes are no record") as bad:
        unpack(save({"values": np.frombuffer(text.encode(), np.uint8)}))
    assert len(str(bad.value).splitlines()) == 1


def test_a_record_that_was_cut_short_is_refused() -> None:
    data = pack(Serve(run="r", shards=(0,), adapters=[{"q.A": np.zeros((2, 3), np.float32)}]).content())
    for end in range(len(data)):
        with pytest.raises(BadMessage, match=r"^its bytes are no record"):
            unpack(data[:end])


@pytest.mark.parametrize("question", [each for each in QUESTIONS if issubclass(each, AboutShards)])
def test_adapters_are_one_of_each_shard_or_none(question: type[AboutShards]) -> None:
    state = {"q.A": np.zeros((2, 3), np.float32)}
    more = {"round": 1, "share": 0.5, "sharing": "scores", "requests": (), "unseen": 1, "sum": "s", "sharers": ()}

    def made(adapters: Model) -> AboutShards:
        return question.of(question(run="r", shards=(0, 2), **more).carrying(adapters).content())  # type: ignore[arg-type]

    assert made([]).adapters == [] and len(made([state, state]).adapters) == 2
    with pytest.raises(BadMessage, match="it has 1 adapters for 2 shards"):
        made([state])


def test_a_record_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Chain(run="r", after=1).after = 2  # type: ignore[misc]


def test_a_value_as_json_says_nothing_that_is_not_in_the_record() -> None:
    assert json.loads(json.dumps(Chain(run="r", after=3).content().values)) == {
        "record": "Chain", "version": 1, "run": "r", "facts": {}, "after": 3,
    }  # fmt: skip


SAID: dict[type[Answer], dict[str, Any]] = {
    ServeAnswer: {"served": ("a" * 64, "")},
    LocateAnswer: {"rows": 3, "shards": (0, 1), "changed": (1,), "left": 0, "served": ("a" * 64, ""), "data": "b" * 64},
    WithdrawAnswer: {"shards": (1,), "rows": 3},
    EraseAnswer: {"rows": 3, "waiting": 2},
    RehearseAnswer: {"forgotten": (-0.5,), "unseen": (), "before": 0.5, "after": 0.6, "liked": 1, "disliked": 2},
    RepeatAnswer: {"rows": 0},
}
LIES: list[tuple[type[Answer], dict[str, Any], str]] = [
    (LocateAnswer, {"shards": (99,)}, "shard 99 is not one of the run's 2"),
    (LocateAnswer, {"changed": (2,)}, "shard 2 is not one of the run's 2"),
    (LocateAnswer, {"shards": (-1,)}, "shards/0 -1 is not large enough"),
    (LocateAnswer, {"shards": (1, 1)}, "it names a shard twice"),
    (LocateAnswer, {"rows": -1}, "rows -1 is not large enough"),
    (LocateAnswer, {"rows": 10**400}, "rows .* is not"),
    (LocateAnswer, {"rows": 0}, "shard 0 learnt from rows, and it has none of them"),
    (LocateAnswer, {"left": -5}, "left -5 is not large enough"),
    (LocateAnswer, {"served": ("a" * 64,)}, "served has 1 hashes for 2 shards"),
    (LocateAnswer, {"served": ("a" * 64, "b" * 63)}, "served/1 .* is not 64 hexadecimal digits"),
    (LocateAnswer, {"data": "u07"}, "data 'u07' is not 64 hexadecimal digits"),
    (LocateAnswer, {"client": "client-9"}, "it says it is 'client-9'"),
    (WithdrawAnswer, {"shards": (2,)}, "shard 2 is not one of the run's 2"),
    (WithdrawAnswer, {"rows": -1}, "rows -1 is not large enough"),
    (EraseAnswer, {"rows": -3}, "rows -3 is not large enough"),
    (ServeAnswer, {"served": ()}, "served has 0 hashes for 2 shards"),
    (RehearseAnswer, {"forgotten": (0.5,)}, "forgotten/0 0.5 is not small enough"),
    (RehearseAnswer, {"unseen": (-1e300,)}, "unseen/0 .* is not large enough"),
    (RehearseAnswer, {"before": 1.5}, "an AUC of 1.5 is not within 0 and 1"),
    (RehearseAnswer, {"after": math.inf}, "an AUC of inf is not within 0 and 1"),
    (RehearseAnswer, {"liked": 0}, "an AUC of rows that are not both liked and disliked"),
    (RehearseAnswer, {"disliked": -2}, "disliked -2 is not large enough"),
    (RepeatAnswer, {"rows": -1}, "rows -1 is not large enough"),
]


@pytest.mark.parametrize("kind", SAID)
def test_an_honest_answer_about_an_erasure_is_taken(kind: type[Answer]) -> None:
    kind(client="client-0", **SAID[kind]).check("client-0", 2)


@pytest.mark.parametrize(("kind", "lie", "told"), LIES)
def test_what_cannot_be_true_of_an_erasure_is_one_line(kind: type[Answer], lie: dict[str, Any], told: str) -> None:
    values = {"record": kind.__name__, "version": kind.version, "client": "client-0", **SAID[kind], **lie}
    with pytest.raises(BadMessage, match=told) as bad:
        kind.of(Content(values, {})).check("client-0", 2)
    assert len(str(bad.value).splitlines()) == 1
