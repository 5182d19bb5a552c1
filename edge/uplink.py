"""From the outbox to the hub, and back: batches up, acknowledgements and commands down.

Two lanes share a connection. The live lane carries what has just been said, the backlog lane what had to wait, each
with a window of unacknowledged batches of its own, so that a day of outage does not make the present late. A batch is
published until the hub itself has acknowledged it; the broker's word counts for nothing. While the hub is silent only
the oldest batch is repeated, as a knock on the door; when it opens, the others follow.
"""

import asyncio
import ssl
from random import Random
from typing import Final, Protocol

from edge.backoff import delays
from edge.commands import Commands
from edge.config import Config, Secret
from edge.hub_clock import HubClock
from edge.link import Link, connect
from edge.outbox import Lane, Outbox, SealedBatch
from edge.standing import Line
from protocol import codec, logs, topics
from protocol.clock import Clock
from protocol.errors import StoreUnavailableError, TransientError, UndecodableMessageError
from protocol.messages import Ack, State

_STEADY_AFTER_S: Final = 30.0
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 5.0
_STATE_EVERY_S: Final = 60.0
_FAREWELL_S: Final = 2.0
_PATIENCE: Final = 16

log = logs.get(__name__)


class Tell(Protocol):
    """Gives the present state of the gateway."""

    async def __call__(self, *, online: bool) -> State: ...


