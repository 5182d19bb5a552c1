"""A vendor's station that offers its footage over FTP (RFC 959, listings by RFC 3659 where it knows that).

Everything here blocks.

Names come and go as raw bytes (latin-1 keeps each), so that a station that speaks GBK is read right. The address that
a server names for its data is ignored: data comes from the host that was asked.
"""

import ftplib
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from drivers.recorder.media import (
    DEEPEST,
    LONGEST_NAME,
    MOST_FILES,
    SMALL_FILE_BYTES,
    Entry,
    MediumGoneError,
    Source,
    UnreadableFileError,
    is_within,
    leads_to,
)
from drivers.recorder.names import is_footage, shown
from firmware_configs.recorders import Recorder
from protocol import logs
from protocol.errors import DeviceRefusedError

TIMEOUT_S: Final = 10.0
_NOT_LOGGED_IN: Final = "530"
_NOT_IMPLEMENTED: Final = ("500", "502", "504")
_FAILURES: Final = (ftplib.Error, OSError, EOFError)

log = logs.get(__name__)


class FtpMedium:
    """A folder of an FTP server. Each act has a connection of its own: stations drop those that rest."""

    def __init__(self, server: tuple[str, int], path: str, username: str, password: str | None) -> None:
        self.label = "station"
        self._server, self._path = server, path.rstrip("/").encode()
        self._username, self._password = username, password or ""
        self._knows_mlsd = True

    def entries(self, profile: Recorder) -> Iterator[Entry]:
        """Yield the footage; see `Medium`."""
        with self._connected() as ftp:
            yield from islice(self._walk(ftp, (), profile), MOST_FILES)

    @contextmanager
    def open(self, entry: Entry) -> Iterator[Source]:
        """Open a file to read; see `Medium`."""
        with self._transfer(entry.path) as source:
            yield source

    def sample(self, entry: Entry, places: tuple[int, ...], size: int) -> bytes:
        """Return some bytes of a file; see `Medium`."""
        found = b""
        for place in places:
            with self._transfer(entry.path, rest=place) as source:
                piece = io.BytesIO()
                while piece.tell() < size and (some := source.read(size - piece.tell())):
                    piece.write(some)
                found += piece.getvalue()
        return found

    def unchanged(self, entry: Entry) -> bool:
        """Tell whether a file is still the same; see `Medium`."""
        with self._connected() as ftp:
            return any(
                name == entry.name and facts == (entry.size, entry.modified_at)
                for name, kind, facts in self._listing(ftp, entry.path[:-1])
                if kind == "file"
            )

    def small(self, path: str) -> bytes | None:
        """Return the beginning of a small file; see `Medium`."""
        try:
            with self._transfer(tuple(part.encode() for part in path.split("/"))) as source:
                return source.read(SMALL_FILE_BYTES)
        except UnreadableFileError:
            return None

    def _walk(self, ftp: ftplib.FTP, way: tuple[bytes, ...], profile: Recorder) -> Iterator[Entry]:
        for name, kind, (size, modified_at) in sorted(self._listing(ftp, way)):
            if kind == "dir" and len(way) < DEEPEST and leads_to((*way, name), profile):
                try:
                    yield from self._walk(ftp, (*way, name), profile)
                except UnreadableFileError as error:
                    log.warning("folder_of_a_station_unreadable", reason=str(error))
            elif kind == "file" and is_footage(name, profile) and is_within(way, profile):
                yield Entry((*way, name), size, modified_at)

    def _listing(self, ftp: ftplib.FTP, way: tuple[bytes, ...]) -> list[tuple[bytes, str, tuple[int, datetime]]]:
        """Return what is in a folder: name, `file` or `dir`, size and time.

        By MLSD, or from a server that does not know it by names, one question after another.
        """
        found = []
        try:
            facts = _by_facts(ftp, self._at(way)) if self._knows_mlsd else _by_names(ftp, self._at(way))
            for text, kind, size, modify in islice(facts, MOST_FILES):
                name = text.encode("latin-1")
                if name and b"/" not in name and len(name) <= LONGEST_NAME and name not in {b".", b".."}:
                    found.append((name, kind, (_size(size), _modified(modify))))
        except (*_FAILURES, ValueError, LookupError) as error:
            if self._knows_mlsd and str(error).startswith(_NOT_IMPLEMENTED):
                self._knows_mlsd = False
                return self._listing(ftp, way)
            raise self._failure(way, error) from error
        return found

    @contextmanager
    def _transfer(self, path: tuple[bytes, ...], rest: int = 0) -> Iterator[Source]:
        with self._connected() as ftp:
            try:
                ftp.voidcmd("TYPE I")
                data = ftp.transfercmd(f"RETR {self._at(path)}", rest or None)
            except (*_FAILURES, ValueError) as error:
                raise self._failure(path, error) from error
            with data:
                yield _Data(self, data.makefile("rb", buffering=0), ftp)

    @contextmanager
    def _connected(self) -> Iterator[ftplib.FTP]:
        ftp = ftplib.FTP(encoding="latin-1", timeout=TIMEOUT_S)  # noqa: S321 - it is what such stations speak
        try:
            try:
                ftp.connect(*self._server)
                ftp.login(self._username, self._password)
            except ftplib.error_perm as error:
                if str(error).startswith(_NOT_LOGGED_IN):
                    raise DeviceRefusedError("the station does not know this user name and password") from error
                raise MediumGoneError("the station lets nobody in") from error
            except (*_FAILURES, ValueError) as error:
                raise MediumGoneError(f"the station does not answer: {type(error).__name__}") from error
            yield ftp
        finally:
            with suppress(*_FAILURES):
                ftp.close()

    def _at(self, way: tuple[bytes, ...]) -> str:
        return b"/".join((self._path, *way)).decode("latin-1") or "/"

    def _failure(self, way: tuple[bytes, ...], error: Exception) -> MediumGoneError | UnreadableFileError:
        """Tell a station that is gone from a file that it refuses."""
        if isinstance(error, ftplib.error_perm):
            return UnreadableFileError(f"{shown(way[-1]) if way else 'the folder'}: the station refuses it")
        return MediumGoneError(f"the station broke off: {type(error).__name__}")


