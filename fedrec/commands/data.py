"""`fedrec data`: look at a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedrec.errors import UsageError
from fedrec.options import Data, Format, Items, Json, LikeAbove, Set, SkipBadRows, given, one_of

if TYPE_CHECKING:
    from fedrec.data.dataset import Dataset
    from fedrec.data.summary import Summary, UserSummary

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What is in a data set.")


@app.callback()
def data() -> None:
    """What is in a data set."""


@app.command()
def inspect(
    path: Annotated[
        str | None, typer.Argument(help="File or folder, as --data has it; left out = the generated world.")
    ] = None,
    data: Data = None,
    homes: Annotated[
        Path | None, typer.Option(help="A folder of clients' homes, RUN/clients: the rows that they hold now.")
    ] = None,
    users: Annotated[int, typer.Option(min=0, help="List this many users.")] = 0,
    form: Format = None,
    items: Items = None,
    like_above: LikeAbove = None,
    skip_bad_rows: SkipBadRows = False,
    sets: Set = None,
    out: Json = None,
) -> None:
    """Counts, like-rates, history lengths and the AUC to beat, of the data at PATH, or of the generated world."""
    from dataclasses import asdict

    from fedrec.config import load
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.data.load import load_dataset
    from fedrec.data.summary import summarise, summarise_users

    data = one_of(path, data, "--data")
    overrides = given(inspect, locals())
    if homes is not None and (overrides or sets):
        raise UsageError("--homes reads what clients hold: leave out PATH, --data, --set and the options of reading")
    config = load(None, overrides, tuple(sets or ()))
    client_of: dict[str, str] = {}
    with working(f"reading {homes or config.data.path or 'the generated world'}"):
        if homes is None:
            dataset = load_dataset(config.data, config.seed)
        else:
            dataset, client_of = _held(homes)
        summary = summarise(dataset)
    listed = summarise_users(dataset.interactions, users, client_of)
    write_result(asdict(summary) | {"users_listed": [asdict(user) for user in listed]}, out)
    if out != "-":
        _print(summary, listed)


def _held(homes: Path) -> tuple[Dataset, dict[str, str]]:
    """What the clients hold now whose homes are in a folder, and user id → its clients; nobody who was erased."""
    from fedrec.data.dataset import Dataset
    from fedrec.data.readers.repeated import repeated_rows
    from fedrec.data.union import pooled, united
    from fedrec.vault.vault import Vault

    vaults = {path.parent.name: Vault(path) for path in sorted(homes.glob("*/vault.db"))}
    if not vaults:
        raise UsageError(f"--homes {homes}: no client's home is in it; a run has them in RUN/clients")
    catalogue = united([vault.catalogue() for vault in vaults.values()])
    clients: dict[str, list[str]] = {}
    for name, vault in vaults.items():
        for user, _ in vault.users():
            clients.setdefault(user, []).append(name)
    rows = pooled({name: vault.interactions(catalogue) for name, vault in vaults.items()})
    repeated = repeated_rows(rows)
    warnings = (repeated,) if repeated else ()
    dataset = Dataset(homes.name, rows, catalogue, notes=(f"as the clients in {homes} hold it now",), warnings=warnings)
    return dataset, {user: ", ".join(names) for user, names in clients.items()}


def _print(summary: Summary, users: list[UserSummary]) -> None:
    from rich.markup import escape

    from fedrec.console.terminal import terminal
    from fedrec.data.trivial import SCORERS
    from fedrec.reporting.formatting import clean, number
    from fedrec.reporting.terminal_table import table_of
    from fedrec.text import amount

    console = terminal()
    sizes = (amount(summary.rows, "row"), amount(summary.users, "user"), amount(summary.items, "item"))
    console.print(f"[bold]{escape(summary.name)}[/bold]: {', '.join(sizes)}, {summary.like_rate:.1%} liked")
    for warning in summary.warnings:
        console.print(f"  [yellow]warning:[/yellow] {escape(warning)}", highlight=False, soft_wrap=True)
    for note in summary.notes:
        console.print(f"  {escape(note)}", highlight=False, soft_wrap=True)
    if summary.titles_repeated:
        console.print(f"  {summary.titles_repeated} items share their title with another: items are told apart by id")
    if summary.unrated:
        console.print(
            f"  {amount(summary.unrated, 'item has', 'items have')} no rows: what is known of such is the title"
        )

    splits = table_of("\nSplits", "split", ("rows", "users", "items", "liked"))
    for name, part in summary.splits.items():
        splits.add_row(name, f"{part.rows:,}", f"{part.users:,}", f"{part.items:,}", f"{part.like_rate:.1%}")
    console.print(splits)

    lengths = table_of("\nLengths", "", ("least", "25 %", "median", "75 %", "most"))
    lengths.add_row("rows of a user", *(f"{value:,.0f}" for value in summary.rows_per_user))
    lengths.add_row("history of a test row", *(f"{value:,.0f}" for value in summary.history))
    console.print(lengths)

    scorers = table_of("\nAUC to beat", "scorer", tuple(summary.trivial))
    for name in SCORERS:
        scorers.add_row(name, *(number(auc[name], 3) for auc in summary.trivial.values()))
    if summary.best_possible_auc is not None:
        scorers.add_row("best possible", "", number(summary.best_possible_auc, 3))
    console.print(scorers)

    if users:
        listed = table_of("\nUsers", "user", ("client", "rows", "train", "valid", "test", "likes"))
        for user in users:
            counts = (user.rows, user.train, user.valid, user.test, user.likes)
            listed.add_row(escape(clean(user.user)), user.client or "-", *(f"{count:,}" for count in counts))
        console.print(listed)
