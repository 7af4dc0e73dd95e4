"""Every command that a message about a run suggests is right as it stands: it names that run, as a shell takes it."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fedrec import cli
from fedrec.errors import FedrecError, UsageError, command
from server.simulated_run import SimulatedRun, open_run
from tests.cli import ROOT
from tests.server.test_federated_executor import Copy, asked, execution, of
from unlearning.workflow.workflow import Workflow

OF_NO_RUN = re.compile(
    r"`fedrec (?:settings`|simulate`|unlearn train`|client init`|vault (?:backup|import)`"
    r"|forget --passphrase-file FILE …`|deploy (?:keys|client|server)\b[^`]*`|[^`]* --run RUN`)"
)


def call(*words: object) -> Result:
    return CliRunner().invoke(cli.cli, [*map(str, words)])


def told(result: Result) -> str:
    """All that a command said, its one line of failure too."""
    return f"{result.output}{result.stderr}{result.exception or ''}".replace("\n", " ")


def show_nobody(run: SimulatedRun) -> Result:
    return call("forget", "show", "nothing-such", "--run", run.folder)


def sign_as_nobody(run: SimulatedRun) -> Result:
    return call("forget", "run", "--by", "nobody", "--run", run.folder)


def approve_without_approvers(run: SimulatedRun) -> Result:
    (id_,) = asked(run, *of("u07"))
    for name in Workflow(run).operators.names():
        Workflow(run).operators.revoke(name)
    return call("forget", "approve", id_, "--run", run.folder)


def look_at_a_cut_log(run: SimulatedRun) -> Result:
    asked(run, *of("u07"))
    log = Workflow(run).audit.path
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
    return call("forget", "status", "--run", run.folder)


def carry_out_a_cut_log(run: SimulatedRun) -> Result:
    look_at_a_cut_log(run)
    return call("forget", "run", "--run", run.folder)


def recommend_to_nobody(run: SimulatedRun) -> Result:
    return call("recommend", "--user", "nobody", "--run", run.folder)


def show_no_result(run: SimulatedRun) -> Result:
    (run.folder / "result.json").unlink()
    return call("evaluate", "--run", run.folder)


def answer_from_an_old_copy(run: SimulatedRun) -> Result:
    (home,) = run.clients_of()["u07"]
    folder = run.homes[home].folder
    shutil.copytree(folder, run.folder.parent / "old")
    asked(run, *of("u07"))
    execution(run).run()
    shutil.rmtree(folder)
    shutil.copytree(run.folder.parent / "old", folder)
    return call("recommend", "--user", "u11", "--run", run.folder)


def export_nothing(run: SimulatedRun) -> Result:
    for name in run.clients:
        run.homes[name].allow(run.client(name).id, ())
    return call("export", "--client", run.clients[0], "--to", run.folder.parent / "out", "--run", run.folder)


PROVOKED: tuple[Callable[[SimulatedRun], Result], ...] = (
    show_nobody, sign_as_nobody, approve_without_approvers, look_at_a_cut_log, carry_out_a_cut_log,
    recommend_to_nobody, show_no_result, answer_from_an_old_copy, export_nothing,
)  # fmt: skip


@pytest.mark.parametrize("provoke", PROVOKED)
def test_a_suggested_command_names_the_run_and_works(
    provoke: Callable[[SimulatedRun], Result], tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Anna's runs" / "the first"
    folder.parent.mkdir()
    said = told(provoke(finished(folder)))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # there is no newest run here
    suggested = re.findall(r"`(fedrec [^`]*)`", said)
    assert suggested, said
    for each in suggested:
        words = ["nina" if word == "NAME" else word for word in shlex.split(each)]
        assert any(word == str(folder) or word.startswith(f"{folder}/") for word in words)
        done = call(*words[1:])
        assert not isinstance(done.exception, UsageError | SystemExit) or not done.exit_code, (each, told(done))
        assert done.exception is None or isinstance(done.exception, FedrecError | SystemExit), each
    assert open_run(folder)


def test_what_is_suggested_is_as_a_shell_takes_it() -> None:
    assert command("forget run --run", Path("a b/it's")) == "`fedrec forget run --run 'a b/it'\"'\"'s'`"


def test_no_message_suggests_a_command_without_naming_its_run() -> None:
    found = []
    for path in sorted(
        path for top in ("fedrec", "server", "unlearning", "clients") for path in (ROOT / top).rglob("*.py")
    ):
        tree = ast.parse(path.read_text("utf-8"))
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
                left = OF_NO_RUN.sub("", node.value)
                if "`fedrec " in left and path.name != "errors.py":
                    found.append(f"{path.relative_to(ROOT)}, line {node.lineno}: {left}")
    assert found == []
