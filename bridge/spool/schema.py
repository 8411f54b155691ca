"""The spool's tables, and the steps that lead to them.

Readings lie in one table without any index but the rowid: an index by sensor would cost 4–14 times the
writes, because each commit would touch a page per sensor. Ids are AUTOINCREMENT: a plain rowid is used again
once the table has been empty, and a consumer that remembers the last id it saw would then pass over new rows.
"""

from __future__ import annotations

from pathlib import Path
from sqlite3 import Connection

from bridge.errors import BridgeError

_APPLICATION_ID = 0x5342_5350  # "SBSP": what `file` and other programs may show

# Each step takes the schema from the version before it to its own; once released, it is never changed.
_STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE step(
            version INTEGER PRIMARY KEY,
            applied TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
        ) STRICT""",
        """CREATE TABLE sensor(
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            read INTEGER NOT NULL DEFAULT 0,
            delivered INTEGER NOT NULL DEFAULT 0,
            queued INTEGER NOT NULL DEFAULT 0,
            expired INTEGER NOT NULL DEFAULT 0,
            refused INTEGER NOT NULL DEFAULT 0,
            dropped INTEGER NOT NULL DEFAULT 0,
            newest_ts INTEGER                       -- the last stamp given, queued or not
        ) STRICT""",
        """CREATE TABLE boot(
            id INTEGER PRIMARY KEY,
            boot_id TEXT NOT NULL UNIQUE,
            undated_from INTEGER                    -- no undated reading of this boot has a lower id
        ) STRICT""",
        """CREATE TABLE reading(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            sensor INTEGER NOT NULL,
            ts INTEGER,                             -- ms since 1970; NULL until the time is known, and then:
            points INTEGER NOT NULL,
            body BLOB NOT NULL,
            boot INTEGER,                           -- in which boot it was taken
            boottime INTEGER                        -- and when in it, ns
        ) STRICT""",
        """CREATE TABLE refused(
            id INTEGER PRIMARY KEY,
            sensor INTEGER NOT NULL,
            ts INTEGER NOT NULL,
            points INTEGER NOT NULL,
            body BLOB NOT NULL,
            answer TEXT NOT NULL,                   -- the server's words
            reason TEXT NOT NULL                    -- ours
        ) STRICT""",
    ),
    (
        """CREATE TABLE trusted(
            id INTEGER PRIMARY KEY CHECK (id = 1),
            ts INTEGER NOT NULL                     -- of the newest dated reading that came in
        ) STRICT""",
        # when nothing was known but that it is later; and what was placed because the boot never knew
        "ALTER TABLE boot ADD COLUMN not_before INTEGER",
        "ALTER TABLE boot ADD COLUMN placed INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE boot ADD COLUMN placed_from INTEGER",
        "ALTER TABLE boot ADD COLUMN placed_to INTEGER",
        """CREATE TABLE aside(
            name TEXT PRIMARY KEY,                  -- a damaged file that this one took the place of
            has_books INTEGER NOT NULL,             -- what it holds was read, and counts as dropped, here
            reading_upto INTEGER NOT NULL DEFAULT 0,
            refused_upto INTEGER NOT NULL DEFAULT 0 -- what salvage has brought back
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE invocation(
            meter TEXT PRIMARY KEY,                 -- its system title and the fingerprint of its key
            counter INTEGER NOT NULL                -- of its last telegram: an older one is a repetition
        ) STRICT, WITHOUT ROWID""",
    ),
)


LATEST = len(_STEPS)
"""The version this software reads and writes."""


class SpoolUnavailable(BridgeError):
    """The spool cannot be used as things are: locked too long, read-only, failing, of another version."""


def migrate(db: Connection, path: Path) -> None:
    """Take the schema to this version, inside a transaction that writes."""
    for version in range(schema_version(db, path) + 1, LATEST + 1):
        for statement in _STEPS[version - 1]:
            db.execute(statement)
        db.execute("INSERT INTO step(version) VALUES (?)", (version,))
    db.execute(f"PRAGMA application_id={_APPLICATION_ID}")


def schema_version(db: Connection, path: Path) -> int:
    """Return the schema's version; 0 if nothing was made yet.

    Raises:
        SpoolUnavailable: the database is not ours, or of a version after `LATEST`.
    """
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    if application_id != _APPLICATION_ID:
        raise SpoolUnavailable(f"{path} is a database of another program: choose another path for the spool")
    (version,) = db.execute("SELECT max(version) FROM step").fetchone()
    if version > LATEST:
        raise SpoolUnavailable(
            f"{path} was made by a newer serial-bridge (schema {version}, this one knows {LATEST}): "
            "install that one again, or move the file away"
        )
    return int(version)
