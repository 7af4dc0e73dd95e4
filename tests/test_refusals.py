"""What a machine refuses (a full disk, a terminal's letters, a home) is one line, and leaves nothing half done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fedrec.errors import UsageError
from fedrec.models import embedded
from tests.cli import as_toml, run
from tests.conftest import Settings


def one_line(err: str) -> str:
    """The last line on standard error, before which there is no traceback."""
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith("fedrec: ")
    return last


@pytest.mark.parametrize(
    ("limit", "told"),
    [(200, "--out run: cannot"), (6_000, "adapter_model.safetensors: File too large"), (30_000, "the disk refuses")],
)
def test_a_disk_too_full_to_prepare_a_run_leaves_none(limit: int, told: str, tmp_path: Path, small: Settings) -> None:
    config = as_toml(small(), tmp_path / "run.toml")
    code, _, err = run("simulate", "--config", config, "--out", "run", cwd=tmp_path, limit=limit)
    assert told in one_line(err)
    assert code in (1, 2)
    assert not list((tmp_path / "run").glob("*"))


def test_a_disk_that_fills_up_in_a_round_says_how_to_go_on(tmp_path: Path, small: Settings) -> None:
    """Round 0's models of three clients are one file of more than 150,000 bytes, which nothing before it is."""
    config = as_toml(small(lora__rank=16, federation__rounds=0), tmp_path / "run.toml")
    code, _, err = run("simulate", "--config", config, "--out", "run", cwd=tmp_path, limit=150_000)
    assert code == 1, err
    assert "models.safetensors: File too large; make room or mend it" in one_line(err)
    assert "continue with `fedrec simulate --resume run`" in one_line(err)
    assert run("simulate", "--resume", "run", cwd=tmp_path)[0] == 0
    assert (tmp_path / "run" / "report.html").exists()


def test_a_vault_on_a_full_disk_takes_the_rows_when_there_is_room(tmp_path: Path, ratings: Path) -> None:
    assert run("client", "init", "home", "--name", "ada", cwd=tmp_path)[0] == 0
    code, _, err = run("vault", "import", "home", "--data", ratings, cwd=tmp_path, limit=20_000)
    assert code == 1
    assert "make room on it, or mend it, and repeat the command" in one_line(err)
    code, out, _ = run("vault", "import", "home", "--data", ratings, "--json", "-", cwd=tmp_path)
    assert (code, json.loads(out)["added"]) == (0, 288)


ODD = "user,item,label,title\n" + "".join(f"Jürgen{i % 3},東{i},{i % 2},Café {i}\n" for i in range(30))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_without_the_letters_loses_no_result(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ODD, "utf-8")
    (tmp_path / "b.csv").write_text(ODD + "u,i,é,\n", "utf-8")
    call = lambda *arguments: run(*arguments, cwd=tmp_path, PYTHONIOENCODING=encoding)  # noqa: E731
    code, out, err = call("data", "inspect", "a.csv", "--users", 2)
    assert (code, err) == (0, "")
    assert ("Jürgen0" if encoding != "ascii" else r"J\xfcrgen0") in out
    code, out, err = call("data", "inspect", "a.csv", "--users", 1, "--json", "-")
    assert json.loads(out)["users_listed"][0]["user"] == "Jürgen0"
    code, out, err = call("data", "inspect", "b.csv")
    assert code == 1
    assert "line 32" in one_line(err)
    assert call("client", "init", "home", "--name", "ada")[0] == 0
    assert call("vault", "import", "home", "--data", "a.csv")[0] == 0
    code, out, err = call("vault", "list", "home")
    assert (code, err, len(out.splitlines())) == (0, "", 3)


@pytest.mark.parametrize("home", ["/dev/null", "/proc/1"], ids=["no folder", "read-only"])
def test_a_home_that_keeps_nothing_is_said_with_what_helps(home: str, tmp_path: Path, ratings: Path) -> None:
    arguments = ("simulate", "--data", ratings, "--rounds", 0, "--out", "run")
    code, _, err = run(*arguments, cwd=tmp_path, HOME=home, FEDREC_CACHE=None)
    assert code == 1
    assert one_line(err).startswith(f"fedrec: {home}/")
    assert "FEDREC_CACHE=FOLDER" in err and "--base" in err
    assert not (tmp_path / "run").exists()


def test_a_named_base_needs_no_home(tmp_path: Path, small: Settings) -> None:
    config = as_toml(small(federation__rounds=0), tmp_path / "run.toml")
    code, _, err = run(
        "simulate", "--config", config, "--out", "run", cwd=tmp_path, HOME="/dev/null", FEDREC_CACHE=None
    )
    assert code == 0, err


def test_nobody_without_a_home_is_told_to_name_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("FEDREC_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UsageError, match="set FEDREC_CACHE=FOLDER"):
        embedded.cache()
