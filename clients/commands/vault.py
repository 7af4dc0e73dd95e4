"""`fedrec vault`: a client's private data, on the client's own machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedrec.errors import UsageError
from fedrec.options import Data, Format, Items, Json, LikeAbove, Set, SkipBadRows, given
from fedrec.text import amount

if TYPE_CHECKING:
    from clients.home import Home
    from fedrec.vault.vault import Vault

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A client's private data: keep, erase, back up.")

_BY_HAND = "by-hand:"  # no request of a server is called so

HomeFolder = Annotated[Path, typer.Argument(metavar="HOME", help="The client's home, as `fedrec client init` made it.")]


@app.callback()
def _group() -> None:
    """A client's private data: keep, erase, back up."""


@app.command("import")
def import_(
    home: HomeFolder,
    data: Data = None,
    form: Format = None,
    items: Items = None,
    like_above: LikeAbove = None,
    skip_bad_rows: SkipBadRows = False,
    sets: Set = None,
    out: Json = None,
) -> None:
    """Take the rows of a data set into the home; what is there already or was erased before does not come again."""
    from dataclasses import asdict

    from fedrec.config import load
    from fedrec.console.json_output import warn
    from fedrec.data.ids import refuse_twins
    from fedrec.data.load import load_dataset
    from fedrec.vault.vault import Vault

    config = load(None, given(import_, locals()), tuple(sets or ()))
    dataset = load_dataset(config.data, config.seed)
    warn(dataset.warnings)
    opened = Vault.create(_home(home).vault_path)
    if config.data.ids == "careful":
        refuse_twins("user", dataset.interactions.user_ids, [user for user, _ in opened.users()], opened.path)
    done = opened.import_rows(dataset.interactions, dataset.catalogue)
    if dataset.listed:
        opened.add_titles(dataset.catalogue)
    told = f"{amount(done.added, 'row')} added, {done.repeated:,} there already, {done.refused:,} refused by tombstones"
    _tell(asdict(done), told, out)


@app.command("list")
def list_(home: HomeFolder, out: Json = None) -> None:
    """The users in the vault and how many rows each has."""
    users = _vault(home).users()
    lines = [f"{user}\t{rows}" for user, rows in users]
    _tell({"users": [{"user": user, "rows": rows} for user, rows in users]}, "\n".join(lines), out)


@app.command()
def erase(
    home: HomeFolder,
    user: Annotated[list[str] | None, typer.Option(help="Id of a user; repeat it for more.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="Id of an item; repeat it for more.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="From this day on (UTC), 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Up to this day (UTC), itself included.")] = None,
    request: Annotated[
        str | None, typer.Option(help="Id of this erasure by hand, which is done once only; left out = a new one.")
    ] = None,
    rows_only: Annotated[
        bool, typer.Option("--rows-only", help="Also where runs learned from this vault: their models keep it.")
    ] = False,
    out: Json = None,
) -> None:
    """Delete the rows that meet every condition, for good. What a run learned from them `fedrec forget` erases too."""
    import uuid

    from fedrec.data.ids import named
    from fedrec.data.selection import Selection
    from fedrec.options import DAY, first_second

    first = None if since is None else first_second("--from", since)
    last = None if until is None else first_second("--to", until) + DAY - 1
    if first is not None and last is not None and first > last:
        raise UsageError(f"--from {since} is after --to {until}: exchange them")
    selection = Selection(
        users=tuple(named("--user", each, ()) for each in user or ()),
        items=tuple(named("--item", each, ()) for each in item or ()),
        since=first,
        until=last,
    )
    if (learned := sorted({use.run for use in _vault(home).uses()})) and not rows_only:
        raise UsageError(
            f"{home}: run {', '.join(learned)} learned from these rows, and would keep that: `fedrec forget submit "
            "--user USER --run RUN` erases both; --rows-only erases the rows alone"
        )
    given = uuid.uuid4().hex if request is None else named("--request", request, ())
    request = _BY_HAND + given.removeprefix(_BY_HAND)
    done = _vault(home).erase(selection, request)
    result = {"request": request, "rows": done.rows, "tombstones": done.tombstones}
    _tell(
        result,
        f"request {request}: {amount(done.rows, 'row')} erased, {amount(len(done.tombstones), 'tombstone')} set",
        out,
    )


@app.command()
def status(home: HomeFolder, out: Json = None) -> None:
    """What is in the vault, its tombstones and how many rows each refused; no person is named."""
    from dataclasses import asdict

    opened = _vault(home)
    manifest, entries, uses = asdict(opened.manifest()), opened.tombstones(), opened.uses()
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in manifest.items()]
    lines += [
        f"tombstone {entry.id}: {entry.kind}, set {datetime.fromtimestamp(entry.made, UTC):%Y-%m-%d}"
        f" by request {entry.request}, refused {amount(entry.refused, 'row')}"
        for entry in entries
    ]
    tree = {"tombstone_list": [asdict(entry) for entry in entries], "uses": [asdict(use) for use in uses]}
    _tell(manifest | tree, "\n".join(lines), out)


@app.command()
def backup(
    home: HomeFolder, target: Annotated[Path, typer.Argument(help="The backup's file; replaced if there.")]
) -> None:
    """Copy everything but the key; keep the key elsewhere, or who has both can tell whom tombstones name."""
    from fedrec.console.visible import visible

    _vault(home).backup(target)
    typer.echo(visible(f"backup written to {target}"))


@app.command()
def restore(
    home: HomeFolder,
    source: Annotated[Path, typer.Argument(help="A file that `fedrec vault backup` wrote.")],
    out: Json = None,
) -> None:
    """Exchange the rows for those of a backup; what was erased since then does not come back."""
    from dataclasses import asdict

    from fedrec.vault.vault import Vault

    done = Vault.create(_home(home).vault_path).restore(source)
    _tell(asdict(done), f"{amount(done.rows, 'row')} restored, {done.refused:,} refused by tombstones", out)


@app.command("destroy-key")
def destroy_key(
    home: HomeFolder,
    yes: Annotated[bool, typer.Option("--yes", help="Really: it cannot be undone.")] = False,
) -> None:
    """Make it impossible for good to tell whom a tombstone names. The vault takes no rows afterwards."""
    if not yes:
        raise UsageError(
            "destroy-key cannot be undone, and the vault takes no rows afterwards: say --yes if you mean it"
        )
    _vault(home).destroy_key()
    typer.echo("the key is destroyed")


def _home(folder: Path) -> Home:
    """FedrecError where no home is there."""
    from clients.home import open_home

    return open_home(folder)


def _vault(folder: Path) -> Vault:
    return _home(folder).vault


def _tell(result: dict[str, Any], told: str, out: str | None) -> None:
    from fedrec.console.json_output import write_result
    from fedrec.console.visible import visible

    write_result(result, out)
    if out != "-":
        typer.echo(visible(told))
