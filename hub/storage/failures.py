"""What a database's error means: is it away, did the caller ask for what cannot be, or is a statement wrong?"""

from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from protocol.errors import DiwangError, RefusedRequestError, StoreUnavailableError

_SQLITE_AWAY: Final = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_NOMEM",
)
_AWAY_CLASSES: Final = frozenset({"08", "40", "53", "55", "57", "58"})
"""SQLSTATE classes (PostgreSQL 15, appendix A): connection, rollback, resources, locks, operator, system."""

_UNIQUE: Final = "23505"
_FOREIGN_KEY: Final = "23503"
_BAD_DATA_CLASS: Final = "22"


def meaning(error: DBAPIError) -> DiwangError | None:
    """Return the error of this product that says what `error` means, or None when the statement itself is wrong."""
    original: Any = error.orig
    sqlite = getattr(original, "sqlite_errorname", None) or ""
    state = getattr(original, "sqlstate", None) or ""
    away = sqlite.startswith(_SQLITE_AWAY) or state[:2] in _AWAY_CLASSES
    if away or error.connection_invalidated or isinstance(original, ConnectionError | TimeoutError):
        return StoreUnavailableError(str(original))
    # pysqlite3 tells of every constraint by the same code; SQLite's message says which.
    broken = str(original) if sqlite == "SQLITE_CONSTRAINT" else ""
    if state == _UNIQUE or broken.startswith("UNIQUE"):
        return RefusedRequestError("storage.exists", "something with the same identity exists already")
    if state == _FOREIGN_KEY or broken.startswith("FOREIGN KEY"):
        return RefusedRequestError("storage.in_use", "it refers to something that does not exist, or is referred to")
    if state[:2] == _BAD_DATA_CLASS or sqlite == "SQLITE_TOOBIG":
        return RefusedRequestError("storage.unstorable", "a value cannot be stored: too large, or not text", status=422)
    return None
