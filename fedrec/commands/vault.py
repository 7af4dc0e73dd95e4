"""`fedrec vault`: a client's private data, on the client's own machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from fedrec.errors import UsageError
from fedrec.options import Format, Items, Json, LikeAbove, Set, SkipBadRows, StandsFor, given

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A client's private data: keep, erase, back up.")

VaultPath = Annotated[Path, typer.Option("--vault", help="The vault's file; its key stands beside it.")]


@app.callback()
def _group() -> None:
    """A client's private data: keep, erase, back up."""


@app.command("import")
def import_(
    vault: VaultPath,
    source: Annotated[
        str | None, typer.Argument(help="File or folder; left out = the generated world."), StandsFor("data.path")
    ] = None,
    form: Format = None,
    items: Items = None,
    like_above: LikeAbove = None,
    skip_bad_rows: SkipBadRows = False,
    sets: Set = None,
    out: Json = None,
) -> None:
    """Take the rows of SOURCE into the vault, made if it is not there; what was erased does not come back."""
    from dataclasses import asdict

    from fedrec.config import load
    from fedrec.data.ids import refuse_twins
    from fedrec.data.load import load_dataset
    from fedrec.output import warn
    from fedrec.vault.vault import Vault

    config = load(None, given(import_, locals()), tuple(sets or ()))
    dataset = load_dataset(config.data, config.seed)
    warn(dataset.warnings)
    opened = Vault.create(vault)
    if config.data.ids == "careful":
        refuse_twins("user", dataset.interactions.user_ids, [user for user, _ in opened.users()], vault)
    done = opened.import_rows(dataset.interactions, dataset.catalogue)
    told = f"{done.added:,} rows added, {done.repeated:,} were there already, {done.refused:,} refused by tombstones"
    _tell(asdict(done), told, out)


@app.command("list")
def list_(vault: VaultPath, out: Json = None) -> None:
    """The users in the vault and how many rows each has."""
    from fedrec.vault.vault import Vault

    users = Vault(vault).users()
    lines = [f"{user}\t{rows}" for user, rows in users]
    _tell({"users": [{"user": user, "rows": rows} for user, rows in users]}, "\n".join(lines), out)


@app.command()
def erase(
    vault: VaultPath,
    user: Annotated[list[str] | None, typer.Option(help="Id of a user; repeat it for more.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="Id of an item; repeat it for more.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="From this day on (UTC).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Up to this day, itself included (UTC).")
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="Id of the request, which is done once only; left out = a new one.")
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
    from fedrec.vault.vault import Vault

    if since is not None and until is not None and since > until:
        raise UsageError(f"--from {since:%Y-%m-%d} is after --to {until:%Y-%m-%d}: exchange them")
    selection = Selection(
        users=tuple(named("--user", each, ()) for each in user or ()),
        items=tuple(named("--item", each, ()) for each in item or ()),
        since=None if since is None else _seconds(since),
        until=None if until is None else _seconds(until + timedelta(days=1)) - 1,
    )
    if (learned := sorted({use.run for use in Vault(vault).uses()})) and not rows_only:
        raise UsageError(
            f"{vault}: run {', '.join(learned)} learned from these rows, and would keep that: `fedrec forget submit "
            "--user USER --run RUN` erases both; --rows-only erases the rows alone"
        )
    request = request or uuid.uuid4().hex
    done = Vault(vault).erase(selection, request)
    result = {"request": request, "rows": done.rows, "tombstones": done.tombstones}
    _tell(result, f"request {request}: {done.rows:,} rows erased, {len(done.tombstones)} tombstones set", out)


@app.command()
def status(vault: VaultPath, out: Json = None) -> None:
    """What is in the vault, its tombstones and how many rows each refused; no person is named."""
    from dataclasses import asdict

    from fedrec.vault.vault import Vault

    opened = Vault(vault)
    manifest, entries, uses = opened.manifest(), opened.tombstones(), opened.uses()
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in manifest.items()]
    lines += [
        f"tombstone {entry.id}: {entry.kind}, set {datetime.fromtimestamp(entry.made, UTC):%Y-%m-%d}"
        f" by request {entry.request}, refused {entry.refused:,} rows"
        for entry in entries
    ]
    tree = {"tombstone_list": [asdict(entry) for entry in entries], "uses": [asdict(use) for use in uses]}
    _tell(manifest | tree, "\n".join(lines), out)


@app.command()
def backup(
    vault: VaultPath, target: Annotated[Path, typer.Argument(help="The backup's file; replaced if there.")]
) -> None:
    """Copy everything but the key; keep the key elsewhere, or who has both can tell whom tombstones name."""
    from fedrec.vault.vault import Vault
    from fedrec.visible import visible

    Vault(vault).backup(target)
    typer.echo(visible(f"backup written to {target}"))


@app.command()
def restore(
    vault: VaultPath,
    source: Annotated[Path, typer.Argument(help="A file that `fedrec vault backup` wrote.")],
    out: Json = None,
) -> None:
    """Exchange the rows for those of a backup; what was erased since then does not come back."""
    from dataclasses import asdict

    from fedrec.vault.vault import Vault

    done = Vault.create(vault).restore(source)
    _tell(asdict(done), f"{done.rows:,} rows restored, {done.refused:,} refused by tombstones", out)


@app.command("destroy-key")
def destroy_key(
    vault: VaultPath,
    yes: Annotated[bool, typer.Option("--yes", help="Really: it cannot be undone.")] = False,
) -> None:
    """Make it impossible for good to tell whom a tombstone names. The vault takes no rows afterwards."""
    from fedrec.vault.vault import Vault

    if not yes:
        raise UsageError(
            "destroy-key cannot be undone, and the vault takes no rows afterwards: say --yes if you mean it"
        )
    Vault(vault).destroy_key()
    typer.echo("the key is destroyed")


def _seconds(day: datetime) -> int:
    return int(day.replace(tzinfo=UTC).timestamp())


def _tell(result: dict[str, Any], told: str, out: str | None) -> None:
    from fedrec.output import write_result
    from fedrec.visible import visible

    write_result(result, out)
    if out != "-":
        typer.echo(visible(told))
