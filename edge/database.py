"""Opening the box's SQLite file so that a commit is on the disk, and transactions that survive a full disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from edge.ballast import Ballast
from protocol import logs
from protocol.clock import Clock

DAMAGED: Final = (apsw.NotADBError, apsw.CorruptError)
NO_ROOM: Final = (apsw.FullError, apsw.IOError, apsw.CantOpenError)

_PAGE_BYTES: Final = 4096
_CACHE_KIB: Final = 1024

log = logs.get(__name__)


class Database:
    """A connection in WAL mode, synchronous FULL, that nobody else may have.

    The log is written back between transactions and never inside a commit, so that a commit that fails has failed.
    Raises apsw.Error when the file cannot be opened; one that is damaged or condemned is set aside and a new one begun.
    """

    def __init__(self, file: Path, schema: str, ballast: Ballast, clock: Clock) -> None:
        self._file = file
        self._schema = schema
        self._ballast = ballast
        self._log_pages = 0
        # Writing the log back makes the file grow by as much, so the log stays well below the ballast.
        self._log_bytes = ballast.size // 4
        self._condemned = file.with_suffix(".condemned")
        if self._condemned.exists():
            self._set_aside(clock, "damage was met in its midst")
        try:
            self.connection = self._connect()
        except DAMAGED as error:
            self._set_aside(clock, str(error))
            self.connection = self._connect()

    def close(self) -> None:
        """Write the log back and close the file."""
        self.connection.close()

    def condemn(self) -> None:
        """Have the file set aside when it is opened next: damage in its midst is met long after opening."""
        self._condemned.touch()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Like apsw's own, but aware that SQLite itself may undo everything when the disk is full."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def tidy(self) -> None:
        """Write the log back if it has grown long; when there is no room for that, the next commit will tell."""
        if self._log_pages * _PAGE_BYTES < self._log_bytes:
            return
        try:
            self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except NO_ROOM as error:
            log.warning("log_not_written_back", file=self._file.name, reason=str(error))

    def write_log_back(self) -> None:
        """Write the log back and give its room to the disk. Raises one of NO_ROOM."""
        self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def _connect(self) -> apsw.Connection:
        self._ballast.fill()
        connection = apsw.Connection(str(self._file))
        try:
            self._prepare(connection)
        except NO_ROOM:
            self._ballast.give_up()
            self._prepare(connection)
        except apsw.Error:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: apsw.Connection) -> None:
        # Exclusive: two agents on one folder would double everything, so the second one does not start.
        connection.pragma("locking_mode", "EXCLUSIVE")
        connection.pragma("page_size", _PAGE_BYTES)
        if connection.pragma("journal_mode", "WAL") != "wal":
            raise apsw.CantOpenError("this file system allows no write-ahead log")
        connection.pragma("synchronous", "FULL")
        connection.pragma("cache_size", -_CACHE_KIB)
        connection.pragma("journal_size_limit", self._log_bytes)
        connection.set_wal_hook(self._note_log)
        connection.execute(self._schema).fetchall()

    def _note_log(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _set_aside(self, clock: Clock, reason: str) -> None:
        aside = self._file.with_suffix(f".damaged-{clock.new_id()}")
        log.critical("database_damaged_and_set_aside", file=self._file.name, kept_as=aside.name, reason=reason)
        if self._file.exists():
            self._file.rename(aside)
        for leftover in ("-wal", "-shm", "-journal"):
            Path(f"{self._file}{leftover}").unlink(missing_ok=True)
        self._condemned.unlink(missing_ok=True)