class _Data:
    """The data of one file on its way; its end counts only when the server says that it was the end."""

    def __init__(self, medium: FtpMedium, stream: io.RawIOBase, ftp: ftplib.FTP) -> None:
        self._medium, self._stream, self._ftp = medium, stream, ftp

    def read(self, size: int) -> bytes:
        """Read on; see `Source`."""
        try:
            piece = self._stream.read(size)
            if piece:
                return piece
            self._stream.close()
            self._ftp.voidresp()
        except _FAILURES as error:
            raise MediumGoneError(f"the station broke off: {type(error).__name__}") from error
        return b""


def _by_facts(ftp: ftplib.FTP, folder: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, kind, size and time of what is in a folder, by MLSD."""
    for name, facts in ftp.mlsd(folder, ["type", "size", "modify"]):
        yield name, facts.get("type", "").lower(), facts.get("size", ""), facts.get("modify", "")


def _by_names(ftp: ftplib.FTP, folder: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield the same by NLST, SIZE and MDTM; what has no size is taken for a folder."""
    ftp.voidcmd("TYPE I")  # in ASCII a size may be refused
    for line in ftp.nlst(folder):
        name = line.rsplit("/", 1)[-1]
        place = f"{folder.rstrip('/')}/{name}"
        try:
            size = ftp.sendcmd(f"SIZE {place}").partition(" ")[2]
            yield name, "file", size, ftp.sendcmd(f"MDTM {place}").partition(" ")[2]
        except ftplib.error_perm:
            yield name, "dir", "", ""


def _size(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0  # noqa: PLR2004 - more digits are no size


def _modified(text: str) -> datetime:
    """Return a listing's time, UTC by RFC 3659."""
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
