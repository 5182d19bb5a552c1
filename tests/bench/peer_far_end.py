"""The far ends of the comparison, which note what arrives: one speaks our contract, one plays ThingsBoard's."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiomqtt
import msgspec

from protocol.messages import Reading
from tests.simulators.hub_standin import HubStandIn, connected

_LIMITS = b'{"maxPayloadSize":65536,"maxInflightMessages":100,"rateLimits":{"messages":""},"gatewayRateLimits":{}}'
_REQUEST, _RESPONSE = "v1/devices/me/rpc/request/", "v1/devices/me/rpc/response/"


@dataclass
class Arrivals:
    """What has arrived: of each number the seconds since it was said, and how often one came again."""

    delays: dict[int, float] = field(default_factory=dict)
    repeated: int = 0
    last_at: float = 0.0

    def note(self, number: int, said_at: float) -> None:
        self.last_at = time.time()
        if number in self.delays:
            self.repeated += 1
        else:
            self.delays[number] = self.last_at - said_at


class _Hub(HubStandIn):
    """Acknowledges each batch on receipt; a batch that comes again counts once, as at the hub."""

    def __init__(self, arrivals: Arrivals) -> None:
        super().__init__()
        self._arrivals = arrivals
        self._noted: set[str] = set()

    async def receive(self, topic: str, payload: bytes) -> None:
        await super().receive(topic, payload)
        for key, batch in self.batches.items():
            if key not in self._noted:
                self._noted.add(key)
                for record in batch.records:
                    if isinstance(record, Reading) and "n" in record.values:
                        self._arrivals.note(int(float(record.values["n"])), record.at.timestamp())
        self.batches.clear()
        self.payloads.clear()


class _Entry(msgspec.Struct):
    ts: int
    values: dict[str, object]


_packs = msgspec.json.Decoder(dict[str, list[_Entry]])


@asynccontextmanager
async def our_far_end(port: int) -> AsyncIterator[Arrivals]:
    """A hub that acknowledges, on a broker."""
    arrivals = Arrivals()
    async with connected(_Hub(arrivals), port):
        yield arrivals


@asynccontextmanager
async def peer_far_end(port: int) -> AsyncIterator[Arrivals]:
    """ThingsBoard's topics on a broker, whose PUBACK is the acknowledgement; it grants the gateway every rate."""
    arrivals = Arrivals()
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    async with aiomqtt.Client("127.0.0.1", port, identifier="thingsboard", socket_options=options) as client:
        await client.subscribe([("v1/gateway/telemetry", 1), (f"{_REQUEST}+", 1)])
        listening = asyncio.create_task(_listen(client, arrivals))
        try:
            yield arrivals
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening


async def _listen(client: aiomqtt.Client, arrivals: Arrivals) -> None:
    async for message in client.messages:
        assert isinstance(message.payload, bytes)
        topic = str(message.topic)
        if topic.startswith(_REQUEST):
            await client.publish(topic.replace(_REQUEST, _RESPONSE), _LIMITS, qos=1)
            continue
        for entries in _packs.decode(message.payload).values():
            for entry in entries:
                for name, number in entry.values.items():
                    if name.startswith("n") and isinstance(number, int):
                        arrivals.note(number, entry.ts / 1000)
