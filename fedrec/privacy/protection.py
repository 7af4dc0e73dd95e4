"""One training under differential privacy: how much noise, how many steps the budget has room for, and the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from fedrec.privacy.accounting import affordable, epsilon_of, noise_of, steps_of
from fedrec.privacy.ledger import PrivacyLedger
from fedrec.privacy_settings import PrivacyConfig


@dataclass(frozen=True)
class Protection:
    """The protection of one training.

    Attributes:
        run, shard: whose budget it is of.
        training: keyed digest of all that the training depends on.
        steps: that the training has without a budget; allowed: that the budget has room for.
    """

    privacy: PrivacyConfig
    ledger: PrivacyLedger
    run: str
    shard: int
    training: str
    noise: float
    steps: int
    allowed: int

    def key_of(self, step: int, purpose: str) -> bytes:
        """What a step (from 1) draws from, for one purpose."""
        return self.ledger.key_of(self.training, str(step), purpose)

    def spend(self, step: int) -> None:
        """Have the steps up to this one (from 1) in the ledger; RuntimeError where the budget has no room for it."""
        if step > self.allowed:
            raise RuntimeError(f"step {step} of {self.allowed} that the privacy budget has room for")
        self.ledger.spend(self.run, self.shard, self.training, self.noise, self.privacy.sample_rate, step)


def protection(
    privacy: PrivacyConfig, ledger: PrivacyLedger, *, run: str, shard: int, learning: str, epochs: int, rounds: int
) -> Protection:
    """Of a training.

    Args:
        learning: digest of what is learnt, from what and how.
        epochs: of each round; rounds: of the run.
    """
    steps = steps_of(privacy, epochs)
    noise = noise_of(privacy, steps * rounds)
    said = (run, str(shard), learning, privacy.model_dump_json(), repr(noise))
    training = ledger.key_of("training", *said).hex()
    others = ledger.spent(run, shard, but=training)
    paid = sum(count for *_, count in ledger.spent(run, shard)) - sum(count for *_, count in others)
    return Protection(
        privacy, ledger, run, shard, training, noise, steps, max(paid, affordable(others, noise, steps, privacy))
    )


def spent(privacy: PrivacyConfig, ledger: PrivacyLedger, run: str, shard: int) -> float:
    """Epsilon that a shard's trainings have spent; infinite without noise."""
    return epsilon_of(ledger.spent(run, shard), privacy)
