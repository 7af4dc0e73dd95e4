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
    from fedrec.api import open_run
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.console.terminal import terminal
    from fedrec.reporting.ranking_console import print_ranking, ranking_json
    from server.run import find_run_or_model
    from unlearning.central.model_folder import is_model

    with working("ranking the titles"):
        if is_model(path := find_run_or_model(one_run(folder, run))):
            from unlearning.central.model_folder import ModelFolder
            from unlearning.central.recommend import recommend as of_model

            client, found = of_model(ModelFolder(path), user, top)
        else:
            client, found = open_run(path).recommend_at(user, top)
    write_result(ranking_json(path.name, user, client, found), json)
    if json != "-":
        print_ranking(terminal(), user, client, found)
