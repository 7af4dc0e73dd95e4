"""A client's private data in one SQLite file: its rows, tombstones of what was erased, and what was used where.

One rule decides what may be there, `tombstones.Refusal`: import and restore refuse by it, erasing deletes by it. The
key of the tombstones is a file beside the vault. Once it is destroyed nobody can tell whom a tombstone named, nor check
what comes in: the vault can still be read and erased from, but takes no rows.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, UsageError
from fedrec.files import replacing, shred
from fedrec.vault import chain
from fedrec.vault import key as vault_key
from fedrec.vault.chain import Link, broken, tombstones_in
from fedrec.vault.database import DESTROYED, check_schema, copy, create, meta, reading, scrub, set_meta, writing
from fedrec.vault.erasure import (
    count_refused,
    delete_rows,
    merge_tombstones,
    repeat,
    replace_rows,
    set_tombstones,
    write_tombstones,
)
from fedrec.vault.results import Entry, Erased, Imported, Manifest, Restored, Use
from fedrec.vault.rows import content_hash, insert, insert_titles, named, occurrences, titles_in, to_interactions
from fedrec.vault.tombstones import Refusal, tombstones_of


class Vault:
    """The vault in a file. Each call is one transaction on a connection of its own: any thread or process may call.

    Every method raises FedrecError where the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.key_path = vault_key.key_path(path)

    @classmethod
    def create(cls, path: Path) -> Vault:
        """A new vault, or the one that is there. A key file that is there is kept: backups need it.

        Raises:
            UsageError: nothing can be written there.
        """
        create(path, lambda: vault_key.check_value(vault_key.make_key(vault_key.key_path(path))))
        return cls(path)

    # rows

    def import_rows(self, rows: Interactions, catalogue: Catalogue) -> Imported:
        """Add the rows that are not there yet and that no tombstone refuses, and their titles.

        A row is known by user, item and time; the n-th of several such rows in one import is the n-th in the vault.
        """
        with writing(self.path) as db:
            refusal = self._refusal(db)
            by = [refusal.by(user, item, when) for user, item, when, *_ in named(rows, catalogue)]
            refused = Counter(stone for stone in by if stone is not None)
            count_refused(db, refused.items())
            kept = np.array([stone is None for stone in by], bool)
            added = insert(db, rows.take(kept), catalogue, occurrences(rows)[kept])
        return Imported(added, int(kept.sum()) - added, refused.total())

    def interactions(self, catalogue: Catalogue) -> Interactions:
        """All rows, with only the users who have one, in the order in which they came.

        Raises:
            FedrecError: an item is not in the catalogue.
        """
        with reading(self.path) as db:
            records = db.execute("SELECT user, item, label, time, split, client, truth, nth FROM rows").fetchall()
            users = db.execute("SELECT id, name FROM users ORDER BY id").fetchall()
            groups = db.execute("SELECT id, name FROM groups ORDER BY id").fetchall()
        return to_interactions(records, users, groups, catalogue)

    def add_titles(self, catalogue: Catalogue) -> None:
        """Keep the titles of a public list, whether anybody here has said anything of them or not."""
        with writing(self.path) as db:
            insert_titles(db, catalogue, range(len(catalogue)), listed=True)

    def catalogue(self) -> Catalogue:
        """The titles here, by the natural order of their ids."""
        with reading(self.path) as db:
            return titles_in(db)

    def listed(self) -> list[str]:
        """The items that a public list has, and that stay whoever goes."""
        with reading(self.path) as db:
            return [item for (item,) in db.execute("SELECT id FROM items WHERE listed")]

    def rated(self) -> list[str]:
        """The items that somebody here has a row of."""
        with reading(self.path) as db:
            return [item for (item,) in db.execute("SELECT DISTINCT item FROM rows")]

    def users(self, split: int | None = None) -> list[tuple[str, int]]:
        """Each user who has rows, of a split where one is given, and how many."""
        counts = "SELECT name, count(*) FROM users JOIN rows ON user = id {} GROUP BY id ORDER BY id"
        only = "" if split is None else f"WHERE split = {split:d}"
        with reading(self.path) as db:
            return db.execute(counts.format(only)).fetchall()

    def beyond(self, whose: Sequence[str], split: int) -> set[str]:
        """Of those whose each row of a split was: the people of whom there are fewer now."""
        return {*(Counter(whose) - Counter(dict(self.users(split))))}

    # erasure

    def erase(self, selection: Selection, request: str) -> Erased:
        """Delete the selected rows and set tombstones in one transaction; then nothing of them is left in the files.

        Of a request that was done already, what came back since is deleted again, and the files are cleared again, as a
        crash may have prevented it.

        Raises:
            UsageError: nothing is selected, or the request selected something else before.
            FedrecError: the key is missing; or a reader holds the old state, and only the clearing is left to do.
        """
        with writing(self.path) as db:
            key = self._key(db)
            lasting = key is not None
            key = key or secrets.token_bytes(vault_key.LENGTH)  # no row can come back to a vault whose key is destroyed
            stones = tombstones_of(selection, key)
            done = db.execute("SELECT rows FROM erasures WHERE request = ?", (request,)).fetchone()
            count = delete_rows(db, Refusal(key, stones))
            if done is None:
                set_tombstones(db, request, stones, count, lasting)
            else:
                (count,) = done
                if lasting and set(tombstones_in(db, request)) != set(stones):
                    write_tombstones(db, request, stones, lasting)  # somebody may have removed them
                    if request in broken(db):
                        raise UsageError(f"request {request}: it erased something else before; give another id")
                    delete_rows(db, Refusal(key, stones))
            found = db.execute("SELECT id FROM tombstones WHERE request = ? ORDER BY id", (request,)).fetchall()
        scrub(self.path)
        return Erased(count, tuple(stone for (stone,) in found))

    def tombstones(self) -> list[Entry]:
        """The oldest first."""
        oldest_first = "SELECT id, request, kind, since, until, made, refused FROM tombstones ORDER BY made, id"
        with reading(self.path) as db:
            return [Entry(*entry) for entry in db.execute(oldest_first)]

    def chain(self, after: int) -> tuple[str | None, list[Link]]:
        """The head after so many erasures, None where there were fewer or tombstones are altered; and what follows."""
        later = "SELECT number, request, head FROM erasures WHERE number > ? ORDER BY number"
        with reading(self.path) as db:
            key = self._key(db)
            found = []
            for number, request, head in db.execute(later, (after,)).fetchall():
                sealed = chain.seal(key, request, tombstones_in(db, request)) if key is not None else b""
                found.append(Link(number, request, head, sealed))
            return None if key is not None and broken(db) else chain.head_at(db, after), found

    def repeat(self, links: Sequence[Link]) -> int:
        """Erase again what is missing of these, the first links of the chain as another remembers them.

        Where any was missing, nothing that learned from the rows may be served any longer.

        Returns:
            Rows deleted.

        Raises:
            FedrecError: another vault erased them, or the key is gone; nothing has changed.
        """
        with writing(self.path) as db:
            rows = repeat(db, self._key(db), links, self.path)
        scrub(self.path)
        return rows

    def destroy_key(self) -> None:
        """Make it impossible for good to tell whom a tombstone names; ids, requests and counts stay.

        The digests go first: a crash in between leaves a key to nothing, and a second call removes it.
        """
        with writing(self.path) as db:
            set_meta(db, "key", DESTROYED)
            db.execute("UPDATE tombstones SET digest = NULL")
            db.execute("UPDATE uses SET digest = NULL")
        shred(self.key_path)
        scrub(self.path)

    # what was used, and what may be served

    def allowed(self, run: str) -> set[tuple[int, str]]:
        """The shards and hashes of a run's adapters that may be served."""
        with reading(self.path) as db:
            return set(db.execute("SELECT shard, adapter FROM allowed WHERE run = ?", (run,)))

    def allow(self, run: str, adapters: Iterable[tuple[int, str]]) -> None:
        """Those and no others, on the disk when this returns."""
        with writing(self.path) as db:
            db.execute("DELETE FROM allowed WHERE run = ?", (run,))
            db.executemany("INSERT OR IGNORE INTO allowed VALUES (?, ?, ?)", [(run, *each) for each in adapters])

    def record_use(self, run: str, shard: int, number: int, rows: Interactions, catalogue: Catalogue) -> None:
        """Note the rows that round `number` of a run trained a shard on; a round that is done again is noted again."""
        digest = self.known_by(rows, catalogue)
        with writing(self.path) as db:
            noted = (run, shard, number, len(rows), digest and bytes.fromhex(digest))
            db.execute("INSERT OR REPLACE INTO uses VALUES (?, ?, ?, ?, ?)", noted)

    def known_by(self, rows: Interactions, catalogue: Catalogue) -> str | None:
        """The digest that `record_use` notes of rows; none once the key is destroyed."""
        with reading(self.path) as db:
            key = self._key(db)
        return None if key is None else vault_key.keyed(key, content_hash(named(rows, catalogue)))

    def uses(self) -> list[Use]:
        """Everything that was used, sorted by run, shard and round."""
        with reading(self.path) as db:
            found = db.execute("SELECT run, shard, round, rows, lower(hex(digest)) FROM uses ORDER BY 1, 2, 3")
            return [Use(run, shard, number, rows, digest or None) for run, shard, number, rows, digest in found]

    def manifest(self) -> Manifest:
        """How much is there, and what the rows are known by."""
        rows = """SELECT users.name, item, time, label, split, coalesce(groups.name, '')
            FROM rows JOIN users ON users.id = user LEFT JOIN groups ON groups.id = client"""
        with reading(self.path) as db:
            key = self._key(db)
            digest = None if key is None else vault_key.keyed(key, content_hash(db.execute(rows)))
            counted = "SELECT count(*), count(DISTINCT user), count(DISTINCT item) FROM rows"
            count, users, items = db.execute(counted).fetchone()
            stones, refused = db.execute("SELECT count(*), coalesce(sum(refused), 0) FROM tombstones").fetchone()
            return Manifest(count, users, items, digest, stones, refused, meta(db, "key") == DESTROYED)

    # backups

    def backup(self, path: Path) -> None:
        """A copy of everything but the key; a file that is there is replaced.

        Raises:
            UsageError: nothing can be written there, or it is the vault itself.
        """
        if path.resolve() in (self.path.resolve(), self.key_path.resolve()):
            raise UsageError(f"{path}: that is the vault itself; name another file")
        try:
            with replacing(path) as partial:
                partial.unlink(missing_ok=True)
                partial.touch(0o600)
                copy(self.path, partial)
        except OSError as error:
            raise UsageError(f"{path}: no backup can be written there ({error.strerror}); name another file") from None

    def restore(self, path: Path) -> Restored:
        """Exchange the rows for those of a backup. The tombstones of both hold, so nothing erased returns.

        Raises:
            FedrecError: it is not a backup of this vault, or the key is missing or destroyed.
        """
        if not path.is_file():
            raise UsageError(f"{path}: no such backup; name a file that `fedrec vault backup` made")
        with writing(self.path, attached=path) as db:
            check_schema(db, path, "backup")
            if meta(db, "key", "backup") != meta(db, "key"):
                raise FedrecError(
                    f"{path}: a backup of another vault, or from before its key was destroyed; name another file"
                )
            self._sound(db, path, "backup")
            merge_tombstones(db)
            rows, refused = replace_rows(db, self._refusal(db))
        scrub(self.path)
        return Restored(rows, refused)

    def _key(self, db: sqlite3.Connection) -> bytes | None:
        """The key; none if it is destroyed."""
        check = meta(db, "key")
        return None if check in (None, DESTROYED) else vault_key.read_key(self.key_path, str(check))

    def _refusal(self, db: sqlite3.Connection) -> Refusal:
        return Refusal(self._sound(db, self.path), tombstones_in(db))

    def _sound(self, db: sqlite3.Connection, path: Path, schema: str = "main") -> bytes:
        """The key, by which rows can be held against all tombstones that were set."""
        key = self._key(db)
        if key is None:
            raise FedrecError(
                f"{self.path}: its key is destroyed, so no row can be checked against tombstones; make a new vault"
            )
        if altered := broken(db, schema):
            raise FedrecError(
                f"{path}: tombstones of request {altered[0]} were removed or altered, and what it erased could come "
                "back: `fedrec forget run --run RUN` sets them again, or put a vault.db back that has them"
            )
        return key
