"""What a server publishes of a round: a strategy's adapters, or those with noise as far as the budget of a shard goes.

The mathematics is in `fedrec.strategies.bounded_updates`, what was spent in `server.release_ledger`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import isinf

from fedrec.privacy.accounting import affordable, epsilon_of
from fedrec.privacy_settings import EVERY, WHOLE, PrivacyConfig
from fedrec.protocol.adapters import State, digest_of
from fedrec.strategies import strategy_of
from fedrec.strategies.averaging import weights_of
from fedrec.strategies.bounded_updates import cut, multipliers, next_clip, noised
from fedrec.strategies.strategy import Aggregate, Trained
from server.release_ledger import ReleaseLedger
from server.rounds import Rounds
from server.run import Run
from server.spent import Spent

SPENT = "the privacy budget has room for no further round: the models stay as they were"


@dataclass
class Releases:
    """Those of one round.

    Attributes:
        begun: the rounds of this training, of which this is the next.
        shards: that are trained.
        clips: by shard, the longest update that counts in the next round; filled by `aggregate`.
    """

    run: Run
    begun: Rounds
    number: int
    shards: Sequence[int]

    def __post_init__(self) -> None:
        self.privacy: PrivacyConfig = self.run.config.privacy
        self.strategy = strategy_of(self.run.config)
        earlier = self.privacy.at_server and self.number > 1
        before = self.begun.entry(self.number - 1).clip if earlier else None
        self.clips = {shard: (before or {}).get(str(shard), self.privacy.clip) for shard in self.shards}

    @cached_property
    def ledger(self) -> ReleaseLedger:
        return ReleaseLedger(self.run.folder)

    def affordable(self) -> list[int]:
        """The shards of which one more round can be published, or this one again."""
        if not self.privacy.at_server:
            return [*self.shards]
        return [shard for shard in self.shards if self._room(shard)]

    def aggregate(
        self, shard: int, trained: Sequence[Trained], states: Mapping[str, State], initial: State
    ) -> Aggregate | None:
        """What every client gets next of a shard; None where the budget has no room for it, as at another release of
        this round, of other replies.

        Args: as of `Strategy.aggregate`.
        """
        if not self.privacy.at_server:
            return self.strategy.aggregate(trained, states, initial, self.number)
        clip, privacy, run = self.clips[shard], self.privacy, self.run
        assert privacy.noise is not None  # a prepared run has it
        bounded = {each.client: cut(each.state, states[each.client], clip) for each in trained}
        counted = [Trained(each.client, bounded[each.client][0], each.loss, each.examples) for each in trained]
        released = f"{self._prefix(shard)}{self._digest(shard, counted, clip)}"
        others = self.ledger.spent(run.id, shard, but=released)
        if not affordable(others, privacy.noise, 1, privacy):
            return None
        self.ledger.spend(run.id, shard, released, privacy.noise, 1.0, 1)  # before the noise is drawn
        aggregate = self.strategy.aggregate(counted, states, initial, self.number)
        adaptive = privacy.clip_quantile is not None
        of_update, of_count = multipliers(privacy.noise, len(counted), adaptive)
        deviation = of_update * clip * float(weights_of([each.examples for each in counted]).max())
        key = self.ledger.key_of(released, str(shard), "noise")
        mean = noised(next(iter(aggregate.states.values())), deviation, key)
        if privacy.clip_quantile is not None:
            longer = {client: was for client, (_, was) in bounded.items()}
            drawn = self.ledger.key_of(released, str(shard), "count")
            self.clips[shard] = next_clip(clip, longer, privacy.clip_quantile, privacy.clip_rate, of_count, drawn)
        return Aggregate(dict.fromkeys(aggregate.states, mean))

    def told(self) -> dict[str, float] | None:
        """The bounds of the next round, as the round's file has them."""
        return {str(shard): clip for shard, clip in self.clips.items()} if self.privacy.at_server else None

    def spent(self) -> Spent | None:
        """What all releases have spent, of each of these shards, and of all shards together."""
        if not self.privacy.at_server:
            return None
        steps = {shard: self.ledger.spent(self.run.id, shard) for shard in range(self.run.config.shards)}
        told: Spent = {EVERY: {str(shard): self._epsilon(steps[shard]) for shard in self.shards}}
        if len(steps) > 1:
            told[WHOLE] = {"all": self._epsilon([each for taken in steps.values() for each in taken])}
        return told

    def _epsilon(self, taken: Sequence[tuple[float, float, int]]) -> float | None:
        value = epsilon_of(taken, self.privacy)
        return None if isinf(value) else value

    def _room(self, shard: int) -> bool:
        assert self.privacy.noise is not None
        if self.ledger.has_begun(self.run.id, shard, self._prefix(shard)):
            return True
        return affordable(self.ledger.spent(self.run.id, shard), self.privacy.noise, 1, self.privacy) > 0

    def _prefix(self, shard: int) -> str:
        return f"{self.ledger.training(self.run.id, shard)}/{self.number}/"

    def _digest(self, shard: int, counted: Sequence[Trained], clip: float) -> str:
        """Of all that a release depends on; by a key, as single updates could be guessed at by it otherwise."""
        digest = sha256()
        for each in counted:
            digest.update(f"{each.client} {each.examples} {digest_of(each.state)}\n".encode())
        said = (self.run.id, str(shard), repr(clip), self.privacy.model_dump_json(), digest.hexdigest())
        return self.ledger.key_of("release", *said).hex()
