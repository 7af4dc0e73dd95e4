"""A client's home: all that a client knows, in one folder on its own machine.

client.toml     who it is, and what may leave it (`Settings`)
vault.db        rows, titles, tombstones of what was erased, and what may be served; vault.db.key: the vault's key
runs/ID/        what it has of one run (`clients.client_run`)
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from fedrec.config import Sharing, StrategyName
from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.union import pooled
from fedrec.errors import FedrecError, UsageError, command
from fedrec.file_owner import for_owner_only
from fedrec.files import write_bytes
from fedrec.privacy.disclosure import LEAST_FIRST
from fedrec.registry import STRATEGIES
from fedrec.settings import Section, validated
from fedrec.text import read_text, shown
from fedrec.vault.vault import Vault

SETTINGS = "client.toml"
VAULT = "vault.db"
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}")


class Policy(Section):
    """What may leave a home."""

    strategies: tuple[StrategyName, ...] = Field(
        default_factory=lambda: tuple(STRATEGIES), description="whose training it takes part in"
    )
    epsilon: float | None = Field(
        None, gt=0, description="largest privacy.epsilon that it takes part under; none = any, and none at all"
    )
    scores: Sharing = Field(
        "histogram", description="what is told of its test rows' scores: metrics over them, counts in bins, or each"
    )


class Settings(Section):
    """A client's own configuration."""

    name: str = Field(pattern=r"^[\p{L}\p{N}_][\p{L}\p{N}_.-]{0,63}$", description="by which the server knows it")
    device: str | None = Field(
        None, pattern="^(auto|cpu|mps|cuda(:[0-9]+)?)$", description="what it computes on; none = as the run says"
    )
    base: str | None = Field(None, description="folder of the base model; none = this machine's cache")
    pool: tuple[str, ...] = Field((), description="homes whose rows are this one's: of central training beside a run")
    policy: Policy = Policy()


