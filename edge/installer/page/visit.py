"""What is under way on the page: one installation at a time, whoever looks at it."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge import config as configuration
from edge.config import Config
from edge.installer.agents import Agents
from edge.installer.found import Found, Trouble
from edge.installer.hub import Certificate, Check, Hub, Installation, Register, Subject
from edge.installer.scanning import Around, places, scan
from protocol import logs
from protocol.clock import Clock
from protocol.errors import ConfigurationError, DiwangError

STEPS: Final = ("enrol", "devices", "place", "check", "certificate")

log = logs.get(__name__)


@dataclass(slots=True)
class Enrolling:
    """A ticket that is being used: the digits to compare, whether the hub waits for somebody, and what came of it."""

    digits: str = ""
    waiting: bool = False
    error: DiwangError | None = None
    running: bool = True


@dataclass(slots=True)
class Scan:
    """A search: what was found so far, which of it was taken, and which sources could not be asked."""

    found: list[Found] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    troubles: list[Trouble] = field(default_factory=list)
    running: bool = True


@dataclass(slots=True)
class Trial:
    """A trial that is being ordered, and why it was not."""

    error: DiwangError | None = None
    running: bool = True


@dataclass(slots=True)
class Visit:
    """The box, its agent and its hub, and how far the installation has come. Made by `serving`, faked by nobody."""

    file: Path
    clock: Clock
    agents: Agents
    hub: Hub
    around: Around
    tasks: asyncio.TaskGroup
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    enrolling: Enrolling | None = None
    scan: Scan | None = None
    subjects: tuple[Subject, ...] = ()
    subject: Subject | None = None
    installation: Installation | None = None
    trial: Trial | None = None
    check: Check | None = None
    certificate: Certificate | None = None
    clocks_off: dict[str, float] = field(default_factory=dict)
    registers: dict[str, Register] = field(default_factory=dict)

    @property
    def config(self) -> Config | None:
        """The box's configuration, None while it has none that is valid."""
        try:
            return configuration.load(self.file)
        except ConfigurationError:
            return None

    @property
    def is_enrolled(self) -> bool:
        """Whether the box has an identity of the hub."""
        try:
            hub = configuration.load_identity(self.file).hub
        except ConfigurationError:
            return False
        return bool(hub.api and (hub.cert_file or hub.password_file))

    @property
    def done(self) -> set[str]:
        """The steps that are done."""
        config = self.config
        placed = self.installation is not None and self.installation.placed_at is not None
        return {
            step
            for step, done in {
                "enrol": self.is_enrolled,
                "devices": config is not None and bool(config.devices),
                "place": placed,
                "check": self.certificate is not None or (self.check is not None and self.check.ready),
                "certificate": self.certificate is not None,
            }.items()
            if done
        }

    @property
    def next(self) -> str:
        """The first step that is not done, the last one when all are."""
        return next((step for step in STEPS if step not in self.done), STEPS[-1])

    def cameras(self) -> list[str]:
        """The names of the cameras of the configuration."""
        return self.devices_of("camera")

    def devices_of(self, family: str) -> list[str]:
        """The names of the devices of a driver's family."""
        config = self.config
        devices = config.devices if config is not None else {}
        return [name for name, device in devices.items() if device.driver.partition(".")[0] == family]

    def search(self) -> None:
        """Begin a new search, unless one is under way."""
        if self.scan is not None and self.scan.running:
            return
        self.scan = Scan()
        self.begin(self._search(self.scan), "scan")

    def begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Have something done beside the page."""
        task = self.tasks.create_task(work, name=name)
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    def cancel(self) -> None:
        """End what is done beside the page."""
        for task in self.under_way:
            task.cancel()

    async def _search(self, search: Scan) -> None:
        config = self.config
        devices = config.devices.values() if config is not None else ()
        known = {place for device in devices for place in places(device.options)}
        try:
            async for said in scan(self.around, known):
                if isinstance(said, Trouble):
                    log.info("source_not_asked", source=said.source, reason=said.reason)
                    search.troubles.append(said)
                else:
                    search.found.append(said)
        finally:
            search.running = False
