"""What can never be delivered, put aside on the box with the reason, for a person to look at."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from protocol.errors import StoreUnavailableError
from protocol.messages import MAX_MESSAGE_BYTES

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS quarantine (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL);
"""
AT_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A batch, an image or a record (`kind`), its id where it has one, and its bytes: no more than a message has."""

    place: int
    id: str
    kind: str
    reason: str
    payload: bytes


def put_aside(connection: apsw.Connection, number: str, kind: str, reason: str, payload: bytes) -> None:
    """Keep it; the newest AT_MOST stay."""
    connection.execute(
        "INSERT INTO quarantine (id, kind, reason, payload) VALUES (?, ?, ?, ?)",
        (number, kind, reason, payload[:MAX_MESSAGE_BYTES]),
    )
    connection.execute("DELETE FROM quarantine WHERE place <= (SELECT max(place) FROM quarantine) - ?", (AT_MOST,))


def read(file: Path) -> Iterator[Quarantined]:
    """Yield what an outbox has put aside, oldest first.

    Raises StoreUnavailableError when there is no such outbox, or when an agent has it: it shares it with nobody.
    """
    try:
        with closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.pragma("locking_mode", "EXCLUSIVE")  # needs no further file beside the database
            connection.pragma("query_only", 1)
            for row in connection.execute("SELECT place, id, kind, reason, payload FROM quarantine ORDER BY place"):
                yield Quarantined(*row)
    except apsw.BusyError as error:
        raise StoreUnavailableError(
            f"{file}: the agent runs and has it to itself; stop it for a moment, nothing is lost by that"
        ) from error
    except apsw.Error as error:
        raise StoreUnavailableError(f"{file}: {error}") from error
