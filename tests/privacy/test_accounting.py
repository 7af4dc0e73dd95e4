"""Accountants: Opacus' own numbers, with steps of one kind together; noise that is enough and not much more."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fedrec.errors import UsageError
from fedrec.privacy.accounting import affordable, epsilon_of, noise_of, steps_of
from fedrec.privacy_settings import PrivacyConfig


def config(**said: Any) -> PrivacyConfig:
    return PrivacyConfig(**{"unit": "person", "epsilon": 8.0, "sample_rate": 1.0} | said)


@pytest.mark.parametrize("accountant", ["rdp", "prv"])
def test_it_is_what_opacus_says_after_as_many_steps(accountant: Any) -> None:
    from opacus.accountants import create_accountant

    told = create_accountant(accountant)
    for _ in range(3):
        told.step(noise_multiplier=3.0, sample_rate=0.2)
    for _ in range(2):
        told.step(noise_multiplier=4.0, sample_rate=0.1)
    mine = epsilon_of([(4.0, 0.1, 1), (3.0, 0.2, 3), (4.0, 0.1, 1)], config(accountant=accountant))
    assert mine == pytest.approx(told.get_epsilon(delta=1e-5), rel=1e-6)


def test_it_is_what_dp_accounting_says() -> None:
    dp = pytest.importorskip("dp_accounting")
    from dp_accounting.pld import PLDAccountant

    event = dp.PoissonSampledDpEvent(0.1, dp.GaussianDpEvent(2.0))
    exact = PLDAccountant().compose(event, 60).get_epsilon(1e-5)
    steps = [(2.0, 0.1, 60)]
    assert epsilon_of(steps, config(accountant="prv")) == pytest.approx(exact, abs=0.03)
    assert exact <= epsilon_of(steps, config()) < 1.3 * exact


def test_no_noise_is_no_bound_and_no_step_costs_nothing() -> None:
    assert epsilon_of([(0.0, 1.0, 1), (5.0, 1.0, 3)], config()) == math.inf
    assert epsilon_of([(0.0, 1.0, 0)], config()) == epsilon_of([], config()) == 0


@pytest.mark.parametrize("retrainings", [0, 2])
def test_noise_is_enough_for_all_steps_and_not_for_many_more(retrainings: int) -> None:
    told = config(retrainings=retrainings)
    noise = noise_of(told, 10)
    steps = 10 * (1 + retrainings)
    assert 7.8 < epsilon_of([(noise, 1.0, steps)], told) <= 8
    assert affordable([(noise, 1.0, steps - 4)], noise, 10, told) == 4
    assert affordable([(noise, 1.0, steps)], noise, 10, told) == 0
    assert noise_of(config(noise=0.5), 10) == 0.5


def test_steps_have_everybody_in_each_epoch_on_average() -> None:
    assert steps_of(config(sample_rate=0.1), 2) == 20
    assert steps_of(config(sample_rate=0.3), 1) == 4


def test_a_budget_that_no_noise_keeps_is_named() -> None:
    with pytest.raises(UsageError, match=r"privacy\.epsilon"):
        noise_of(config(epsilon=1e-9), 10)
