"""A hub that speaks the real wire contract and remembers everything: for tests of the edge without the hub."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import aiomqtt

from protocol import codec, topics
from protocol.messages import Ack, Batch, Command, Reading, Record, Refusal, Reply, State


@dataclass
class HubStandIn:
    """What arrived, by whom, and how to answer. `heard` is notified whenever something arrives."""

    batches: dict[str, Batch] = field(default_factory=dict)
    payloads: dict[str, set[bytes]] = field(default_factory=dict)
    arrivals: Counter[str] = field(default_factory=Counter)
    images: dict[str, bytes] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    refuse: str = ""
    silent: bool = False
    clock_offset: timedelta = timedelta()
    client: aiomqtt.Client | None = None

    @property
    def records(self) -> list[Record]:
        """All records, each batch counted once, in the order of the batches' numbers."""
        return [record for batch in sorted(self.batches.values(), key=lambda b: b.seq) for record in batch.records]

    def values(self, device: str, name: str) -> list[float]:
        """The numbers of one series, in the order of the batches' numbers."""
        return [
            float(record.values[name])
            for record in self.records
            if isinstance(record, Reading) and record.device == device and name in record.values
        ]

    async def until(self, condition: Callable[[], bool], within_s: float = 20.0) -> None:
        """Wait until what has arrived fulfils a condition."""
        async with asyncio.timeout(within_s), self.heard:
            await self.heard.wait_for(condition)

    async def order_command(self, gateway: str, command: Command) -> None:
        """Send an order."""
        assert self.client is not None
        await self.client.publish(topics.command(gateway), codec.encode(command), qos=1)

    async def acknowledge(self, gateway: str, **parts: object) -> None:
        """Send an acknowledgement."""
        assert self.client is not None
        ack = Ack(hub_at=datetime.now(UTC) + self.clock_offset, **parts)  # type: ignore[arg-type]
        await self.client.publish(topics.ack(gateway), codec.encode(ack), qos=1)

    async def receive(self, topic: str, payload: bytes) -> None:
        """Take one message as the hub would, and answer it."""
        place = topics.parse_up(topic)
        answer: dict[str, object] = {}
        if place.kind is topics.Up.BATCH:
            batch = codec.decode_batch(payload).batch
            key = str(batch.id)
            self.arrivals[key] += 1
            self.payloads.setdefault(key, set()).add(payload)
            self.order.append(key)
            if self.refuse:
                answer = {"refused": (Refusal(id=key, reason=self.refuse),)}
            else:
                self.batches[key] = batch
                answer = {"batches": (batch.id,)}
        elif place.kind is topics.Up.IMAGE and place.sha256 is not None:
            assert sha256(payload).hexdigest() == place.sha256
            self.images[place.sha256] = payload
            self.order.append(place.sha256)
            answer = {"images": (place.sha256,)}
        elif place.kind is topics.Up.STATE:
            self.states.append(codec.decode_state(payload))
        else:
            self.replies.append(codec.decode_reply(payload))
        if answer and not self.silent:
            await self.acknowledge(place.gateway, **answer)
        async with self.heard:
            self.heard.notify_all()


@asynccontextmanager
async def connected(
    hub: HubStandIn, port: int, *, username: str = "", password: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[HubStandIn]:
    """Connect the hub to a broker for the length of the context."""
    async with aiomqtt.Client(
        "localhost" if tls else "127.0.0.1",
        port,
        identifier="hub",
        username=username or None,
        password=password or None,
        tls_context=tls,
        timeout=5,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    ) as client:
        client.pending_calls_threshold = 10_000
        await client.subscribe(topics.everything_up(), qos=1)
        hub.client = client
        listening = asyncio.create_task(_listen(hub, client))
        try:
            yield hub
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            hub.client = None


async def _listen(hub: HubStandIn, client: aiomqtt.Client) -> None:
    async for message in client.messages:
        assert isinstance(message.payload, bytes)
        await hub.receive(str(message.topic), message.payload)
