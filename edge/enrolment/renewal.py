"""When the box's identity is renewed: at two thirds of its life by the hub's clock, and again until it is done.

The renewal itself runs in a process of its own (`edge.enrolment.renewing`); here it is only waited for.
"""

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from drivers.contract import Report
from edge.config import GATEWAY_DEVICE, Config
from edge.enrolment import identity
from edge.enrolment.identity import Validity
from edge.hub_clock import HubClock
from protocol import logs
from protocol.clock import Clock
from protocol.messages import Event, EventState, Severity

_LONGEST_S: Final = 120.0
_LOOKED_AT_EVERY: Final = timedelta(hours=1)
_SOONEST: Final = timedelta(seconds=1)
_ATTEMPTS: Final = 20
_MOST_BYTES: Final = 64 * 1024

log = logs.get(__name__)


class Outcome(StrEnum):
    """What came of one attempt."""

    RENEWED = "renewed"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    """The hub knows the identity no more: only enrolling the box again helps."""


class Renewed(Struct, frozen=True, kw_only=True):
    """The answer of the process that renews."""

    outcome: Outcome
    reason: str = ""


class Renewal:
    """Keeps the identity of the configuration fresh. `tls` are the uplink's settings, which get each new one.

    `say` takes the event that tells of an identity that could not be renewed.
    """

    def __init__(
        self,
        config: Config,
        file: Path,
        hub_clock: HubClock,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None,
        say: Callable[[Report], Awaitable[None]],
    ) -> None:
        self._file = file
        self._identity = Path(config.hub.cert_file) if config.hub.cert_file and config.hub.api else None
        self._hub_clock = hub_clock
        self._clock = clock
        self._tls = tls
        self._say = say
        self._failing: Event | None = None

    async def run(self) -> None:
        """Renew in time until cancelled; return at once for a box whose identity did not come from an enrolment."""
        if self._identity is None or identity.validity_of(self._identity) is None:
            return
        while (validity := identity.validity_of(self._identity)) is not None:
            await self._until_due(self._identity, validity)
            renewed = await _attempt(self._file)
            if renewed.outcome is Outcome.RENEWED:
                await self._take_over(self._identity)
                continue
            left = validity.not_after - self._hub_clock.now()
            wait = min(max(left / _ATTEMPTS, _SOONEST), _LOOKED_AT_EVERY)
            log.warning(
                "identity_not_renewed", outcome=renewed.outcome, reason=renewed.reason, ends=str(validity.not_after)
            )
            await self._tell(validity, renewed)
            await asyncio.sleep(wait.total_seconds())

    async def _until_due(self, file: Path, validity: Validity) -> None:
        """Wait for the time to renew; one that was begun and not finished is due now."""
        if file.with_name(identity.NEXT).exists():
            return
        # Until the hub was heard nobody knows whether this clock is right.
        await self._hub_clock.heard.wait()
        while (left := validity.renew_at - self._hub_clock.now()) > timedelta(0):  # noqa: ASYNC110 - clocks tell nobody
            await asyncio.sleep(min(left, _LOOKED_AT_EVERY).total_seconds())

    async def _take_over(self, file: Path) -> None:
        """Have the next connection use the new identity. The hub ends the one that uses the old."""
        if self._tls is not None:
            self._tls.load_cert_chain(file)
        log.info("identity_renewed")
        if self._failing is not None:
            await self._say(Report(self._event(EventState.ENDED, self._failing.id, self._failing.data)))
            self._failing = None

    async def _tell(self, validity: Validity, renewed: Renewed) -> None:
        """Report it once, when half of the time that was left for it has passed, or it is hopeless."""
        late = self._hub_clock.now() > validity.renew_at + (validity.not_after - validity.renew_at) / 2
        if self._failing is None and (late or renewed.outcome is Outcome.REFUSED):
            data = {"reason": renewed.reason, "ends": validity.not_after.isoformat()}
            self._failing = self._event(EventState.BEGAN, self._clock.new_id(), data)
            await self._say(Report(self._failing))

    def _event(self, state: EventState, number: UUID, data: dict[str, Any]) -> Event:
        return Event(
            device=GATEWAY_DEVICE,
            at=self._clock.now(),
            type="certificate.not-renewed",
            severity=Severity.MAJOR,
            id=number,
            state=state,
            data=data,
        )


async def _attempt(file: Path) -> Renewed:
    arguments = ["-m", "edge.enrolment.renewing", "--config", str(file)]
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
    except OSError as error:  # no memory for another process at the moment
        return Renewed(outcome=Outcome.UNAVAILABLE, reason=str(error))
    assert process.stdout is not None  # noqa: S101 - asked for just above
    answer = b""
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_S):
                answer = await process.stdout.read(_MOST_BYTES)
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return msgspec.json.decode(answer, type=Renewed)
    except msgspec.DecodeError:
        reason = f"the attempt ended with {process.returncode} and no answer"
        return Renewed(outcome=Outcome.UNAVAILABLE, reason=reason)
