"""What a client adds to the interval of an AUC: only what its policy allows, and once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clients.client import Client
from clients.spread import spread
from fedrec.errors import FedrecError
from fedrec.privacy.disclosure import Histogram
from tests.conftest import Copy


def test_it_is_told_against_one_set_of_counts_which_has_its_own_among_them(finished: Copy, tmp_path: Path) -> None:
    run = finished(tmp_path / "run")
    client, number = Client(run.client("client-1")), run.config.federation.rounds
    many = np.full(4096, 1000)
    everybody = Histogram(many, many)
    first = spread(client, number, everybody)
    assert first > 0 and spread(client, number, everybody) == first  # a server that was killed asks again
    with pytest.raises(FedrecError, match="told of the same scores before, against other counts"):
        spread(client, number, replace(everybody, liked=many + 1))
    with pytest.raises(FedrecError, match="has not measured the model of round 9"):
        spread(client, 9, everybody)
    with pytest.raises(ValueError, match="have not these among them"):
        spread(client, number, Histogram(0 * many, many))
    allowed = run.homes["client-1"].folder / "client.toml"
    allowed.write_text(allowed.read_text().replace('scores = "scores"', 'scores = "metrics"'))
    with pytest.raises(FedrecError, match=r"its client\.toml allows no more"):
        spread(Client(type(run)(run.folder).client("client-1")), number, everybody)
