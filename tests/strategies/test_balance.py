"""PPLR's balance: the derived values of the paper's equations, and their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from threadpoolctl import threadpool_limits

from fedrec.protocol.item_rows import with_rows
from fedrec.strategies import columns
from fedrec.strategies.averaging import weighted_sum
from fedrec.strategies.balance import Exponent, heating, mix, mixing, similarity

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
VECTORS = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6), elements=FLOATS)
LOSSES = arrays(np.float64, st.integers(1, 8), elements=st.floats(0, 100))
EXPONENTS = st.sampled_from(["intended", "code"])

# alpha 0.7, beta 5, rounds 0, 1, 2, 4, 9
ROUNDS = (0, 1, 2, 4, 9)
TABLE: list[tuple[float, Exponent, tuple[float, ...]]] = [
    (0.2, "code", (0.747, 1.000, 1.000, 1.000, 1.000)),
    (0.5, "code", (0.666, 0.923, 0.997, 1.000, 1.000)),
    (0.9, "code", (0.614, 0.661, 0.708, 0.797, 0.951)),
    (0.2, "intended", (0.747, 0.870, 0.951, 0.998, 1.000)),
    (0.5, "intended", (0.666, 0.728, 0.786, 0.885, 0.993)),
    (0.9, "intended", (0.614, 0.623, 0.633, 0.651, 0.698)),
]


def similar(vectors: np.ndarray) -> np.ndarray:
    return similarity([{"l.A": vector[None]} for vector in vectors])


@pytest.mark.parametrize(("share", "exponent", "expected"), TABLE)
def test_heating_of_a_known_loss_share(share: float, exponent: Exponent, expected: tuple[float, ...]) -> None:
    losses = 1 + 0.05 * np.log([share, 1 - share])  # whose softmax at T = 0.05 is (share, 1 - share)
    w = [heating(losses, t, 0.7, 5, 0.05, exponent)[0] for t in ROUNDS]
    np.testing.assert_allclose(w, expected, atol=6e-4)


def test_loss_shares_of_five_clients() -> None:
    alpha = 0.01  # small, with an exponent of 1, so that Lhat = alpha / artanh(w) can be read back
    w = heating(np.array([2.07, 2.08, 2.21, 2.15, 2.06]), 0, alpha, 1, 0.05, "code")
    np.testing.assert_allclose(alpha / np.arctanh(w), (0.041, 0.050, 0.673, 0.203, 0.034), atol=6e-4)


@given(LOSSES, st.integers(0, 1000), st.floats(0.01, 10), st.floats(0.1, 100), st.floats(1e-3, 10), EXPONENTS)
def test_heating_lies_between_tanh_alpha_and_one_and_rises(
    losses: np.ndarray, t: int, alpha: float, beta: float, temperature: float, exponent: Exponent
) -> None:
    w = heating(losses, t, alpha, beta, temperature, exponent)
    later = heating(losses, t + 1, alpha, beta, temperature, exponent)
    assert (np.tanh(alpha) - 1e-9 <= w).all() and (w <= 1).all()
    assert (later >= w).all()
    assert (np.diff(w[np.argsort(losses)]) <= 1e-12).all(), "a higher loss learns no faster"


def test_a_vanishing_loss_share_gives_one() -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        w = heating(np.array([0.0, 1e6]), 10_000, 0.7, 5, 0.05, "code")
    assert w[0] == 1
    assert w[1] == pytest.approx(np.tanh(0.7))


def test_similarity_of_known_directions() -> None:
    s = similar(np.array([[1, 0], [2, 0], [0, 3], [-1, 0]], np.float32))
    expected = [[1, 1, 0.5, 0], [1, 1, 0.5, 0], [0.5, 0.5, 1, 0.5], [0, 0, 0.5, 1]]
    np.testing.assert_allclose(s, expected, atol=1e-15)


@given(VECTORS)
def test_similarity_is_symmetric_within_zero_and_one(vectors: np.ndarray) -> None:
    s = similar(vectors)
    assert (s == s.T).all()
    assert (s.diagonal() == 1).all()
    assert (s >= 0).all() and (s <= 1).all()


@given(VECTORS, st.sampled_from([0.5, 2, 64]))
def test_similarity_ignores_length(vectors: np.ndarray, factor: float) -> None:
    np.testing.assert_allclose(similar(factor * vectors.astype(np.float64)), similar(vectors), atol=1e-15)


def test_similarity_follows_a_permutation_bit_for_bit() -> None:
    """So it does not depend on how BLAS would tile a matrix, nor on its threads."""
    rng = np.random.default_rng(0)
    vectors, order = rng.normal(size=(60, 4_003)).astype(np.float32), rng.permutation(60)
    assert (similar(vectors[order]) == similar(vectors)[np.ix_(order, order)]).all()


def test_many_clients_are_mixed_by_blas_whatever_its_threads_and_as_few_are() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(90, 5_003)).astype(np.float32)
    states = [{"l.A": vector.reshape(1, -1)} for vector in vectors]
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            weights = mixing(similar(vectors), None)
            found.append(np.concatenate([state["l.A"] for state in mix(states, weights)]))
    np.testing.assert_array_equal(*found)
    one_by_one = np.concatenate([weighted_sum(states, row)["l.A"] for row in weights])
    np.testing.assert_allclose(found[0], one_by_one, rtol=1e-6)
    np.testing.assert_allclose(similar(vectors)[:60, :60], similar(vectors[:60]), atol=1e-14)
    equal = mix(states[:1] * 90, weights)
    assert all(state["l.A"].tobytes() == states[0]["l.A"].tobytes() for state in equal)


def test_a_zero_update_has_cosine_zero() -> None:
    with np.errstate(all="raise"):
        s = similar(np.array([[0, 0], [1, 2], [0, 0]], np.float32))
    np.testing.assert_array_equal(s[0], [1, 0.5, 0.5])


def test_tiny_and_huge_vectors_keep_their_direction() -> None:
    s = similar(np.array([[1e-45, 1e-45], [3e38, 3e38]], np.float32))
    assert s[0, 1] == pytest.approx(1)


@given(VECTORS, st.data())
def test_mixing_rows_sum_to_one_and_the_own_share_leads(vectors: np.ndarray, data: st.DataObject) -> None:
    n = len(vectors)
    w = data.draw(arrays(np.float64, n, elements=st.floats(0.01, 1)))
    for weights in (mixing(similar(vectors), w), mixing(similar(vectors), None)):
        np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-14)
        assert (weights >= 0).all()
        assert (weights.diagonal() == weights.max(1)).all()


def test_heating_scales_the_share_of_the_peers_by_row() -> None:
    s = np.array([[1, 0.5], [0.5, 1]])
    np.testing.assert_allclose(mixing(s, np.array([0.2, 1.0])), [[1 / 1.1, 0.1 / 1.1], [0.5 / 1.5, 1 / 1.5]])
    np.testing.assert_array_equal(s, [[1, 0.5], [0.5, 1]])


def test_mix_reads_one_snapshot() -> None:
    """In place, the second client would mix the first one's new 0.5: 0.75 instead of 0.5."""
    states = [{"l.A": np.zeros((1, 2), np.float32)}, {"l.A": np.ones((1, 2), np.float32)}]
    mixed = mix(states, np.full((2, 2), 0.5))
    assert [state["l.A"][0, 0] for state in mixed] == [0.5, 0.5]
    assert [state["l.A"][0, 0] for state in states] == [0, 1]


