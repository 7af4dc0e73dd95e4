"""`fedrec recommend`: ranked titles for one user."""

from __future__ import annotations

from typing import Annotated

import typer

from fedrec.options import Json, Run, RunFolder, one_run


def recommend(
    user: Annotated[str, typer.Option(help="User id, as in the data set.")],
    folder: RunFolder = None,
    run: Run = None,
    top: Annotated[int, typer.Option(help="How many items.", min=1)] = 10,
    json: Json = None,
) -> None:
    """The best unseen items for one user, with scores."""
    from rich.markup import escape
    from rich.table import Table

    from fedrec.api import open_run
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.console.terminal import terminal
    from fedrec.reporting.formatting import apart, clean
    from server.run import find_run_or_model
    from unlearning.central.model_folder import is_model

    with working("ranking the titles"):
        if is_model(path := find_run_or_model(one_run(folder, run))):
            from unlearning.central.model_folder import ModelFolder
            from unlearning.central.recommend import recommend as of_model

            client, found = of_model(ModelFolder(path), user, top)
        else:
            client, found = open_run(path).recommend_at(user, top)
    shown = [vars(item) for item in found]
    read = {"candidates": found.candidates, "read_in_full": found.read_in_full}
    write_result({"run": path.name, "user": user, "client": client, **read, "items": shown}, json)
    if json == "-":
        return
    table = Table(title=f"for user {escape(clean(user))} of {escape(client)}", title_justify="left")
    for name, justify in (("", "right"), ("item", "left"), ("title", "left"), ("score", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    scores = apart([item.score for item in found])
    for place, (item, score) in enumerate(zip(found, scores, strict=True), 1):
        table.add_row(str(place), escape(clean(item.item)), escape(clean(item.title, 200)), score)
    terminal().print(table)
    if found.read_in_full < found.candidates:
        of = f"{found.read_in_full:,} of {found.candidates:,}"
        terminal().print(f"{of} titles were read in full, the likeliest by their own tokens")
