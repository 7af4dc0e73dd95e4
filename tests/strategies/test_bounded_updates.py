"""Cut updates and noised means: what is short stays bit for bit, none is longer, two draws cost what one does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fedrec.privacy.accounting import epsilon_of
from fedrec.privacy_settings import PrivacyConfig
from fedrec.protocol.adapters import State
from fedrec.strategies.bounded_updates import cut, multipliers, next_clip, noised
from fedrec.strategies.columns import distance


def state(seed: int, scale: float = 1.0) -> State:
    random = np.random.default_rng(seed)
    return {key: (scale * random.standard_normal((30, 40))).astype(np.float32) for key in ("x.A", "x.B")}


@pytest.mark.parametrize("clip", [math.inf, 1e9, 100.0])
def test_what_is_short_enough_stays_bit_for_bit(clip: float) -> None:
    start, trained = state(0), state(1)
    kept, longer = cut(trained, start, clip)
    assert not longer
    assert all(np.array_equal(kept[key], trained[key]) for key in trained)


def test_an_update_of_zero_is_never_divided_by() -> None:
    start = state(0)
    kept, longer = cut(dict(start), start, 1e-30)
    assert not longer and distance(kept, start) == 0


@pytest.mark.parametrize("clip", [30.0, 1.0, 1e-3, 1e-6, 1e-12])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_no_update_is_longer_than_the_bound_as_float32_has_it(clip: float, scale: float) -> None:
    start = state(0, scale)
    kept, longer = cut(state(1, scale), start, clip)
    assert longer
    assert distance(kept, start) <= clip
    if clip >= 1e-3 and scale == 1.0:
        assert distance(kept, start) > 0.99 * clip


def test_noise_is_normal_of_that_deviation_of_the_key_alone_and_none_is_none() -> None:
    mean = {"x.A": np.full((200, 200), 3.0, np.float32), "x.B": np.zeros((200, 200), np.float32)}
    first, again, other = (noised(mean, 0.5, key) for key in (b"1", b"1", b"2"))
    drawn = np.concatenate([(first[key] - mean[key]).ravel() for key in mean])
    assert abs(drawn.mean()) < 0.01 and abs(drawn.std() - 0.5) < 0.01
    assert abs((drawn**4).mean() / 0.5**4 - 3) < 0.2
    assert abs(np.corrcoef(first["x.A"].ravel(), first["x.B"].ravel())[0, 1]) < 0.02
    assert all(np.array_equal(first[key], again[key]) for key in mean)
    assert not np.array_equal(first["x.A"], other["x.A"])
    assert all(noised(mean, 0.0, b"1")[key] is mean[key] for key in mean)


@pytest.mark.parametrize("noise", [0.3, 1.0, 8.0])
@pytest.mark.parametrize("clients", [1, 5, 400])
def test_updates_and_their_count_together_cost_what_the_noise_says(noise: float, clients: int) -> None:
    of_update, of_count = multipliers(noise, clients, True)
    assert of_update**-2 + (2 * of_count) ** -2 == pytest.approx(noise**-2)
    assert noise < of_update <= 1.06 * noise
    assert multipliers(noise, clients, False) == (noise, 0.0)
    assert multipliers(0.0, clients, True) == (0.0, 0.0)


def test_the_accountant_agrees_with_dp_accounting_of_the_two_draws() -> None:
    dp = pytest.importorskip("dp_accounting")
    from dp_accounting.rdp import RdpAccountant

    of_update, of_count = multipliers(2.0, 5, True)
    event = dp.ComposedDpEvent([dp.GaussianDpEvent(of_update), dp.GaussianDpEvent(2 * of_count)])
    theirs = RdpAccountant().compose(event, 12).get_epsilon(1e-5)
    privacy = PrivacyConfig(unit="client", epsilon=8.0, sample_rate=1.0)
    assert epsilon_of([(2.0, 1.0, 12)], privacy) == pytest.approx(theirs, rel=0.02)


def test_the_accountant_is_above_what_a_gaussian_exactly_loses() -> None:
    """T releases of noise z are one Gaussian of z / sqrt(T), of which delta is known (Balle and Wang 2018)."""
    from scipy.stats import norm

    mu = math.sqrt(12) / 2.0
    rdp, prv = (
        epsilon_of([(2.0, 1.0, 12)], PrivacyConfig(unit="client", epsilon=8.0, sample_rate=1.0, accountant=name))
        for name in ("rdp", "prv")
    )
    for epsilon, above in ((rdp, True), (prv + 0.05, True), (prv - 0.05, False)):
        delta = norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)
        assert (delta <= 1e-5) == above


def test_the_bound_finds_the_quantile_of_the_updates() -> None:
    lengths, clip = {str(n): float(n) for n in range(1, 41)}, 0.1
    for _ in range(60):
        longer = {client: length > clip for client, length in lengths.items()}
        clip = next_clip(clip, longer, 0.5, 0.5, 0.0, b"")
    assert 18 < clip < 23


def test_noise_on_the_count_moves_the_bound_by_its_key_and_within_limits() -> None:
    longer = {"a": True, "b": False}
    plain = next_clip(1.0, longer, 0.5, 0.2, 0.0, b"1")
    assert plain == 1.0
    moved = {next_clip(1.0, longer, 0.5, 0.2, 50.0, bytes([key])) for key in range(20)}
    assert len(moved) >= 2
    assert all(math.exp(-0.1) <= each <= math.exp(0.1) for each in moved)
