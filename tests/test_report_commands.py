"""`fedrec report` and `fedrec evaluate` on run folders."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fedrec.errors import FedrecError
from fedrec.report_commands import app
from tests.results import make_result


@pytest.fixture
def run(tmp_path):
    def make(name, **changes):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "result.json").write_text(json.dumps(make_result(clients=2, rounds=1, run=name, **changes)))
        return folder

    return make


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_report_writes_the_page_and_names_it(run):
    folder = run("one")
    done = call("report", folder)
    assert done.exit_code == 0 and done.stdout.strip() == str(folder / "report.html")
    assert "one" in (folder / "report.html").read_text("utf-8")


def test_further_runs_stand_beside_the_first(run):
    one, two, three = run("one"), run("two", strategy="fedavg"), run("three", strategy="fedavg", seed=3)
    call("report", one, two, three)
    page = (one / "report.html").read_text("utf-8")
    assert "fedavg (two)" in page and "fedavg (three)" in page
    assert not (two / "report.html").exists()


def test_evaluate_prints_the_table_or_json(run, tmp_path):
    folder = run("one")
    assert "all rows" in call("evaluate", folder).stdout
    assert json.loads(call("evaluate", folder, "--json", "-").stdout)["run"] == "one"
    assert "all rows" in call("evaluate", folder, "--json", tmp_path / "out.json").stdout
    assert json.loads((tmp_path / "out.json").read_text("utf-8"))["run"] == "one"


@pytest.mark.parametrize("command", ["report", "evaluate"])
def test_an_unfinished_run_says_how_to_finish_it(run, command):
    folder = run("one")
    (folder / "result.json").unlink()
    with pytest.raises(FedrecError, match="simulate --resume"):
        call(command, folder)


def test_the_commands_import_nothing_heavy():
    code = "import fedrec.report_commands, sys; print({'torch', 'matplotlib', 'jinja2', 'numpy'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
