"""A sharded model as one who holds rows and an ensemble that learned from them (`fedrec.ensemble.forgetting`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedrec.config import RunConfig
from fedrec.data.prompts import PromptEncoder
from fedrec.data.table import Catalogue, Interactions
from fedrec.ensemble.answers import Answers, Judged
from fedrec.ensemble.stored import Ensemble
from fedrec.ensemble.validation import Judgement
from fedrec.models.adapter import State
from fedrec.models.base import Base
from fedrec.vault.vault import Vault
from unlearning.model import ShardedModel
from unlearning.places import shards_that_saw


@dataclass(frozen=True)
class ModelHolder:
    model: ShardedModel

    @property
    def config(self) -> RunConfig:
        return self.model.config

    @property
    def catalogue(self) -> Catalogue:
        return self.model.catalogue

    @property
    def base(self) -> Base:
        return self.model.base

    @property
    def encoder(self) -> PromptEncoder:
        return self.model.encoder

    @property
    def vault(self) -> Vault:
        return self.model.vault

    @property
    def ensemble(self) -> Ensemble:
        return self.model.ensemble

    @property
    def interactions(self) -> Interactions:
        return self.model.table.interactions

    def learned(self, gone: NDArray[np.bool_]) -> tuple[int, ...]:
        return shards_that_saw(self.interactions, self.model.table.places, gone)

    def members(self, shards: Collection[int]) -> NDArray[np.bool_]:
        rows, teaches = self.interactions, np.isin(self.model.table.places.shard, list(shards))
        return np.asarray(np.isin(np.arange(len(rows.user_ids)), rows.user[teaches]), bool)

    def judged_by(self, adapters: Mapping[int, State]) -> Judgement:
        return self.model.judged_by(dict(adapters))

    def answers_of(self, adapters: Mapping[int, State], judged: Judged | None = None) -> Answers:
        method, tokens = self.model.method, self.encoder.template.answers
        aggregator = "average-nd" if judged is None else method.aggregator
        known = Judged.nobody(method.shards) if judged is None else replace(judged, centres=self.model.centres())
        return Answers(
            self.base, self.config.lora, tokens, adapters, known, aggregator, method.aggregation, self.config.seed
        )
