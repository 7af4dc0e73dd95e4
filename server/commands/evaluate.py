"""`fedrec evaluate`: show again what a finished run measured."""

from __future__ import annotations

from fedrec.options import Json, Run, RunFolder, one_run


def evaluate(
    folder: RunFolder = None,
    run: Run = None,
    json: Json = None,
) -> None:
    """Print the metrics per client and overall, of a run."""
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working

    with working(f"reading {one_run(folder, run) or 'the newest run'}"):
        from server.freshness import check_shown
        from server.run import Run as Opened
        from server.run import find_run_or_model
        from unlearning.central.model_folder import is_model

        if is_model(path := find_run_or_model(one_run(folder, run))):
            from unlearning.central.freshness import check_current
            from unlearning.central.model_folder import ModelFolder

            check_current(model := ModelFolder(path))
            result = model.result
        else:
            check_shown(opened := Opened(path))
            result = opened.result
    write_result(result, json)
    if json != "-":
        from fedrec.console.terminal import terminal
        from fedrec.reporting.run_console import print_results

        print_results(terminal(), result)