class Home:
    """A home in a folder; what is written there is its owner's only."""

    def __init__(self, folder: Path, base: str | None = None, facts: Path | None = None) -> None:
        """
        Args:
            base: the folder of the base model on this machine; none = as client.toml says.
            facts: where this machine has public facts of runs for many clients, each named by its hash; none = nowhere.
        """
        for_owner_only()
        self.folder, self._base, self.facts = folder, base, facts

    @cached_property
    def settings(self) -> Settings:
        """
        Raises:
            FedrecError: client.toml is not there, or a value in it is wrong.
        """
        path = self.folder / SETTINGS
        try:
            return validated(Settings, tomllib.loads(read_text(path)))
        except FileNotFoundError:
            mend = command("client init --name NAME", self.folder)
            raise FedrecError(f"{self.folder}: no client's home; {mend} makes one") from None
        except (UsageError, tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise FedrecError(f"{path}: {str(error).removeprefix('configuration: ')}") from None

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def policy(self) -> Policy:
        """What may leave it."""
        return self.settings.policy

    @property
    def base(self) -> str | None:
        return self._base or self.settings.base

    @property
    def vault_path(self) -> Path:
        return self.folder / VAULT

    @property
    def has_vault(self) -> bool:
        return self.vault_path.exists()

    @property
    def vault(self) -> Vault:
        """
        Raises:
            FedrecError: there is none.
        """
        return Vault(self.vault_path)

    def run_folder(self, run: str) -> Path:
        """Where what it has of a run is.

        Raises:
            FedrecError: that is no run's id.
        """
        if not _RUN.fullmatch(run):
            raise FedrecError(f"run {shown(run)} is no run's id")
        return self.folder / "runs" / run

    def users(self) -> list[str]:
        """Those who have rows here."""
        return [user for user, _ in self.vault.users()]

    def beyond(self, whose: Sequence[str], split: int) -> set[str]:
        """Of those whose each row of a split was: the people of whom there are fewer now."""
        return self.vault.beyond(whose, split)

    def interactions(self, catalogue: Catalogue) -> Interactions:
        return self.vault.interactions(catalogue)

    def write_interactions(self, interactions: Interactions, catalogue: Catalogue) -> None:
        """Import them; what is tombstoned here does not come back."""
        Vault.create(self.vault_path).import_rows(interactions, catalogue)

    def record_use(self, run: str, shard: int, number: int, rows: Interactions, catalogue: Catalogue) -> None:
        """Note the rows that round `number` of a run trained a shard on."""
        self.vault.record_use(run, shard, number, rows, catalogue)

    def allowed(self, run: str) -> set[tuple[int, str]]:
        """The shards and hashes of the adapters of a run that may be served, by the word of the vault.

        What was withdrawn is none of them, whatever files are put back.
        """
        return self.vault.allowed(run)

    def allow(self, run: str, adapters: Collection[tuple[int, str]]) -> None:
        """Those may be served and no others, on the disk when this returns."""
        self.vault.allow(run, adapters)


class PooledHome(Home):
    """The home of central training beside a run: it reads other homes' vaults, and keeps only what it learned."""

    @cached_property
    def _homes(self) -> dict[str, Home]:
        homes = [Home(self.folder / path) for path in self.settings.pool]
        return {home.name: home for home in homes}

    @property
    def policy(self) -> Policy:
        """What all of them allow."""
        all_of = [home.policy for home in self._homes.values()]
        return Policy(
            strategies=tuple(name for name in STRATEGIES if all(name in policy.strategies for policy in all_of)),
            epsilon=min((policy.epsilon for policy in all_of if policy.epsilon is not None), default=None),
            scores=min((policy.scores for policy in all_of), key=LEAST_FIRST.index),
        )

    def users(self) -> list[str]:
        return sorted({user for home in self._homes.values() for user in home.users()})

    def beyond(self, whose: Sequence[str], split: int) -> set[str]:
        there = sum((Counter(dict(home.vault.users(split))) for home in self._homes.values()), Counter[str]())
        return {*(Counter(whose) - there)}

    def interactions(self, catalogue: Catalogue) -> Interactions:
        return pooled({name: home.interactions(catalogue) for name, home in self._homes.items()})

    def record_use(self, run: str, shard: int, number: int, rows: Interactions, catalogue: Catalogue) -> None:
        assert rows.client is not None
        for index, name in enumerate(rows.client_ids):
            self._homes[name].record_use(run, shard, number, rows.take(rows.client == index), catalogue)

    def allowed(self, run: str) -> set[tuple[int, str]]:
        return set.intersection(*(home.allowed(run) for home in self._homes.values()))

    def allow(self, run: str, adapters: Collection[tuple[int, str]]) -> None:
        for home in self._homes.values():
            home.allow(run, adapters)


def open_home(folder: Path, base: str | None = None, facts: Path | None = None) -> Home:
    """The home in a folder, as `Home` takes it.

    Raises:
        FedrecError: there is none.
    """
    home = Home(folder, base, facts)
    return PooledHome(folder, base, facts) if home.settings.pool else home


def homes_in(folder: Path, base: str | None = None, facts: Path | None = None) -> list[Home]:
    """The homes that lie in a folder, by their names."""
    found = [open_home(path.parent, base, facts) for path in folder.glob(f"*/{SETTINGS}")]
    return sorted(found, key=lambda home: home.name)


def create_home(folder: Path, settings: Settings) -> Home:
    """A new home.

    Raises:
        UsageError: there is one already, or nothing can be written there.
    """
    home = Home(folder)
    if (folder / SETTINGS).exists():
        raise UsageError(f"{folder} is the home of {home.name} already; name a new folder")
    try:
        write_bytes(folder / SETTINGS, _toml(settings).encode())
    except OSError as error:
        raise UsageError(f"{folder}: no home can be made there ({error.strerror}); name another folder") from None
    return home


def _toml(settings: Settings) -> str:
    """The settings with what they mean; those that are not given as comments."""
    lines: list[str] = []
    tables = [("", settings), ("policy", settings.policy)]
    for table, section in tables:
        lines += ["", f"[{table}]"] if table else []
        for name, field in type(section).model_fields.items():
            value: Any = getattr(section, name)
            if name == "policy" or (name == "pool" and not value):
                continue
            given = f"{name} = {json.dumps(value, ensure_ascii=False)}" if value is not None else f"# {name} ="
            lines.append(f"{given}  # {field.description}")
    return "\n".join(lines) + "\n"
