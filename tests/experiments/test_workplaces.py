"""An experiment that would change a run's folder is refused in one line where another process has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import at_size, client_workers, common, forget_kills, forgetting, kill_and_resume, movielens
from experiments import sequential_forgetting as sequential
from fedrec.errors import FedrecError
from fedrec.lock import only_writer

Main = Callable[[Path], object]
HOLDS: dict[str, tuple[Main, str]] = {
    "movielens": (lambda folder: movielens.run_one(folder, {}, ()), ""),
    "at_size": (lambda folder: at_size.main(folder=folder), ""),
    "client_workers": (lambda folder: client_workers.main(folder=folder), ""),
    "forgetting": (lambda folder: forgetting.main(folder=folder), "1"),
    "sequential_forgetting": (lambda folder: sequential.main(folder=folder), ""),
    "a run in it": (lambda folder: sequential.main(folder=folder), "run"),
    "kill_and_resume": (lambda folder: kill_and_resume.main(folder=folder), ""),
    "forget_kills": (lambda folder: forget_kills.main(folder=folder), ""),
}


@pytest.mark.parametrize("name", HOLDS)
def test_a_folder_in_use_is_left_alone(name: str, tmp_path: Path) -> None:
    main, inside = HOLDS[name]
    folder = tmp_path / inside
    with only_writer(folder):
        (folder / "kept").touch()
        with pytest.raises(FedrecError, match="is being changed by"):
            main(tmp_path)
        assert (folder / "kept").exists()


def test_what_is_refused_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def main() -> None:
        """Be refused."""
        raise FedrecError("somebody has it")

    monkeypatch.setattr("sys.argv", ["experiments/toy.py"])
    with pytest.raises(SystemExit) as end:
        common.run_command(main)
    assert end.value.code == 1
    assert capsys.readouterr().err == "somebody has it\n"


def test_a_place_anew_is_empty_and_a_temporary_one_goes(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    with common.workplace(tmp_path) as place:
        assert (place / "old").exists()
    with common.workplace(tmp_path, anew=True) as place:
        assert not (place / "old").exists()
    with common.workplace(None) as place:
        assert place.is_dir()
    assert not place.exists()
