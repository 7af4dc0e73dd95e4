"""`fedrec base`: build the embedded base model, or look at any."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fedrec.options import Format, Items, Json, LikeAbove, Set, SkipBadRows, StandsFor, given

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The base model: build the embedded one, or look at any."
)


@app.command()
def build(
    data: Annotated[
        str | None,
        typer.Option(help="Data set whose public titles it learns. None: the generated world."),
        StandsFor("data.path"),
    ] = None,
    form: Format = None,
    items: Items = None,
    like_above: LikeAbove = None,
    skip_bad_rows: SkipBadRows = False,
    out: Annotated[Path | None, typer.Option(help="Copy it into this folder too.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Build it anew, even if it is cached.")] = False,
    set_: Set = None,
    json: Json = None,
) -> None:
    """Build the embedded small Llama for a catalogue; the cached one is taken where it is there."""
    import shutil

    from fedrec import config as configuration
    from fedrec.base_models.named import embedded_base
    from fedrec.data.load import load_dataset
    from fedrec.errors import UsageError

    if out is not None and out.exists():
        raise UsageError(f"--out {out}: is there already; name a new folder")
    overrides = given(build, locals())
    config = configuration.load(overrides=overrides, sets=tuple(set_ or ()))
    dataset = load_dataset(config.data, config.seed)
    folder = embedded_base(dataset.catalogue, config, force=force)
    if out is not None:
        shutil.copytree(folder, out)
    _show(str(out or folder), json)


@app.command()
def info(
    name: Annotated[
        str | None, typer.Argument(help="Hugging Face id or folder. None: the embedded one of the generated world.")
    ] = None,
    json: Json = None,
) -> None:
    """Size, context, vocabulary, layers that take adapters, tokens of the answers, of NAME: an id or a folder.

    It is tried on made-up rows, as a run does before it begins; exit 1 where it cannot do what a run asks of it.
    """
    from fedrec.data.generated import make_world
    from fedrec.data_settings import WorldConfig
    from fedrec.models.embedded import ensure_embedded

    if name is None:
        world = make_world(WorldConfig())
        name = str(ensure_embedded(world.private.catalogue, world))
    _show(name, json)


def _show(name: str, json: str | None) -> None:
    from rich.table import Table

    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.console.terminal import terminal

    with working(f"trying {name}"):
        facts = _facts(name)
    write_result(facts, json)
    if json == "-":
        return
    table = Table(show_header=False, title=name, title_justify="left")
    for key, value in facts.items():
        table.add_row(key.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    terminal().print(table, markup=False)


def _facts(name: str) -> dict[str, Any]:
    from fedrec.base_models.checks import check_base
    from fedrec.config import LoraConfig, PromptConfig
    from fedrec.data.prompts import template_of
    from fedrec.models.adapter import target_layers
    from fedrec.models.adapter_reach import ends
    from fedrec.models.base import load_base, width_of
    from fedrec.models.branching import continues
    from fedrec.models.targets import barred

    base = load_base(name)
    prompt = PromptConfig()
    check_base(base, prompt)
    template = template_of(base.tokenizer, prompt.instruction)
    wrong = barred(base.model, LoraConfig())
    layers = [layer for layer in target_layers(base.model, "all-linear") if layer not in wrong]
    return {
        "base": name,
        "architecture": type(base.model).__name__,
        "parameters": base.model.num_parameters(),
        "layers": base.model.config.get_text_config(decoder=True).num_hidden_layers,
        "width": width_of(base.model),
        "context": base.context,
        "vocabulary": len(base.tokenizer),
        "adapted_layers": len(layers),
        "targets": ends(layers, wrong),
        "keeps_a_history": continues(base.model),  # or recommending reads it again for every title
        "answers": dict(zip(("No", "Yes"), base.tokenizer.convert_ids_to_tokens(list(template.answers)), strict=True)),
    }
