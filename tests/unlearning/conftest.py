"""What the tests of unlearning share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Settings
from tests.unlearning.models import Maker


@pytest.fixture
def maker(tmp_path: Path, small: Settings) -> Maker:
    return Maker(tmp_path, small(train__epochs=1))
