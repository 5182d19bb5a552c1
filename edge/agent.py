"""The agent, put together: devices on one side, the hub on the other, the outbox between them."""

import asyncio
import os
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import msgspec

from edge import commands, shelf
from edge.board import Board
from edge.bundles import Bundles
from edge.commands import Commands
from edge.config import Config, Secret
from edge.enrolment.renewal import Renewal
from edge.health import Health, disk_free
from edge.hub_clock import HubClock
from edge.intake import Intake
from edge.notify import Notifier
from edge.outbox import Limits, Outbox, store_file
from edge.recent import Recent
from edge.recent_logs import RecentLogs
from edge.remote_config import RemoteConfig
from edge.resting import Resting
from edge.standing import Line, Standing, keep_written
from edge.store import Store
from edge.supervisor import Supervisor
from edge.trial import say_trial
from edge.uplink import Uplink
from edge.uploads import Uploads
from protocol import logs
from protocol.clock import Clock
from protocol.messages import State

_CLOSE_WITHIN_S: Final = 5.0

log = logs.get(__name__)


class Agent:
    """One box. `run` it; `stop` ends it cleanly. `restart_asked` tells afterwards whether it should begin anew.

    `ending` is called once the end has begun: a driver that hangs can keep `run` from returning.
    """

    def __init__(
        self,
        config: Config,
        secret: Secret,
        tls: ssl.SSLContext | None,
        clock: Clock,
        notifier: Notifier,
        *,
        file: Path,
        recent: RecentLogs,
        ending: Callable[[], None],
    ) -> None:
        self.restart_asked = False
        self._config = config
        self._secret = secret
        self._tls = tls
        self._clock = clock
        self._notifier = notifier
        self._file = file
        self._recent = recent
        self._ending = ending
        self._stopped = asyncio.Event()
        self._agent = _version()
        self._bundle = Bundles(config.data).read().running

    def stop(self) -> None:
        """Close the devices, keep what they still say, say offline, and return from `run` for good."""
        self.restart_asked = False
        self._end()

    def begin_anew(self) -> None:
        """Stop, and ask to be begun again: with the configuration as it stands then. Not once it was told to stop."""
        if not self._stopped.is_set():
            self.restart_asked = True
            self._end()

    def _end(self) -> None:
        if not self._stopped.is_set():
            self._stopped.set()
            self._ending()

    async def run(self) -> None:
        """Run until stopped. Raises StoreUnavailableError when the outbox cannot be opened, and any bug as it is."""
        config, clock = self._config, self._clock
        group_s = config.outbox.group_commit_ms / 1000
        schema = shelf.SCHEMA + commands.SCHEMA
        async with Store(store_file(config.data), schema, clock, group_s=group_s) as store:
            outbox = await Outbox(store, config.gateway.id, _limits(config), clock).load()
            intake = Intake(outbox)
            to_hub, to_box = asyncio.Event(), asyncio.Event()
            kinds = ((name, device.driver) for name, device in config.devices.items())
            board = Board(kinds, clock, to_hub, to_box)
            line = Line(clock, to_box.set)
            supervisor = Supervisor(config, board, intake, clock)
            lately = Recent(to_box)
            supervisor.listeners.append(lately.hear)
            hub_clock = HubClock(clock)

            async def state(*, online: bool) -> State:
                return await self._state(outbox, board, online=online)

            started_at = clock.now()

            async def tell_standing() -> Standing:
                return Standing(
                    written_at=clock.now(),
                    started_at=started_at,
                    pid=os.getpid(),
                    line=line.state,
                    clock_offset_s=hub_clock.offset_s,
                    state=await state(online=line.state.connected),
                    fixes=lately.fixes,
                    receipts=lately.receipts,
                )

            async def tell_status(_: Mapping[str, Any]) -> dict[str, Any]:
                status: dict[str, Any] = msgspec.to_builtins(await state(online=True))
                return status

            resting = Resting(lambda: supervisor.drivers)
            remote = RemoteConfig(
                config,
                self._file,
                hub_clock,
                clock,
                resting=resting,
                keep=intake.keep,
                restart=self.begin_anew,
            )

            async def restart(args: Mapping[str, Any]) -> dict[str, Any]:
                if args["device"] is None:
                    self.begin_anew()
                else:
                    supervisor.restart(args["device"])
                return {}

            orders = Commands(
                store,
                clock,
                hub_clock,
                obey=supervisor.obey,
                queues=supervisor.queues,
                holds=resting.holds,
                orders={
                    "restart": restart,
                    "status": tell_status,
                    "logs": self._recent.tell,
                    "trial": partial(say_trial, clock, intake.keep),
                    "configure": remote.configure,
                },
                keep=intake.keep,
            )
            uplink = Uplink(
                config,
                self._secret,
                self._tls,
                outbox=outbox,
                commands=orders,
                hub_clock=hub_clock,
                clock=clock,
                state=state,
                changed=to_hub,
                line=line,
            )
            health = Health(config, outbox, intake, hub_clock, clock)
            uploads = Uploads(config, self._secret, outbox, clock, say=intake.put)
            intake.listeners.append(uploads.hear)
            renewal = Renewal(config, self._file, hub_clock, clock, tls=self._tls, say=intake.keep)
            async with asyncio.TaskGroup() as parts:
                inner = (
                    parts.create_task(intake.run(), name="intake"),
                    parts.create_task(uplink.run(), name="uplink"),
                    parts.create_task(orders.run(), name="commands"),
                    parts.create_task(health.run(), name="health"),
                    parts.create_task(renewal.run(), name="identity"),
                    parts.create_task(uploads.run(), name="uploads"),
                    parts.create_task(remote.run(), name="configuration"),
                    parts.create_task(keep_written(config.data, tell_standing, to_box), name="standing"),
                    parts.create_task(self._notifier.feed_watchdog(outbox.status), name="watchdog"),
                )
                devices = parts.create_task(supervisor.run(), name="devices")
                log.info("agent_started", gateway=config.gateway.id, devices=len(config.devices), version=self._agent)
                self._notifier.ready()
                await self._stopped.wait()
                self._notifier.stopping()
                await _close(devices, supervisor, intake)
                for part in inner:
                    part.cancel()
        log.info("agent_stopped")

    async def _state(self, outbox: Outbox, board: Board, *, online: bool) -> State:
        status = msgspec.structs.replace(await outbox.status(), bytes_free=disk_free(self._config.data))
        return State(
            gateway=self._config.gateway.id,
            epoch=outbox.epoch,
            online=online,
            at=self._clock.now(),
            agent=self._agent,
            config=self._bundle,
            devices=board.statuses,
            outbox=status,
        )


async def _close(devices: asyncio.Task[None], supervisor: Supervisor, intake: Intake) -> None:
    """Close the devices and keep what they have said, without waiting for ever for either."""
    devices.cancel()
    _, hanging = await asyncio.wait((devices,), timeout=_CLOSE_WITHIN_S)
    if hanging:
        log.error("devices_do_not_close", devices=supervisor.running, within_s=_CLOSE_WITHIN_S)
    try:
        async with asyncio.timeout(_CLOSE_WITHIN_S):
            await intake.flush()
    except TimeoutError:
        log.critical("not_everything_was_kept", reason="the outbox takes nothing")


def _limits(config: Config) -> Limits:
    return Limits(
        max_bytes=config.outbox.max_bytes,
        max_age_s=config.outbox.max_age_h * 3600,
        batch_records=config.uplink.batch_records,
        batch_bytes=config.uplink.batch_bytes,
    )


def _version() -> str:
    try:
        return version("diwang")
    except PackageNotFoundError:
        return "unpackaged"
