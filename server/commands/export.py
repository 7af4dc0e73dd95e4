"""`fedrec export`: a client's adapter with base and tokenizer, for whoever has PEFT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedrec.options import Json, Run, RunFolder, one_run


def export(
    client: Annotated[str, typer.Option(help="Whose adapter.")],
    to: Annotated[Path, typer.Option(help="A new folder for adapter, base model and tokenizer.")],
    folder: RunFolder = None,
    run: Run = None,
    shard: Annotated[int | None, typer.Option(help="Which shard's, where several are served.", min=0)] = None,
    json: Json = None,
) -> None:
    """What a client serves, in one folder that `AutoPeftModelForCausalLM.from_pretrained` loads."""
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.console.terminal import terminal
    from server.simulated_run import open_run

    opened = open_run(one_run(folder, run))
    with working(f"writing {to}"):
        from server.freshness import check_current

        check_current(opened)
        written = opened.export(client, to, shard)
    write_result(written, json)
    if json != "-":
        terminal().print(f"adapter, base model and tokenizer of {client} are in {to}", markup=False, soft_wrap=True)