@given(VECTORS)
def test_mixing_equals_changes_nothing(vectors: np.ndarray) -> None:
    states = [{"l.A": vectors[:1]}] * len(vectors)
    for state in mix(states, mixing(similar(vectors), None)):
        assert state["l.A"].tobytes() == vectors[:1].tobytes()


def test_alone_a_client_keeps_its_model() -> None:
    states = [{"l.A": np.array([[0.1, -2]], np.float32)}, {"l.A": np.array([[5, 7]], np.float32)}]
    for state, mixed in zip(states, mix(states, np.eye(2)), strict=True):
        assert state["l.A"].tobytes() == mixed["l.A"].tobytes()


def test_columns_go_by_sorted_key() -> None:
    a, b = np.array([[1, 2]], np.float32), np.array([[3], [4]], np.float32)
    for state in ({"l.A": a, "l.B": b}, {"l.B": b, "l.A": a}):
        np.testing.assert_array_equal(np.hstack([*columns.columns([state])]), [[1, 2, 3, 4]])


@pytest.mark.parametrize("numbers", [1, 20, 20_000_000])
def test_item_rows_that_few_have_are_compared_as_whole_ones(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_NUMBERS", numbers)
    random = np.random.default_rng(0)
    whole = random.normal(size=(5, 12, 2)).astype(np.float32) * (random.random((5, 12, 1)) < 0.3)
    layer = random.normal(size=(5, 1, 3)).astype(np.float32)
    states = [with_rows({"l.A": a}, np.arange(12), b) for a, b in zip(layer, whole, strict=True)]
    vectors = np.hstack([layer.reshape(5, -1), whole.reshape(5, -1)])
    np.testing.assert_allclose(similarity(states), similar(vectors), atol=1e-14)
    np.testing.assert_allclose(similarity(states[1:], states[0]), similar(vectors[1:] - vectors[0]), atol=1e-14)
    assert columns.distance(*states[:2]) == pytest.approx(np.linalg.norm(vectors[0] - vectors[1]))