class Uplink:
    """The box's side of the wire. `state` gives the present State, `changed` is set when it should be told.

    `line` hears whether the link stands.
    """

    def __init__(
        self,
        config: Config,
        secret: Secret,
        tls: ssl.SSLContext | None,
        *,
        outbox: Outbox,
        commands: Commands,
        hub_clock: HubClock,
        clock: Clock,
        state: Tell,
        changed: asyncio.Event,
        line: Line,
    ) -> None:
        self._config = config
        self._secret = secret
        self._tls = tls
        self._outbox = outbox
        self._commands = commands
        self._hub_clock = hub_clock
        self._clock = clock
        self._state = state
        self._changed = changed
        self._line = line
        self._gateway = config.gateway.id
        self._flights: dict[str, asyncio.Event] = {}
        self._hub_heard_at = 0.0
        self._hub_is_silent = False

    async def run(self) -> None:
        """Keep the link up until cancelled; say offline at the end."""
        chance = Random()  # noqa: S311 - to spread reconnections, not to hide anything
        waits = delays(chance, first_s=_FIRST_WAIT_S, most_s=_LONGEST_WAIT_S)
        said: set[str] = set()
        # Each session is a task of its own, so that a cancellation of this one is never mistaken for the end of a link.
        async with asyncio.TaskGroup() as sessions:
            while True:
                begun_at = self._clock.monotonic()
                session = sessions.create_task(self._attempt(), name="session")
                await asyncio.wait((session,))
                if self._clock.monotonic() - begun_at > _STEADY_AFTER_S:
                    waits = delays(chance, first_s=_FIRST_WAIT_S, most_s=_LONGEST_WAIT_S)
                    said.clear()
                reason = "the link was given up" if session.cancelled() else session.result()
                self._line.down(reason)
                if reason not in said:
                    log.warning("uplink_lost", reason=reason)
                    said.add(reason)
                await asyncio.sleep(next(waits))

    async def _attempt(self) -> str:
        """Run one session and return why it ended."""
        reason = ""
        try:
            await self._session()
        except* TransientError as group:
            reason = _first_reason(group)
        return reason

    async def _session(self) -> None:
        will = codec.encode(await self._state(online=False))
        async with connect(self._config, self._secret, self._tls, will) as link:
            log.info("uplink_connected", broker=self._config.hub.broker)
            self._line.up()
            self._flights.clear()
            try:
                async with asyncio.TaskGroup() as parts:
                    parts.create_task(self._listen(link), name="listen")
                    parts.create_task(self._tell_state(link), name="state")
                    parts.create_task(self._reply(link), name="reply")
                    parts.create_task(self._carry_live(link, parts), name="live")
                    parts.create_task(self._carry_backlog(link, parts), name="backlog")
            except asyncio.CancelledError:
                await self._say_farewell(link)
                raise

    async def _carry_live(self, link: Link, parts: asyncio.TaskGroup) -> None:
        room = asyncio.Semaphore(self._config.uplink.window)
        linger_s = self._config.uplink.linger_ms / 1000
        while True:
            await room.acquire()
            batch = await self._outbox.take(Lane.LIVE)
            parts.create_task(self._deliver(link, batch, room))
            if linger_s:
                await asyncio.sleep(linger_s)

    async def _carry_backlog(self, link: Link, parts: asyncio.TaskGroup) -> None:
        """Bring first what was under way when the last link broke, then what had no chance to leave yet."""
        room = asyncio.Semaphore(self._config.uplink.window)
        for number in await self._outbox.outstanding():
            await room.acquire()
            if (batch := await self._outbox.sealed(number)) is not None:
                parts.create_task(self._deliver(link, batch, room))
        for digest in await self._outbox.images_left():
            await self._deliver_image(link, digest)
        while True:
            await room.acquire()
            batch = await self._outbox.take(Lane.BACKLOG)
            parts.create_task(self._deliver(link, batch, room))

    async def _deliver(self, link: Link, sealed: SealedBatch, room: asyncio.Semaphore) -> None:
        """Publish a batch, its pictures first, until the hub has answered for all of them."""
        batch: SealedBatch | None = sealed
        topic, repeats = topics.batch(self._gateway), 0
        while batch is not None:
            for digest in batch.images:
                await self._publish_image(link, digest)
            if await self._answered(link, str(batch.id), topic, batch.payload, repeats):
                break
            log.debug("batch_goes_again", batch=str(batch.id), seq=batch.seq)
            batch = await self._outbox.sealed(sealed.id)
            repeats += 1
        self._flights.pop(str(sealed.id), None)
        room.release()
        for digest in sealed.images:
            await self._deliver_image(link, digest)

    async def _deliver_image(self, link: Link, digest: str) -> None:
        topic, repeats = topics.image(self._gateway, digest), 0
        while (image := await self._outbox.image(digest)) is not None:
            if await self._answered(link, digest, topic, image, repeats):
                break
            repeats += 1
        self._flights.pop(digest, None)

    async def _publish_image(self, link: Link, digest: str) -> None:
        if (image := await self._outbox.image(digest)) is not None:
            await link.publish(topics.image(self._gateway, digest), image)

    async def _answered(self, link: Link, key: str, topic: str, payload: bytes, repeats: int) -> bool:
        """Publish once and wait for the hub's answer; return False when it is this message's turn to be repeated.

        A silent hub hears the oldest message again after every timeout. A hub that speaks but has not answered for this
        one may be slow: it is given twice the time after each repetition, up to `_PATIENCE` timeouts.
        """
        answered = self._flights.setdefault(key, asyncio.Event())
        await link.publish(topic, payload)
        published_at = self._clock.monotonic()
        timeouts = 0
        while True:
            try:
                async with asyncio.timeout(self._config.uplink.ack_timeout_s):
                    await answered.wait()
            except TimeoutError:
                timeouts += 1
            else:
                return True
            if self._hub_heard_at > published_at:
                due = timeouts >= min(2**repeats, _PATIENCE)
            else:
                due = next(iter(self._flights), None) == key
                if due and not self._hub_is_silent:
                    log.warning("hub_does_not_answer", batch=key, within_s=self._config.uplink.ack_timeout_s)
                    self._hub_is_silent = True
            if due:
                return False

    async def _listen(self, link: Link) -> None:
        ack_topic = topics.ack(self._gateway)
        async for topic, payload in link.messages():
            try:
                if topic == ack_topic:
                    await self._hear(codec.decode_ack(payload))
                else:
                    self._commands.offer(codec.decode_command(payload))
            except UndecodableMessageError as error:
                log.warning("message_from_the_hub_not_understood", topic=topic, reason=error.reason)
            except StoreUnavailableError as error:
                # The batch stays and goes again; the hub will acknowledge it again.
                log.warning("acknowledgement_not_kept", reason=str(error))

    async def _hear(self, ack: Ack) -> None:
        self._hub_clock.hear(ack.hub_at)
        self._hub_heard_at = self._clock.monotonic()
        if self._hub_is_silent:
            log.info("hub_answers_again")
            self._hub_is_silent = False
        for refusal in ack.refused:
            log.error("refused_by_the_hub", id=refusal.id, reason=refusal.reason)
        await self._outbox.settle(ack)
        for key in (*map(str, ack.batches), *ack.images, *(refusal.id for refusal in ack.refused)):
            if flight := self._flights.get(key):
                flight.set()

    async def _tell_state(self, link: Link) -> None:
        while True:
            self._changed.clear()
            await link.publish(topics.state(self._gateway), codec.encode(await self._state(online=True)), retain=True)
            try:
                async with asyncio.timeout(_STATE_EVERY_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _reply(self, link: Link) -> None:
        while True:
            reply = await self._commands.next_reply()
            await link.publish(topics.reply(self._gateway), codec.encode(reply))

    async def _say_farewell(self, link: Link) -> None:
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await link.publish(
                    topics.state(self._gateway), codec.encode(await self._state(online=False)), retain=True
                )
        except (TimeoutError, TransientError) as error:
            log.info("farewell_not_said", reason=str(error))


def _first_reason(group: ExceptionGroup[TransientError]) -> str:
    first: Exception = group
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return str(first)
