"""A vendor's station that offers a folder over FTP: RFC 959 with passive data, MLSD, SIZE and REST of RFC 3659.

async with ftp_station(folder, "box", "secret") as station:
    ...  # station.port; `cut_after` breaks the next transfers off after so many bytes
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

PIECE = 65_536
ANSWERS = {"TYPE": "200 so be it", "OPTS": "200 type, size, modify"}
WRITING = frozenset({"STOR", "DELE", "RNFR", "RNTO", "MKD", "RMD", "APPE"})


@dataclass
class FtpStation:
    """What it offers, to whom, and what is wrong with it."""

    folder: Path
    username: str
    password: str
    port: int = 0
    cut_after: int | None = None
    greeting: str = "220 station ready"
    is_old: bool = False
    """Whether it knows no MLSD, as many do not."""
    listings: list[bytes] = field(default_factory=list)
    """Lines that it adds to each listing."""
    written: list[str] = field(default_factory=list)
    """Commands that would change something: none may come."""

    sessions: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self, reader, writer)
        task = asyncio.create_task(session.run())
        self.sessions.add(task)
        try:
            await asyncio.wait((task,))
        finally:
            task.cancel()
            self.sessions.discard(task)
            session.close()
            writer.close()

    async def close(self) -> None:
        """End every session."""
        while self.sessions:
            for task in self.sessions:
                task.cancel()
            await asyncio.sleep(0)


class _Session:
    def __init__(self, station: FtpStation, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._station, self._reader, self._writer = station, reader, writer
        self._user, self._inside, self._rest = "", False, 0
        self._passive: asyncio.Server | None = None
        self._data: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def run(self) -> None:
        self._say(self._station.greeting)
        with suppress(OSError):
            while line := await self._reader.readline():
                word, _, argument = line.decode("latin-1").rstrip("\r\n").partition(" ")
                if not await self._obey(word.upper(), argument):
                    return

    def close(self) -> None:
        if self._passive is not None:
            self._passive.close()
        while not self._data.empty():
            self._data.get_nowait().close()

    def _say(self, line: str) -> None:
        self._writer.write(line.encode("latin-1") + b"\r\n")

    async def _obey(self, word: str, argument: str) -> bool:
        if word == "QUIT":
            self._say("221 bye")
            return False
        if word in WRITING:
            self._station.written.append(word)
        if word in ANSWERS:
            self._say(ANSWERS[word])
        elif word == "USER":
            self._user = argument
            self._say("331 password")
        elif word == "PASS":
            self._inside = (self._user, argument) == (self._station.username, self._station.password)
            self._say("230 in" if self._inside else "530 no")
        elif not self._inside:
            self._say("530 log in first")
        else:
            await self._serve(word, argument)
        return True

    async def _serve(self, word: str, argument: str) -> None:
        match word:
            case "PASV" | "EPSV":
                await self._listen(word)
            case "REST":
                self._rest = int(argument)
                self._say("350 from there")
            case "MLSD" if not self._station.is_old:
                await self._list(self._path(argument), _lines)
            case "NLST":
                await self._list(self._path(argument), _names)
            case "SIZE" | "MDTM":
                self._say(_fact(word, self._path(argument)))
            case "RETR":
                await self._send(self._path(argument))
            case _:
                self._say("502 unknown")

    def _path(self, argument: str) -> Path:
        return self._station.folder / os.fsdecode(argument.encode("latin-1").lstrip(b"/"))

    async def _listen(self, word: str) -> None:
        async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._data.put(writer)

        self.close()
        self._passive = await asyncio.start_server(take, "127.0.0.1", 0)
        port = self._passive.sockets[0].getsockname()[1]
        if word == "EPSV":
            self._say(f"229 (|||{port}|)")
        else:  # an address of somebody else: it must not be believed
            self._say(f"227 (10,9,8,7,{port >> 8},{port & 255})")

    async def _list(self, folder: Path, listing: Callable[[Path], list[bytes] | None]) -> None:
        lines = listing(folder)
        if lines is None:
            self._say("550 no such folder")
        else:
            await self._transfer(b"".join(line + b"\r\n" for line in [*self._station.listings, *lines]))

    async def _send(self, path: Path) -> None:
        content = _content(path)
        if content is None:
            self._say("550 no such file")
            return
        start, self._rest = self._rest, 0
        await self._transfer(content[start:], self._station.cut_after)

    async def _transfer(self, content: bytes, cut_after: int | None = None) -> None:
        self._say("150 coming")
        writer = await self._data.get()
        try:
            for start in range(0, len(content), PIECE):
                if cut_after is not None and start >= cut_after:
                    writer.transport.abort()
                    self._say("426 broken off")
                    return
                writer.write(content[start : start + PIECE])
                await writer.drain()
        except OSError:  # the box has heard enough
            self._say("426 broken off")
        else:
            self._say("226 done")
        finally:
            writer.close()


def _lines(folder: Path) -> list[bytes] | None:
    if not folder.is_dir():
        return None
    lines = []
    for each in sorted(folder.iterdir()):
        facts = each.stat()
        at = datetime.fromtimestamp(facts.st_mtime, UTC)
        kind = "dir" if each.is_dir() else "file"
        lines.append(f"type={kind};size={facts.st_size};modify={at:%Y%m%d%H%M%S}; ".encode() + os.fsencode(each.name))
    return lines


def _names(folder: Path) -> list[bytes] | None:
    return [os.fsencode(f"{folder}/{each.name}") for each in sorted(folder.iterdir())] if folder.is_dir() else None


def _fact(word: str, path: Path) -> str:
    if not path.is_file():
        return "550 no plain file"
    facts = path.stat()
    return (
        f"213 {facts.st_size}" if word == "SIZE" else f"213 {datetime.fromtimestamp(facts.st_mtime, UTC):%Y%m%d%H%M%S}"
    )


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@asynccontextmanager
async def ftp_station(folder: Path, username: str, password: str) -> AsyncIterator[FtpStation]:
    """Offer a folder on a free port of loopback."""
    station = FtpStation(folder, username, password)
    server = await asyncio.start_server(station.serve, "127.0.0.1", 0)
    station.port = server.sockets[0].getsockname()[1]
    try:
        yield station
    finally:
        server.close()
        await station.close()
