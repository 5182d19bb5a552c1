"""A load generator: many gateways on raw MQTT 3.1.1 in one process, each with a window of unacknowledged batches.

    python -m tests.bench.mqtt_load HOST PORT GATEWAYS WINDOW RECORDS SECONDS BATCHES_PER_S KIND

Publishes at QoS 1; BATCHES_PER_S 0 means as fast as the window allows. Prints CONNECTED, waits for a line, and prints
one line of JSON at the end.
"""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from uuid_utils.compat import uuid7

from tests.simulators.intake import PASSWORD

CONNECT, PUBLISH, SUBSCRIBE = 0x10, 0x32, 0x82
TYPE_CONNACK, TYPE_PUBLISH, TYPE_SUBACK = 2, 3, 9
SECOND, IDENT = b"2000-01-01T00:00:00", b"IDENT000"


class _Ack(msgspec.Struct):
    batches: list[str] = []


_acks = msgspec.json.Decoder(_Ack)


def packet(kind: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size, length = len(body), bytearray()
    while True:
        size, low = divmod(size, 128)
        length.append(low | (0x80 if size else 0))
        if not size:
            return bytes([kind]) + bytes(length) + body


def text(value: str) -> bytes:
    return len(value.encode()).to_bytes(2, "big") + value.encode()


class Gateway(asyncio.Protocol):
    """One connection. `acked` is called with the delay of each acknowledged batch."""

    def __init__(self, name: str, body: bytes, acked: Callable[["Gateway", float], None]) -> None:
        self.name = name
        self.epoch = uuid.uuid4()
        self.seq = 0
        self._began = datetime.now(UTC) - timedelta(hours=1)
        self.sent: dict[str, float] = {}
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._body = body
        self._acked = acked
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        login = text(self.name) + text(self.name) + text(PASSWORD)
        transport.write(packet(CONNECT, text("MQTT"), b"\x04\xc2\x00\x3c", login))
        transport.write(packet(SUBSCRIBE, b"\x00\x01", text(f"diwang/v1/{self.name}/down/ack"), b"\x00"))

    def connection_lost(self, _: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("refused"))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        place = 0
        while (end := packet_end(data, place)) is not None:
            start, stop = end
            self._packet(data[place] >> 4, data[start:stop])
            place = stop
        self._rest = data[place:]

    def _packet(self, kind: int, body: bytes) -> None:
        if kind == TYPE_SUBACK:
            self.ready.set_result(None)
        elif kind == TYPE_PUBLISH:
            now = time.perf_counter()
            for batch in _acks.decode(body[2 + int.from_bytes(body[:2], "big") :]).batches:
                if (sent := self.sent.pop(batch, None)) is not None:
                    self._acked(self, now - sent)

    def send(self) -> None:
        self.seq += 1
        batch = str(uuid7())
        self.sent[batch] = time.perf_counter()
        envelope = b'{"id":"%s","gateway":"%s","epoch":"%s","seq":%d,"sent_at":"%s","records":' % (
            batch.encode(),
            self.name.encode(),
            str(self.epoch).encode(),
            self.seq,
            datetime.now(UTC).isoformat().encode(),
        )
        body = self._body.replace(SECOND, second(self._began, self.seq)).replace(IDENT, batch[-8:].encode())
        number = (self.seq % 65_000 + 1).to_bytes(2, "big")
        self.transport.write(packet(PUBLISH, text(f"diwang/v1/{self.name}/up/batch"), number, envelope, body, b"}"))


def packet_end(data: bytes, place: int) -> tuple[int, int] | None:
    size, shift, at = 0, 0, place + 1
    while at < len(data):
        size |= (data[at] & 0x7F) << shift
        if data[at] < 0x80:
            return (at + 1, at + 1 + size) if at + 1 + size <= len(data) else None
        shift += 7
        at += 1
    return None


def second(began: datetime, number: int) -> bytes:
    """The second that a batch is about: each batch of a box tells of the next one, as of an hour ago at first."""
    return f"{began + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S}".encode()


def records(count: int, kind: str = "reading") -> bytes:
    """The records of one batch as JSON, spread over a second. SECOND stands for it, IDENT for a part of event ids."""
    made = []
    for index in range(count):
        at = f"{SECOND.decode()}.{index * 1_000_000 // count:06d}Z"
        made.append({"kind": kind, "device": f"d{index % 10}", "at": at} | content(kind, index))
    return json.dumps(made, separators=(",", ":")).encode()


def content(kind: str, index: int) -> dict[str, Any]:
    match kind:
        case "reading":
            return {"values": {"temperature_c": 4.5 + index}}
        case "position":
            return {
                "latitude": 24.57 + index * 1e-6,
                "longitude": 118.1,
                "speed_mps": 1.1,
                "hdop": 0.9,
                "satellites": 9,
                "quality": 1,
            }
        case _:
            ident = f"{IDENT.decode()}-0000-4000-8000-{index:012d}"
            return {"type": "camera.dark", "severity": "minor", "state": "instant", "id": ident, "data": {"mean": 3}}


def _same(client: Gateway) -> Gateway:
    return client


async def pace(clients: Sequence[Gateway], began: float, until: float, rate: float) -> None:
    """Send batches at a rate, one gateway after the other."""
    sent = 0
    while time.perf_counter() < until:
        while sent < (time.perf_counter() - began) * rate:
            clients[sent % len(clients)].send()
            sent += 1
        await asyncio.sleep(0.002)


async def main(
    *, host: str, port: int, gateways: int, window: int, count: int, seconds: float, rate: float, kind: str
) -> None:
    loop = asyncio.get_running_loop()
    body, delays = records(count, kind), list[float]()
    until = 0.0

    def acked(gateway: Gateway, delay: float) -> None:
        delays.append(delay)
        if not rate and time.perf_counter() < until:
            gateway.send()

    clients = [Gateway(f"g{number}", body, acked) for number in range(gateways)]
    for client in clients:
        await loop.create_connection(partial(_same, client), host, port)
        await client.ready
    print("CONNECTED", flush=True)
    sys.stdin.readline()
    connecting_s = time.process_time()
    began = time.perf_counter()
    until = began + seconds
    if rate:
        await pace(clients, began, until, rate)
    else:
        for client in clients:
            for _ in range(window):
                client.send()
        await asyncio.sleep(seconds)
    for _ in range(2_000):
        if not any(client.sent for client in clients):
            break
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    delays.sort()
    print(
        json.dumps(
            {
                "acked": len(delays) * count,
                "per_s": len(delays) * count / took,
                "batch": count,
                "unacked": sum(len(client.sent) for client in clients),
                "p50_ms": delays[len(delays) // 2] * 1000,
                "p99_ms": delays[int(len(delays) * 0.99)] * 1000,
                "cpu_s": time.process_time() - connecting_s,
            }
        )
    )


if __name__ == "__main__":
    host, port, gateways, window, count, seconds, rate, kind = sys.argv[1:]
    asyncio.run(
        main(
            host=host,
            port=int(port),
            gateways=int(gateways),
            window=int(window),
            count=int(count),
            seconds=float(seconds),
            rate=float(rate),
            kind=kind,
        )
    )
