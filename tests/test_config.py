"""The configuration: what is written comes back, and every mistake is named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedrec.config import load, parse, run_section
from fedrec.errors import UsageError


def test_a_configuration_survives_json() -> None:
    config = load(
        sets=("train.lr=5e-4", "lora.targets=['q_proj', 'v_proj']", "strategy=ditto", "data.columns.user=who")
    )
    assert parse(config.model_dump(mode="json")) == config
    assert run_section().model_validate_json(config.model_dump_json()) == config


def test_later_sources_win(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("seed = 1\nshards = 2\n[train]\nlr = 0.1\nepochs = 3\n")
    config = load(path, {"seed": 2, "train.lr": 0.2}, ("train.lr=0.3",))
    assert (config.seed, config.shards, config.train.lr, config.train.epochs) == (2, 2, 0.3, 3)


def test_values_need_no_quotes_and_none_is_none() -> None:
    config = load(sets=("strategy=local", "prompt.history=none", "data.skip_bad_rows=true", "base=some/model"))
    assert config.strategy == "local"
    assert config.prompt.history is None
    assert config.data.skip_bad_rows
    assert config.base == "some/model"


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        load(sets=("train.lr=-1", "strategy=magic", "clients.cuont=3", "federation.fraction=2"))
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "train.lr = -1",
        "strategy = ",
        "choose pplr, fedavg",
        "clients.cuont is not a setting",
        "federation.fraction = 2",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("sets", "part"), [(("lr",), "section.key=value"), (("seed=1", "seed.x=2"), "seed is a value, not a section")]
)
def test_a_malformed_setting_is_named(sets: tuple[str, ...], part: str) -> None:
    with pytest.raises(UsageError, match=part):
        load(sets=sets)


def test_a_broken_or_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(UsageError, match=r"bad\.toml"):
        load(tmp_path / "bad.toml")
    with pytest.raises(UsageError, match="no such file"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_the_mark_is_no_part_of_a_configuration(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_bytes("[train]\nlr = 0.001\n".encode(encoding))
    assert load(tmp_path / "run.toml").train.lr == 0.001


def test_central_training_takes_every_client() -> None:
    with pytest.raises(UsageError, match="must be 1 with strategy central"):
        load(sets=("strategy=central", "federation.fraction=0.5"))
