"""The command line as a new user meets it: its mistakes, its results, its end by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedrec import cli
from tests.cli import FEDREC, as_sets, as_toml, ended, hash_of, start, until
from tests.cli import run as run_process
from tests.conftest import Settings

Called = tuple[int, str, str]
Call = Callable[..., Called]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Call]:
    """Calls `fedrec` in this process, in a folder of its own; gives exit code, standard output, standard error."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def called(*arguments: object) -> Called:
        monkeypatch.setattr(sys, "argv", ["fedrec", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    yield called
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> Path:
    """A finished run with two baselines, made from another folder than the tests', with paths relative to it."""
    folder = tmp_path_factory.mktemp("finished")
    settings = small(federation__rounds=1)
    (folder / "mine.csv").write_bytes(Path(settings.pop("data.path")).read_bytes())
    arguments = ["--data", "mine.csv", "--out", "run", "--strategy", "pplr, fedavg,central", "--json", "-"]
    code, out, err = run_process("simulate", *arguments, *as_sets(settings), cwd=folder)
    assert code == 0, err
    assert json.loads(out)["adapter_hash"] == hash_of(folder / "run")
    assert "central in run/baselines/central" in err
    return folder / "run"


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys; from fedrec.cli import cli; cli(['--help'], standalone_mode=False);"
        "cli(['simulate', '--help'], standalone_mode=False);"
        "print({'torch', 'pandas', 'flwr', 'transformers', 'numpy'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
    assert all(name in done.stdout for name in cli.COMMANDS)


def test_every_command_has_help(call: Call) -> None:
    for name in cli.COMMANDS:
        code, out, err = call(name, "--help")
        assert (code, err) == (0, "")
        assert f"fedrec {name}" in out


MISTAKES: dict[str, tuple[int, list[str], str]] = {
    "no such command": (2, ["simulat"], "No such command 'simulat' (did you mean simulate?); see `fedrec --help`"),
    "no such option": (2, ["simulate", "--round", "3"], "--round"),
    "no such strategy": (2, ["simulate", "--strategy", "fedsgd"], '"fedsgd"'),
    "no such second strategy": (2, ["simulate", "--strategy", "pplr,foo"], '"foo"'),
    "a strategy twice": (2, ["simulate", "--strategy", "pplr,local,pplr"], "strategy pplr is named twice"),
    "an empty strategy": (2, ["simulate", "--strategy", "pplr,"], 'baselines.0 = ""'),
    "no number of rounds": (2, ["simulate", "--rounds", "x"], "'x' is not a valid integer; see `fedrec simulate"),
    "rounds below zero": (2, ["simulate", "--rounds", "-1"], "federation.rounds = -1"),
    "workers below zero": (2, ["simulate", "--workers", "-1"], "--workers -1: write a number of processes, 0 for"),
    "no such setting": (2, ["simulate", "--set", "train.learning_rate=1"], "train.learning_rate is not a setting"),
    "a setting spelled wrong": (2, ["simulate", "--set", "train.rl=1"], "not a setting (did you mean train.lr?)"),
    "two runs for one": (2, ["evaluate", "one", "--run", "two"], "one and --run two: give one of the two"),
    "no setting at all": (2, ["simulate", "--set", "train.lr"], "write it as section.key=value"),
    "no such data": (1, ["simulate", "--data", "nowhere.csv"], "nowhere.csv"),
    "empty data": (1, ["simulate", "--data", "empty.csv"], "empty.csv"),
    "no such base": (1, ["simulate", "--base", "./nowhere"], "--base ./nowhere: no such folder"),
    "more clients than users": (2, ["simulate", "--clients", "200"], "clients.count = 200"),
    "no such configuration": (2, ["simulate", "--config", "nowhere.toml"], "nowhere.toml: no such file"),
    "a configuration that is no TOML": (2, ["simulate", "--config", "bad.toml"], "bad.toml"),
    "nothing to resume": (2, ["simulate", "--resume", "nowhere"], "nowhere: no run there"),
    "resumed otherwise": (2, ["simulate", "--resume", "nowhere", "--rounds", "9"], "give it no other settings"),
    "an unwritable place": (2, ["simulate", "--out", "empty.csv/run"], "--out empty.csv/run"),
    "a place for JSON that is none": (
        2,
        ["simulate", "--json", "empty.csv/x"],
        "--json empty.csv/x: cannot be written",
    ),
    "a place with other things": (2, ["simulate", "--out", "full"], "full is not empty"),
    "replacing what is no run": (2, ["simulate", "--out", "model", "--replace"], "model does not hold a run"),
    "an option without its value": (2, ["evaluate", "--run"], "requires an argument; see `fedrec evaluate --help`"),
    "one further inside": (2, ["forget", "submit", "--run"], "an argument; see `fedrec forget submit --help`"),
    "no runs to report": (2, ["report"], "no run under runs/"),
    "no runs to evaluate": (2, ["evaluate"], "no run under runs/"),
    "no such run": (2, ["evaluate", "nowhere"], "nowhere: no run there"),
    "no user": (2, ["recommend"], "Missing option '--user'; see `fedrec recommend --help`"),
    "no runs to recommend from": (2, ["recommend", "--user", "u1"], "no run under runs/"),
    "no such data to inspect": (1, ["data", "inspect", "nowhere.csv"], "nowhere.csv"),
    "no base to look at": (1, ["base", "info", "./nowhere"], "./nowhere"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line_and_leaves_nothing_behind(mistake: str, call: Call, small: Settings) -> None:
    code, arguments, told = MISTAKES[mistake]
    as_toml(small(), Path("good.toml"))
    Path("bad.toml").write_text("strategy = pplr")
    Path("empty.csv").touch()
    for name, content in (("full/thing", ""), ("model/config.json", '{"model_type": "llama"}')):
        Path(name).parent.mkdir()
        Path(name).write_text(content)
    before = set(Path().rglob("*"))
    if arguments[0] == "simulate" and not {"--resume", "--config"} & set(arguments):
        arguments = [*arguments, "--config", "good.toml"]
    found, out, err = call(*arguments)
    assert (found, out) == (code, "")
    assert err.startswith("fedrec: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert told in err
    assert set(Path().rglob("*")) - before <= {Path("runs")}


def test_bad_rows_are_skipped_where_one_says_so(call: Call, small: Settings, ratings: Path) -> None:
    Path("bad.csv").write_text(ratings.read_text() + "u00,i0,many,9,red storm (1987)\n")
    config = as_toml(small(federation__rounds=0, data__path="bad.csv"), Path("run.toml"))
    code, _, err = call("simulate", "--config", config, "--out", "run")
    assert code == 1
    assert err.endswith("mend it, or pass --skip-bad-rows\n")
    assert call("simulate", "--config", config, "--out", "run", "--skip-bad-rows")[0] == 0


def test_a_place_that_holds_a_run_is_kept_unless_replaced(call: Call, small: Settings) -> None:
    config = as_toml(small(federation__rounds=0), Path("run.toml"))
    assert call("simulate", "--config", config, "--out", "run")[0] == 0
    (Path("run") / "mark").touch()
    code, _, err = call("simulate", "--config", config, "--out", "run")
    assert code == 2
    assert "--resume run" in err and "--replace" in err
    assert (Path("run") / "mark").exists()
    assert call("simulate", "--config", config, "--out", "run", "--replace")[0] == 0
    assert not (Path("run") / "mark").exists()


def test_the_result_has_what_it_must_have(finished: Path) -> None:
    result = json.loads((finished / "result.json").read_text())
    assert {
        "run", "strategy", "rounds", "shards", "clients", "overall", "trivial", "best_possible_auc", "bytes_up",
        "bytes_down", "seconds", "adapter_hash",
    } <= result.keys()  # fmt: skip
    assert {"auc", "mean_auc", "worst_auc", "std_auc", "uauc", "logloss"} <= result["overall"].keys()
    assert all({"id", "examples", "auc", "uauc", "logloss"} <= client.keys() for client in result["clients"])
    assert [baseline["strategy"] for baseline in result["baselines"]] == ["central", "fedavg"]
    assert len({tuple(sorted(baseline["trivial"].items())) for baseline in [result, *result["baselines"]]}) == 1


def test_recommend_from_anywhere(finished: Path, call: Call) -> None:
    code, out, err = call("recommend", finished, "--user", "u07", "--top", 3, "--json", "-")
    answer = json.loads(out)
    assert (code, err, answer["run"], answer["user"], len(answer["items"])) == (0, "", "run", "u07", 3)
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    seen = {
        row.split(",")[1] for row in (finished.parent / "mine.csv").read_text().splitlines() if row.startswith("u07,")
    }
    assert not seen & {item["item"] for item in answer["items"]}
    code, out, _ = call("recommend", finished, "--user", "u07", "--top", 3)
    assert code == 0
    assert all(item["title"] in out for item in answer["items"])
    assert call("recommend", "--run", finished, "--user", "u07", "--top", 3)[:2] == (code, out)
    code, out, err = call("recommend", finished, "--user", "u99")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--user u99: no such user" in err and err.endswith("lists some\n")


def test_inspect_evaluate_and_report_of_a_run(finished: Path, call: Call, tmp_path: Path) -> None:
    code, out, err = call("data", "inspect", "--homes", finished / "clients", "--users", 3, "--json", "-")
    users = json.loads(out)["users_listed"]
    assert (code, err, len(users)) == (0, "", 3)
    assert {user["client"] for user in users} <= {"client-0", "client-1", "client-2"}
    code, out, err = call("evaluate", finished, "--json", "-")
    assert (code, err, json.loads(out)) == (0, "", json.loads((finished / "result.json").read_text()))
    code, out, _ = call("evaluate", finished)
    assert code == 0
    assert all(name in out for name in ("client-2", "pplr", "fedavg", "central", "title's like-rate"))
    tables = [line for line in out.splitlines() if not line.startswith("warning: ")]  # whole, however long
    assert max(map(len, tables)) <= 80
    assert call("report", finished) == (0, f"{finished / 'report.html'}\n", "")


@pytest.mark.parametrize("content", ["{", "[]", '{"run": "x"}'])
def test_a_broken_result_is_one_clear_line_and_resume_mends_it(content: str, finished: Path, call: Call) -> None:
    whole = (finished / "result.json").read_text()
    (finished / "result.json").write_text(content)
    for command in ("evaluate", "report"):
        code, out, err = call(command, finished)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"fedrec simulate --resume {finished}" in err
    assert call("simulate", "--resume", finished)[0] == 0
    assert (finished / "result.json").read_text() == whole


@pytest.mark.slow
def test_ctrl_c_names_the_run_and_resume_finishes_it(tmp_path: Path, small: Settings, call: Call) -> None:
    settings = small(train__epochs=6, train__batch=1, federation__rounds=1)
    assert call("simulate", "--out", "whole", *as_sets(settings))[0] == 0
    process = start("simulate", "--out", "run", "--strategy", "pplr,local", *as_sets(settings), cwd=tmp_path)
    until((tmp_path / "run" / "rounds" / "0000").exists, process)
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert code == 130
    assert err == "fedrec: stopped; continue with `fedrec simulate --resume run`\n"
    assert not (tmp_path / "run" / "rounds" / "0001").exists()
    assert call("simulate", "--resume", "run")[0] == 0
    assert hash_of(tmp_path / "run") == hash_of(tmp_path / "whole")
    assert [run["strategy"] for run in json.loads(Path("run/result.json").read_text())["baselines"]] == ["local"]


def test_a_shell_completes_commands_and_options(call: Call) -> None:
    code, script, _ = call("completion", "bash")
    assert code == 0 and "complete -o nosort -F _fedrec_completion fedrec" in script
    for words, wanted in (("fedrec simu", "plain,simulate"), ("fedrec simulate --stra", "plain,--strategy")):
        asked = {"_FEDREC_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run([*FEDREC], env=os.environ | asked, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == [wanted]


def test_the_package_runs_as_the_command_does() -> None:
    done = subprocess.run([sys.executable, "-m", "fedrec", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("fedrec, version ")


def test_a_hint_keeps_the_run_that_was_named(finished: Path, call: Call) -> None:
    code, _, err = call("forget", "show", "nothing-such", "--run", finished)
    assert code == 2 and f"`fedrec forget list --run {finished}`" in err


def test_who_is_not_there_is_told_before_a_model_is_loaded(finished: Path) -> None:
    opens = "import sys; from server.simulated_run import open_run; run = open_run(sys.argv[1])\n"
    asks = "try: run.recommend('u99', 3)\nexcept Exception as error: print('torch' in sys.modules, error)"
    told = subprocess.run([sys.executable, "-c", opens + asks, str(finished)], capture_output=True, text=True)
    assert told.stdout.startswith("False --user u99: no such user"), told.stderr
