"""Everything that a group of messages causes in the relational store, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.commands import repository as commands
from hub.devices.sightings import Sightings
from hub.events.recording import record_reports
from hub.gateways.presence import Presence, Said
from hub.ingest import repository
from hub.ingest.contract import Consumer, Listener
from hub.ingest.deliveries import Delivery, Letter, Part
from hub.ingest.sequences import Sequences
from hub.media import repository as media
from hub.storage.database import Database
from hub.stream.stream import Stream
from hub.telemetry.contract import Arrival
from protocol.clock import Clock
from protocol.codec import in_utc
from protocol.messages import Position, Reading

_READINGS: Final = frozenset({Reading})


@dataclass(frozen=True, slots=True)
class Recorded:
    """What others must know after the commit: the gateways that are back, and how many letters were kept."""

    back: frozenset[str]
    letters: int


class Recorder:
    """The relational half of ingest. Consumers run in their order, each batch reaching them once."""

    def __init__(self, database: Database, stream: Stream, clock: Clock, consumers: Sequence[Consumer]) -> None:
        self._database = database
        self._stream = stream
        self._clock = clock
        self._consumers = consumers
        self._listeners = [each for each in consumers if isinstance(each, Listener)]
        self._sightings = Sightings()
        self._sequences = Sequences()
        self._presence = Presence(stream)

    async def record(self, deliveries: Sequence[Delivery]) -> Recorded:
        """Commit what these messages cause; nothing, when it raises StoreUnavailableError or what a consumer raises."""
        arrivals = [each.arrival for each in deliveries if each.arrival is not None]
        for each in deliveries:
            self._sightings.hear_gateway(each.gateway, each.received_at)
        self._sightings.hear(arrivals)
        async with self._database.write() as session:
            await self._sightings.write(session, self._clock.now(), self._clock.monotonic())
            await self._sequences.note(session, arrivals)
            letters = [letter for each in deliveries for letter in each.letters]
            letters += await self._settle_replies(session, deliveries)
            if letters:
                await repository.keep_letters(session, self._clock, deliveries[0].received_at, letters)
            await self._add_images(session, deliveries)
            fresh = await self._effects(session, arrivals)
            for listener in self._listeners:
                await listener.hear(session, arrivals)
            said = [Said(each.state, each.received_at) for each in deliveries if each.state is not None]
            back = await self._presence.apply(session, said)
        self._sightings.settled()
        self._sequences.settled()
        self._tell_positions(fresh)
        return Recorded(back, len(letters))

    async def write_sightings(self) -> None:
        """Write down what was heard last: after a rush nothing else may come along to do it."""
        if self._sightings.waiting:
            async with self._database.write() as session:
                await self._sightings.write(session, self._clock.now(), self._clock.monotonic())
            self._sightings.settled()

    def runs_were_joined(self) -> None:
        """Begin new runs of sequence numbers: those in the table are other ones now."""
        self._sequences.forget()

    async def _effects(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
        """Do what the batches that hold more than readings cause, the first time that they come; return those."""
        with_effects = [each for each in arrivals if not _READINGS.issuperset(map(type, each.batch.records))]
        if not with_effects:
            return ()
        fresh = await repository.take_batches(session, with_effects)
        if fresh:
            await record_reports(session, fresh)
            for consumer in self._consumers:
                await consumer.take(session, fresh)
        return fresh

    async def _settle_replies(self, session: AsyncSession, deliveries: Sequence[Delivery]) -> list[Letter]:
        """Write replies to their commands; return those that answer nothing."""
        unasked = []
        for each in deliveries:
            reply = each.reply
            if reply is not None and not await commands.settle(session, each.gateway, reply, each.received_at):
                reason = f"the gateway has no command {reply.id}"
                unasked.append(Letter(each.gateway, each.topic, Part.MESSAGE, reason, each.payload))
        return unasked

    @staticmethod
    async def _add_images(session: AsyncSession, deliveries: Sequence[Delivery]) -> None:
        rows = {
            image.sha256: media.row(
                image.sha256, image.content_type, len(image.payload), each.gateway, each.received_at
            )
            for each in deliveries
            if (image := each.image) is not None
        }
        await media.add_new(session, list(rows.values()))

    def _tell_positions(self, arrivals: Sequence[Arrival]) -> None:
        """Offer where each device is now; of several positions only the newest is told anyway."""
        newest: dict[tuple[str, str], Position] = {}
        for arrival in arrivals:
            gateway = arrival.batch.gateway
            for record in arrival.batch.records:
                if isinstance(record, Position):
                    known = newest.get((gateway, record.device))
                    if known is None or known.at <= record.at:
                        newest[gateway, record.device] = record
        for (gateway, device), position in newest.items():
            told = msgspec.to_builtins(position) | {"gateway": gateway, "at": _written(position)}
            self._stream.tell("position", f"{gateway}/{device}", told)


def _written(position: Position) -> str:
    return in_utc(position.at).isoformat()
