"""Taking a dead letter once more, the whole way: after a fix, an update, or a change of the device catalogue."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from hub.ingest.deliveries import Delivery, Part
from hub.ingest.doubt import doubted
from hub.ingest.isolating import isolated
from hub.ingest.model import DeadLetter
from hub.ingest.reading import flaw, read
from hub.ingest.recording import Recorder
from hub.ingest.sequences import REPLAYED
from hub.ingest.storing import stored
from hub.media.store import MediaStore
from hub.telemetry.contract import Arrival, TelemetryStore
from protocol import codec
from protocol.clock import Clock
from protocol.errors import UndecodableMessageError
from protocol.messages import Batch

STORED = "stored"


class Replayer:
    """Replays dead letters. `recorder` makes a recorder of its own for each, beside the one that ingest works with.

    `conform` makes values what their device models say now.
    """

    def __init__(
        self,
        telemetry: TelemetryStore,
        media: MediaStore,
        recorder: Callable[[], Recorder],
        clock: Clock,
        conform: Callable[[Sequence[Delivery]], Awaitable[list[Delivery]]],
    ) -> None:
        self._store = partial(stored, telemetry, media)
        self._recorder = recorder
        self._clock = clock
        self._conform = conform

    async def replay(self, letter: DeadLetter) -> str:
        """Take it again; return `stored`, or why it still cannot be used. Replaying it twice changes nothing.

        Raises StoreUnavailableError.
        """
        try:
            delivery = self._read(letter)
        except UndecodableMessageError as error:
            return error.reason
        if not delivery.usable:
            return delivery.letters[0].reason
        (taken,) = await isolated([replace(delivery, letters=())], self._take)
        return taken

    def _read(self, letter: DeadLetter) -> Delivery:
        now = self._clock.now()
        if letter.part in {Part.MESSAGE, Part.IMAGE}:
            return read(letter.topic, letter.payload, now)
        record, extra = codec.decode_record(letter.payload)
        if (reason := flaw(record, extra)) is not None:
            raise UndecodableMessageError(reason, letter.payload)
        batch = Batch(id=letter.id, gateway=letter.gateway, epoch=REPLAYED, seq=0, sent_at=letter.at, records=(record,))
        batch, extras = doubted(batch, {0: extra} if extra else {}, letter.at)
        arrival = Arrival(batch, letter.at, extras)
        return Delivery(
            gateway=letter.gateway, topic=letter.topic, payload=letter.payload, received_at=now, arrival=arrival
        )

    async def _take(self, deliveries: Sequence[Delivery]) -> str:
        (delivery,) = deliveries
        if not delivery.usable:
            return delivery.letters[0].reason
        (delivery,) = await self._store(await self._conform(deliveries))
        if delivery.letters:
            return delivery.letters[0].reason
        recorded = await self._recorder().record([delivery])
        return STORED if not recorded.letters else "the gateway has no such command"
