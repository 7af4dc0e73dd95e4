"""What is set higher than the data or the model have use for, and what a configuration learns from its data."""

from __future__ import annotations

from pathlib import Path

from clients.client import Client
from fedrec.config import load, parse
from server.prepare import prepare
from server.public_facts import too_large_for
from tests.conftest import Settings


def test_what_is_too_large_is_told_and_what_fits_is_not() -> None:
    config = parse({"shards": 200, "prompt": {"window": 384}})
    assert too_large_for(config, 200, 384) == []
    shards, window = too_large_for(config, 150, 256)
    assert "--shards 200 with 150 people" in shards
    assert "prompt.window 384 is cut to the model's context, 256" in window


def test_a_run_has_as_many_clients_as_the_column_or_the_homes_name(
    tmp_path: Path, small: Settings, ratings: Path
) -> None:
    header, *lines = ratings.read_text("utf-8").splitlines()
    held = [f"{line},{('north', 'south')[int(line[1:3]) % 2]}" for line in lines]
    (tmp_path / "ratings.csv").write_text("\n".join([f"{header},client", *held]) + "\n", "utf-8")
    named = small(data__path=str(tmp_path / "ratings.csv"), clients__by="column", clients__count=5)
    run = prepare(load(overrides=named), tmp_path / "run")
    homes = small(data__path=str(run.homes_folder), data__format="homes")
    again = prepare(load(overrides=homes), tmp_path / "again")
    for each in (run, again):
        client = each.client("north")
        client.keep(each.facts)
        assert each.clients == ("north", "south")
        assert each.config.clients.count == Client(client).averaged == 2
