"""A tap on the wire between a gateway and its broker: passes every byte on, and notes what was committed when.

Both ends of a delay are read from one clock: `at` of a record, which its device stamped on this machine, and the moment
in which the hub's acknowledgement of its batch passes here on its way back. So a delay is from the device's word to the
commit, and the acknowledgement's way through the broker on top.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import msgspec

from tests.bench.mqtt_load import packet_end

_PUBLISH = 3
_PIECE = 262_144


class _Said(msgspec.Struct):
    device: str
    at: datetime


class _Batch(msgspec.Struct):
    id: str
    records: list[_Said]


class _Ack(msgspec.Struct):
    batches: list[str] = []


_batches = msgspec.json.Decoder(_Batch)
_acks = msgspec.json.Decoder(_Ack)


@dataclass(frozen=True, slots=True)
class Committed:
    """One record's way, in seconds since 1970: when it was said, when it left the box, when its commit was known."""

    device: str
    said: float
    left: float
    known: float


class Tap:
    """Enter it to listen on `port`. `committed` hears of every record whose batch was acknowledged."""

    def __init__(self, target: int, committed: Callable[[Committed], None]) -> None:
        self.port = 0
        self._target = target
        self._committed = committed
        self._under_way: dict[str, tuple[float, list[_Said]]] = {}
        self._carrying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for each in (writer, far_writer):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for task in (
            asyncio.create_task(_carry(reader, far_writer, self._up)),
            asyncio.create_task(_carry(far_reader, writer, self._down)),
        ):
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    def _up(self, topic: str, payload: bytes) -> None:
        if topic.endswith("/up/batch"):
            batch = _batches.decode(payload)
            self._under_way[batch.id] = time.time(), batch.records

    def _down(self, topic: str, payload: bytes) -> None:
        if not topic.endswith("/down/ack"):
            return
        now = time.time()
        for batch in _acks.decode(payload).batches:
            left, records = self._under_way.pop(batch, (now, []))
            for record in records:
                self._committed(Committed(record.device, record.at.timestamp(), left, now))


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hear: Callable[[str, bytes], None]
) -> None:
    rest = b""
    try:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            rest += piece
            place = 0
            while (found := packet_end(rest, place)) is not None:
                start, stop = found
                if rest[place] >> 4 == _PUBLISH:
                    hear(*_publication(rest[place], rest[start:stop]))
                place = stop
            rest = rest[place:]
            await writer.drain()
    except OSError:  # one end went first
        pass
    finally:
        writer.close()


def _publication(kind: int, body: bytes) -> tuple[str, bytes]:
    end = 2 + int.from_bytes(body[:2], "big")
    quality = (kind >> 1) & 3
    return body[2:end].decode(), body[end + (2 if quality else 0) :]
