"""A gateway as the protocol page describes one: it keeps what the hub has not acknowledged, and sends it again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import aiomqtt

from protocol import codec, topics
from protocol.clock import SystemClock
from protocol.messages import Ack, Batch, Command, DeviceStatus, Record, Refusal, Reply, State

CLOCK = SystemClock()


class SimulatedGateway:
    """One open connection of a gateway."""

    def __init__(self, client: aiomqtt.Client, name: str, epoch: UUID) -> None:
        self.client = client
        self.name = name
        self.epoch = epoch
        self.acked: set[UUID] = set()
        self.images: set[str] = set()
        self.refused: dict[str, Refusal] = {}
        self.commands: asyncio.Queue[Command] = asyncio.Queue()
        self._changed = asyncio.Condition()
        self._listening = asyncio.create_task(self._listen())

    def batch(self, seq: int, records: Sequence[Record]) -> Batch:
        return Batch(
            id=CLOCK.new_id(), gateway=self.name, epoch=self.epoch, seq=seq, sent_at=CLOCK.now(), records=tuple(records)
        )

    async def send(self, batch: Batch) -> None:
        await self.publish(topics.batch(self.name), codec.encode(batch))

    async def publish(self, topic: str, payload: bytes) -> None:
        await self.client.publish(topic, payload, qos=1, timeout=5)

    async def say(self, *, online: bool = True, devices: tuple[DeviceStatus, ...] = ()) -> None:
        state = State(gateway=self.name, epoch=self.epoch, online=online, at=CLOCK.now(), agent="test", devices=devices)
        await self.publish(topics.state(self.name), codec.encode(state))

    async def reply(self, reply: Reply) -> None:
        await self.publish(topics.reply(self.name), codec.encode(reply))

    async def until_acked(self, *batches: Batch, within_s: float = 10) -> None:
        wanted = {batch.id for batch in batches}
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: wanted <= self.acked)

    async def until_refused(self, name: str, within_s: float = 10) -> Refusal:
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: name in self.refused)
        return self.refused[name]

    async def until_image(self, sha256: str, within_s: float = 10) -> None:
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: sha256 in self.images)

    async def until_cut_off(self) -> None:
        """Return when the broker has closed the connection."""
        with contextlib.suppress(aiomqtt.MqttError):
            await asyncio.shield(self._listening)

    async def close(self) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self) -> None:
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            if message.topic.value == topics.command(self.name):
                self.commands.put_nowait(codec.decode_command(message.payload))
                continue
            await self._hear(codec.decode_ack(message.payload))

    async def _hear(self, ack: Ack) -> None:
        async with self._changed:
            self.acked.update(ack.batches)
            self.images.update(ack.images)
            self.refused.update({refusal.id: refusal for refusal in ack.refused})
            self._changed.notify_all()


@asynccontextmanager
async def connected_gateway(
    address: str, name: str, password: str, *, client_id: str | None = None, epoch: UUID | None = None
) -> AsyncIterator[SimulatedGateway]:
    host, port = address.removeprefix("mqtt://").split(":")
    epoch = epoch or uuid4()
    gone = State(gateway=name, epoch=epoch, online=False, at=CLOCK.now(), agent="test")
    will = aiomqtt.Will(topics.state(name), codec.encode(gone), qos=1, retain=True)
    async with aiomqtt.Client(
        host, int(port), username=name, password=password, identifier=client_id or name, will=will, timeout=5
    ) as client:
        gateway = SimulatedGateway(client, name, epoch)
        await client.subscribe(topics.ack(name), qos=1)
        await client.subscribe(topics.command(name), qos=1)
        try:
            yield gateway
        finally:
            await gateway.close()
