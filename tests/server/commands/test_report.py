"""`fedrec report` on run folders."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from fedrec.errors import FedrecError
from server.commands.report import report
from tests.reporting.results import write_run

app = typer.Typer()
app.command()(report)


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_report_writes_the_page_and_names_it(tmp_path):
    folder = write_run(tmp_path / "one")
    done = call(folder)
    assert done.exit_code == 0 and done.stdout.strip() == str(folder / "report.html")
    assert "one" in (folder / "report.html").read_text("utf-8")
    assert not (folder / "erasure").exists()


def test_further_runs_stand_beside_the_first(tmp_path):
    one, two = write_run(tmp_path / "one"), write_run(tmp_path / "two", strategy="fedavg")
    three = write_run(tmp_path / "three", strategy="fedavg", seed=3)
    call(one, two, three)
    page = (one / "report.html").read_text("utf-8")
    assert "fedavg (two)" in page and "fedavg (three)" in page
    assert not (two / "report.html").exists()


def test_an_unfinished_run_says_how_to_finish_it(tmp_path):
    folder = write_run(tmp_path / "one")
    (folder / "result.json").unlink()
    with pytest.raises(FedrecError, match="simulate --resume"):
        call(folder)


def test_the_command_imports_nothing_heavy():
    code = (
        "import server.commands.report, sys;"
        "print({'torch', 'matplotlib', 'jinja2', 'numpy', 'sqlalchemy'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
