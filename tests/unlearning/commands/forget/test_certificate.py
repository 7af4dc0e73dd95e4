"""`fedrec forget verify`, and README's sequence of commands as it is printed."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fedrec.errors import FedrecError, UnknownSigner
from server.commands.forget import app
from server.simulated_run import SimulatedRun
from tests.cli import ROOT
from tests.server.test_federated_executor import Copy, asked, execution, of
from unlearning.workflow.workflow import Workflow


@pytest.fixture(scope="module")
def done(finished: Copy, tmp_path_factory: pytest.TempPathFactory) -> SimulatedRun:
    """A run that forgot u07."""
    run = finished(tmp_path_factory.mktemp("done") / "run")
    asked(run, *of("u07"))
    execution(run).run()
    return run


def verify(run: SimulatedRun, *options: object) -> tuple[Result, dict[str, object]]:
    """`verify` of the run's one certificate with its evidence; the result, and what `--json` told."""
    (certificate,) = Workflow(run).certificates.glob("*.json")
    bundle = ("--bundle", Workflow(run).bundle(certificate.stem))
    arguments = [*map(str, ("verify", certificate, *bundle, *options)), "--json", "-"]
    result = CliRunner().invoke(app, arguments)
    return result, json.loads(result.stdout) if result.stdout else {}


def pem(run: SimulatedRun, path: Path, *others: str) -> Path:
    """A file with the public keys of others, and then of the operator."""
    path.write_text("".join([*others, Workflow(run).operators.export("operator")]))
    return path


def stranger(tmp_path: Path, finished: Copy) -> str:
    """The public key of an operator of another run."""
    workflow = Workflow(finished(tmp_path / "another"))
    workflow.enrol("stranger")
    return workflow.operators.export("stranger")


def test_one_key_that_did_everything_is_said_as_such(done: SimulatedRun, tmp_path: Path) -> None:
    result, told = verify(done, "--key", pem(done, tmp_path / "one.pem"))
    words = "one key asked, approved and signed"
    assert told["approval"] == "one-key" and words in result.stderr.replace("\n", " ")
    workflow = Workflow(done)
    (page,) = (workflow.folder / "documents").glob("*.html")
    assert words in page.read_text() and "four eyes" not in page.read_text()
    assert "four" not in "".join(path.read_text() for path in workflow.bundle(page.stem).iterdir())


def test_two_operators_are_four_eyes(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    workflow = Workflow(run)
    for name in ("anna", "ben"):
        workflow.enrol(name)
    (selection,) = of("u07")
    request = workflow.submit(selection, client=None, channel="test", ground="17(1)(b)", requester="ben")
    workflow.approve(request.id, "anna", "known-account")
    execution(run).run()
    keys = tmp_path / "all.pem"
    keys.write_text(workflow.operators.export("anna") + workflow.operators.export("ben"))
    _, told = verify(run, "--key", keys)
    assert (told["ok"], told["approval"], told["unchecked"]) == (True, "four-eyes", [])


def test_without_a_trusted_key_it_is_neither_ok_nor_a_failure(done: SimulatedRun) -> None:
    result, told = verify(done)
    assert isinstance(result.exception, UnknownSigner) and result.exception.exit_code == 3
    assert "\n" not in str(result.exception) and "--key" in str(result.exception)
    assert (told["ok"], told["signer"]) == (False, "unknown")
    assert all(check["ok"] for check in told["checks"])  # type: ignore[attr-defined]


def test_with_the_operators_key_it_is_ok_wherever_it_stands_in_the_file(
    done: SimulatedRun, tmp_path: Path, finished: Copy
) -> None:
    other = stranger(tmp_path, finished)
    for file in (pem(done, tmp_path / "one.pem"), pem(done, tmp_path / "two.pem", other)):
        result, told = verify(done, "--key", file)
        assert result.exit_code == 0, result.output
        assert (told["ok"], told["signer"]) == (True, "trusted")


def test_with_somebody_elses_key_it_fails(done: SimulatedRun, tmp_path: Path, finished: Copy) -> None:
    (tmp_path / "other.pem").write_text(stranger(tmp_path, finished))
    result, told = verify(done, "--key", tmp_path / "other.pem")
    assert isinstance(result.exception, FedrecError) and result.exception.exit_code == 1
    assert (told["ok"], told["signer"]) == (False, "untrusted")


def test_a_broken_second_key_is_not_passed_over(done: SimulatedRun, tmp_path: Path) -> None:
    file = pem(done, tmp_path / "two.pem")
    file.write_text(file.read_text() + "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n")
    result, _ = verify(done, "--key", file)
    assert isinstance(result.exception, FedrecError) and result.exception.exit_code == 2
    assert "block 2 of 2" in str(result.exception)


def readme_commands() -> list[str]:
    """The commands of README for data-protection officers, in the order in which they stand there."""
    section = (ROOT / "README.md").read_text("utf-8").split("## For data-protection officers")[1].split("\n## ")[0]
    lines = [line.strip() for line in section.splitlines() if line.startswith("    fedrec forget ")]
    return [re.sub(r"\s+#.*", "", line) for line in lines]


def test_the_sequence_of_the_readme_passes_as_printed(
    finished: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(tmp_path / "runs" / "newest")
    monkeypatch.chdir(tmp_path)
    commands = readme_commands()
    assert len(commands) > 8
    known = {"42": "u07"}
    for command in commands:
        line, _, target = command.partition(" > ")
        words = [known.get(word, word) for word in shlex.split(line)[2:]]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (command, result.output, result.exception)
        if target:
            Path(target).write_text(result.stdout)
        if "submit" in words:
            (known["ID"],) = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", result.output)
            workflow = tmp_path / "runs" / "newest" / "erasure"
            known |= {"CERTIFICATE": str(workflow / "certificates" / f"{known['ID']}.json")}
            known |= {"EVIDENCE": str(workflow / "bundles" / known["ID"])}
    assert "verify" in commands[-1] and "signer: key" in result.output


def demo_commands() -> list[str]:
    """What `make demo` does once it has trained a run, as a shell takes it."""
    lines = (ROOT / "Makefile").read_text("utf-8").split("demo: $(VENV)/ready")[1].split("\n\n")[0].splitlines()
    return [line.strip().replace("$(FEDREC_KEYS)", "runs/demo-keys") for line in lines if "fedrec forget" in line]


def globbed(word: str) -> list[str]:
    return sorted(map(str, Path().glob(word))) if "*" in word else [word]


def test_the_demo_asks_nothing_and_passes(finished: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(tmp_path / "runs" / "demo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FEDREC_PASSPHRASE")
    monkeypatch.setenv("FEDREC_KEYS", "runs/demo-keys")
    commands = demo_commands()
    assert len(commands) == 6
    for command in commands:
        line, _, target = command.replace("user-0042", "u07").partition(" > ")
        words = [
            path
            for word in shlex.split(line)[2:]
            for path in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
        ]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (command, result.output, result.exception)
        if target:
            Path(target).write_text(result.stdout)
    assert "one key asked, approved and signed" in result.output.replace("\n", " ")
