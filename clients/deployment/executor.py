"""Answers the messages of a SuperNode, each in a process forked from this one, which has everything imported.

Flower starts a new interpreter for every message, and runs in it whatever code came with the run. Here nothing is
imported twice, and a run's code is never unpacked: what answers is this machine's own `clients.app`, so what the home's
policy refuses no server can undo.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flwr.supercore.superexec.run_superexec as superexec
import flwr.supernode.runtime.run_clientapp as clientapp
from flwr.clientapp import ClientApp
from flwr.supercore.constant import TaskType
from flwr.supercore.superexec.executor import ExecutionSpec, LaunchResult

from clients.app import app
from fedrec.file_owner import for_owner_only


class Forking:
    """A Flower `Executor` that forks instead of starting a command."""

    def get_eligible_capacity(self, supported_task_types: set[TaskType], **_: Any) -> tuple[set[TaskType], set[str]]:
        return supported_task_types & {TaskType.CLIENT_APP}, set()

    def wait_for_capacity(self, *_: Any, **__: Any) -> None: ...

    def launch(self, spec: ExecutionSpec) -> LaunchResult:
        parent = os.getpid()
        if os.fork() == 0:
            _answer(spec, parent)
        return LaunchResult.accepted()

    def reconcile(self) -> None:
        """Those that are done are gone."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    def close(self) -> None: ...


def _answer(spec: ExecutionSpec, parent: int) -> None:
    """In the forked process: one message, and the end."""
    code = 1
    try:
        clientapp.run_clientapp(
            runtime_api_address=spec.runtime_api_address, token=spec.token, insecure=spec.insecure, parent_pid=parent,
            runtime_dependency_install=False,
        )  # fmt: skip
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _own_app(**_: Any) -> Callable[..., ClientApp]:
    return lambda *_: app


def main(runtime: str, secret: Path) -> None:
    """Answer until whoever started this ends it.

    Args:
        runtime: HOST:PORT of the SuperNode's own API.
        secret: file of what only that SuperNode and this process know.
    """
    for_owner_only()
    import peft  # noqa: F401  what answering takes long to import
    import transformers  # noqa: F401

    import clients.client  # noqa: F401

    vars(clientapp).update(install_from_fab=lambda *_, **__: None, get_load_client_app_fn=_own_app)
    vars(superexec).update(get_executor=lambda *_, **__: Forking())
    superexec.run_superexec(
        runtime_api_address=runtime, insecure=True, superexec_auth_secret=secret.read_bytes(),
        runtime_dependency_install=False,
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
