"""Running what the hub wants this box to run: looked for, tried, proven or left again, and reported."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from drivers.contract import Report
from edge import errands
from edge.bundles import Bundles, Ledger
from edge.config import GATEWAY_DEVICE, Config
from edge.errands import Finding, Waiting
from edge.hub_clock import HubClock
from edge.resting import Resting
from edge.slots import Slots
from protocol import logs
from protocol.clock import Clock
from protocol.errors import ConfigurationError, DeviceRefusedError, UplinkUnavailableError
from protocol.messages import Event, EventState, Severity

_FLOOR_EVERY: Final = timedelta(hours=1)
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)

log = logs.get(__name__)


class RemoteConfig:
    """The box's side of its configuration.

    `keep` takes an event and returns once it is on the disk; `restart` ends this agent so that it begins anew, with
    what runs then: once the devices are at rest, or at once when the hub was lost by what runs now. Nothing is fetched
    before the hub has been heard: only then is it known how late it is.
    """

    def __init__(
        self,
        config: Config,
        file: Path,
        hub_clock: HubClock,
        clock: Clock,
        *,
        resting: Resting,
        keep: Callable[[Report], Awaitable[None]],
        restart: Callable[[], None],
    ) -> None:
        self._config = config
        self._file = file
        self._hub_clock = hub_clock
        self._clock = clock
        self._resting = resting
        self._keep = keep
        self._restart = restart
        self._wake = asyncio.Event()
        self._bundles = Bundles(config.data)
        self._slots = Slots.of(config.updates.slots)
        self._said = ""
        self._unreported = True

    async def configure(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Look at once for what this box is to run; answers what it runs now. Raises DeviceRefusedError."""
        if not self._obeys:
            raise DeviceRefusedError("this box does not take its configuration from the hub (hub.api, configuration)")
        self._wake.set()
        return {"running": self._bundles.read().running}

    async def run(self) -> None:
        """Prove what is on trial, then look again and again for what is to run, until cancelled."""
        if not await self._heard_in_time():
            return
        await self._prove()
        if not self._obeys:
            return
        while True:
            self._wake.clear()
            await self._look()
            if self._unreported:
                await self._report()
            try:
                async with asyncio.timeout(self._config.configuration.look_every_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    @property
    def _obeys(self) -> bool:
        return bool(self._config.hub.api) and self._config.configuration.from_hub

    async def _heard_in_time(self) -> bool:
        """Wait for the hub; go back and return False when a configuration on trial keeps it from being heard."""
        ledger = self._bundles.read()
        trial_s = self._config.configuration.trial_s if ledger.outcome == "trying" else None
        try:
            async with asyncio.timeout(trial_s):
                await self._hub_clock.heard.wait()
        except TimeoutError:
            self._go_back(ledger, f"the hub was not heard within {trial_s:.0f} s")
            return False
        return True

    def _go_back(self, ledger: Ledger, reason: str) -> None:
        log.error("configuration_returned", bundle=ledger.running, reason=reason)
        self._bundles.write(ledger.returned(reason))
        self._restart()

    async def _prove(self) -> None:
        ledger = self._bundles.read()
        if ledger.outcome == "trying":
            self._bundles.write(ledger := ledger.proven())
            log.info("configuration_proven", bundle=ledger.running)
            await self._say("configuration.applied", Severity.INFO, {"bundle": ledger.running})
        elif ledger.outcome == "returned":
            facts = {"bundle": ledger.about, "reason": ledger.detail}
            await self._say("configuration.returned", Severity.MAJOR, facts)
        self._bundles.prune(ledger)
        try:
            self._slots.prove()
            await self._tell_of_a_lost_release(ledger)
        except (OSError, ConfigurationError) as error:
            log.warning("release_not_noted", reason=str(error))

    async def _look(self) -> None:
        ledger = self._bundles.read()
        at = max(self._hub_clock.now(), ledger.floor or _LONG_AGO)
        found = await self._errand("fetch", at)
        if found.outcome in {"wanted", "refused", "nothing"}:
            ledger = self._noted(ledger, at)
        if found.outcome == "refused":
            await self._refuse(ledger, found)
        elif found.outcome == "wanted" and self._slots.lacks(found.release, version("diwang")):
            await self._update(ledger, at)
        elif found.outcome == "wanted" and found.bundle != ledger.running and not ledger.rejects(found.bundle):
            log.info("configuration_takes_over", bundle=found.bundle, before=ledger.running)
            await self._take_over(found.bundle, lambda: self._bundles.write(ledger.taken_over(found.bundle)))

    async def _update(self, ledger: Ledger, at: datetime) -> None:
        """Install the release that this box is to run, and let it take over."""
        found = await self._errand("install", at)
        try:
            if found.outcome == "ready":
                await self._take_over(found.release, lambda: self._switched(found))
            elif found.outcome == "refused":
                self._slots.reject(found.about, "")
                await self._refuse(ledger, found)
        except (OSError, ConfigurationError) as error:
            log.warning("release_cannot_take_over", release=found.release, reason=str(error))

    def _switched(self, found: Finding) -> bool:
        self._slots.switch(found.slot, found.release, self._config.configuration.trial_s)
        return True

    async def _take_over(self, name: str, switched: Callable[[], bool]) -> None:
        """Begin anew with what `switched` puts in its place, once the devices are at rest.

        When it cannot, the devices go on. Nothing is switched before: a box that dies while it waits has changed
        nothing, and looks anew.
        """
        async with self._resting.reached(partial(self._tell_of_waiting, name)):
            if switched():
                self._restart()
                await asyncio.Event().wait()  # for the end of this agent: no device begins anything before that

    async def _tell_of_waiting(self, name: str, devices: tuple[str, ...]) -> None:
        self._unreported = True  # that it waits no longer, should nothing come of it
        await self._errand("report", self._hub_clock.now(), Waiting(about=name, devices=devices))

    async def _refuse(self, ledger: Ledger, found: Finding) -> None:
        log.error("configuration_refused", about=found.about, reason=found.reason)
        self._bundles.write(ledger.refused(found.about, found.reason))
        await self._say("configuration.refused", Severity.MINOR, {"about": found.about, "reason": found.reason})
        await self._report()

    async def _tell_of_a_lost_release(self, ledger: Ledger) -> None:
        """Take over into the ledger what the launcher wrote down when it went back to this release."""
        trial = self._slots.read()
        if not trial.rejected or not trial.reason:
            return
        ledger = msgspec.structs.replace(ledger, outcome="returned", about=trial.rejected, detail=trial.reason)
        if self._bundles.write(ledger):
            self._slots.reject(trial.rejected, "")
        await self._say("release.returned", Severity.MAJOR, {"release": trial.rejected, "reason": trial.reason})

    async def _report(self) -> None:
        """Tell the hub what runs; what it did not hear is told after the next look."""
        found = await self._errand("report", self._hub_clock.now())
        self._unreported = found.outcome != "nothing"

    async def _errand(self, verb: errands.Verb, at: datetime, waiting: Waiting | None = None) -> Finding:
        """Run an errand; what goes wrong is logged when it begins, and not again until something went well."""
        try:
            found = await errands.run(verb, self._file, at, waiting)
        except UplinkUnavailableError as error:
            found = Finding(outcome="unavailable", reason=str(error))
        if found.outcome not in {"unavailable", "not_trusted"}:
            self._said = ""
        elif found.reason != self._said:
            self._said = found.reason
            log.warning("hub_door_of_no_use", errand=verb, outcome=found.outcome, reason=found.reason)
            if found.outcome == "not_trusted":
                await self._say("configuration.not_trusted", Severity.MAJOR, {"reason": found.reason})
        return found

    def _noted(self, ledger: Ledger, at: datetime) -> Ledger:
        """Keep the time at which signed metadata was good, so that no box can be led back to before it."""
        if ledger.floor is not None and at - ledger.floor < _FLOOR_EVERY:
            return ledger
        ledger = msgspec.structs.replace(ledger, floor=at)
        self._bundles.write(ledger)
        return ledger

    async def _say(self, kind: str, severity: Severity, data: dict[str, Any]) -> None:
        event = Event(
            device=GATEWAY_DEVICE,
            at=self._clock.now(),
            type=kind,
            severity=severity,
            id=self._clock.new_id(),
            state=EventState.INSTANT,
            data=data,
        )
        await self._keep(Report(event))
