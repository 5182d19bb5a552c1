"""A TCP proxy that makes links bad: `python -m tests.simulators.fault_proxy --target PORT [--control PORT]`.

As a process it prints one JSON line with its ports and obeys HTTP: `POST /` with a JSON object of faults to set
(`null` clears one), `POST /reset` to cut all connections with RST, `POST /clear` to heal, `GET /` for the counters.
"""

import argparse
import asyncio
import json
import socket
import struct
from dataclasses import asdict, dataclass, field, fields, replace
from random import Random
from typing import Any, Self

_PIECE = 65_536
_LINGER_NONE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the link, both ways. Everything left out works.

    `blackhole`: bytes stop and nobody is told, as on a half-open link. `down`: connections are refused with RST.
    `latency_s` with `jitter_s` (uniform, both ways) delays each piece, `rate` limits bytes per second, `cut_after`
    sends that many more bytes of a connection's direction and then RST, `slice` sends pieces of at most that many
    bytes, `flip` is the chance that a piece has one bit turned.
    """

    blackhole: bool = False
    down: bool = False
    latency_s: float = 0.0
    jitter_s: float = 0.0
    rate: float = 0.0
    cut_after: int | None = None
    slice: int = 0
    flip: float = 0.0


@dataclass(slots=True)
class Counters:
    """What has passed."""

    connections: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    cuts: int = 0
    flips: int = 0


@dataclass(slots=True, eq=False)
class _Connection:
    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    left: dict[str, int] = field(default_factory=dict)

    def reset(self) -> None:
        """Close both ends with RST."""
        for writer in (self.near, self.far):
            link = writer.get_extra_info("socket")
            if link is not None and not writer.transport.is_closing():
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
            writer.transport.abort()


class FaultProxy:
    """A proxy before a port of loopback. Enter it to listen on `port`; set `faults` at any time."""

    def __init__(self, target: int, *, listen: int = 0, seed: int = 0) -> None:
        self.port = listen
        self.counters = Counters()
        self._target = target
        self._faults = Faults()
        self._changed = asyncio.Event()
        self._chance = Random(seed)
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        self._set(Faults())

    @property
    def faults(self) -> Faults:
        """What is wrong now."""
        return self._faults

    def set(self, **faults: Any) -> None:
        """Change some faults; those not named stay. A new `cut_after` counts from now."""
        known: dict[str, Any] = {each.name: each.default for each in fields(Faults)}
        self._set(replace(self._faults, **{name: known[name] if v is None else v for name, v in faults.items()}))
        if "cut_after" in faults:
            for connection in self._connections:
                connection.left.clear()

    def clear(self) -> None:
        """Heal the link; bytes that a blackhole holds flow on."""
        self._set(Faults())

    def reset(self) -> None:
        """Cut every connection with RST."""
        for connection in tuple(self._connections):
            self.counters.cuts += 1
            connection.reset()

    def _set(self, faults: Faults) -> None:
        self._faults = faults
        self._changed.set()
        self._changed = asyncio.Event()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._faults.down:
                raise ConnectionRefusedError
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _Connection(writer, writer).reset()
            return
        self.counters.connections += 1
        connection = _Connection(writer, far_writer)
        self._connections.add(connection)
        for each in (writer, far_writer):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._carry(reader, far_writer, "up", connection))
                ways.create_task(self._carry(far_reader, writer, "down", connection))
        finally:
            self._connections.discard(connection)
            writer.close()
            far_writer.close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str, connection: _Connection
    ) -> None:
        try:
            while piece := await reader.read(_PIECE):
                await self._pass_on(await self._worsen(piece), writer, way, connection)
            writer.write_eof()
        except (OSError, RuntimeError):  # the other end went first
            connection.near.transport.abort()
            connection.far.transport.abort()

    async def _worsen(self, piece: bytes) -> bytes:
        while self._faults.blackhole:
            await self._changed.wait()
        faults = self._faults
        delay = faults.latency_s + self._chance.uniform(-1, 1) * faults.jitter_s
        if faults.rate:
            delay += len(piece) / faults.rate
        if delay > 0:
            await asyncio.sleep(delay)
        if faults.flip and self._chance.random() < faults.flip:
            self.counters.flips += 1
            place = self._chance.randrange(len(piece))
            turned = piece[place] ^ (1 << self._chance.randrange(8))
            piece = piece[:place] + bytes((turned,)) + piece[place + 1 :]
        return piece

    async def _pass_on(self, piece: bytes, writer: asyncio.StreamWriter, way: str, connection: _Connection) -> None:
        faults = self._faults
        cut = False
        if faults.cut_after is not None:
            left = connection.left.setdefault(way, faults.cut_after)
            cut = len(piece) > left
            piece = piece[:left]
            connection.left[way] = left - len(piece)
        size = faults.slice or len(piece) or 1
        for start in range(0, len(piece), size):
            writer.write(piece[start : start + size])
            await writer.drain()
            if faults.slice:
                await asyncio.sleep(0)
        if way == "up":
            self.counters.bytes_up += len(piece)
        else:
            self.counters.bytes_down += len(piece)
        if cut:
            self.counters.cuts += 1
            connection.reset()


class Control:
    """The proxy's HTTP side."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path = head.split()[:2]
        lengths = [line.partition(":")[2] for line in head.splitlines() if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        try:
            self._obey(method, path, body)
            status = "200 OK"
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            status = f"400 {type(error).__name__}"
        answer = json.dumps({"faults": asdict(self._proxy.faults), "counters": asdict(self._proxy.counters)}).encode()
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n"
            f"connection: close\r\n\r\n".encode()
            + answer
        )
        await writer.drain()
        writer.close()

    def _obey(self, method: str, path: str, body: bytes) -> None:
        if method != "POST":
            return
        if path == "/reset":
            self._proxy.reset()
        elif path == "/clear":
            self._proxy.clear()
        else:
            self._proxy.set(**json.loads(body))


async def _main(options: argparse.Namespace) -> None:
    async with FaultProxy(options.target, listen=options.listen, seed=options.seed) as proxy:
        control = await asyncio.start_server(Control(proxy).answer, "127.0.0.1", options.control)
        port = control.sockets[0].getsockname()[1]
        print(json.dumps({"listen": proxy.port, "control": port, "target": options.target}), flush=True)  # noqa: T201
        async with control:
            await control.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A TCP proxy that makes links bad.")
    parser.add_argument("--target", type=int, required=True)
    parser.add_argument("--listen", type=int, default=0)
    parser.add_argument("--control", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(_main(parser.parse_args()))
