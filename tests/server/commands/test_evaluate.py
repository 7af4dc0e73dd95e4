"""`fedrec evaluate` on run folders."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from fedrec.errors import FedrecError
from server.commands.evaluate import evaluate
from tests.reporting.results import write_run

app = typer.Typer()
app.command()(evaluate)


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_it_prints_the_table_or_json(tmp_path):
    folder = write_run(tmp_path / "one")
    assert "all rows" in call(folder).stdout
    assert json.loads(call(folder, "--json", "-").stdout)["run"] == "one"
    assert "all rows" in call(folder, "--json", tmp_path / "out.json").stdout
    assert json.loads((tmp_path / "out.json").read_text("utf-8"))["run"] == "one"


def test_an_unfinished_run_says_how_to_finish_it(tmp_path):
    folder = write_run(tmp_path / "one")
    (folder / "result.json").write_text("{}")
    with pytest.raises(FedrecError, match="not a run's result"):
        call(folder)
    (folder / "result.json").unlink()
    with pytest.raises(FedrecError, match="simulate --resume"):
        call(folder)


def test_the_command_imports_nothing_heavy():
    code = (
        "import server.commands.evaluate, sys; print({'torch', 'matplotlib', 'jinja2', 'numpy'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
