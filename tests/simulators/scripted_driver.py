"""A device that does what a test says: `driver = "tests.simulators.scripted_driver:SPEC"`, its acts in SCRIPTS."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.contract import Answer, Driver, DriverSpec, Health, Options, Raw, Report
from protocol.clock import Clock
from protocol.errors import DeviceRefusedError

Item = Report | Health | Raw


@dataclass
class Script:
    """What the next openings of a device do, and what became of it."""

    acts: list[Callable[[], AsyncIterator[Item]]] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    released: list[int] = field(default_factory=list)


SCRIPTS: dict[str, Script] = {}


class ScriptedDevice:
    commands = frozenset({"shout"})

    def __init__(self, device: str, script: Script) -> None:
        self.device = device
        self._script = script

    def reports(self) -> AsyncIterator[Item]:
        act = self._script.acts[min(self._script.opened, len(self._script.acts)) - 1]
        return act()

    def release(self, count: int) -> None:
        self._script.released.append(count)

    async def obey(self, name: str, args: dict[str, Any]) -> Answer:
        if args.get("bug"):
            raise KeyError(name)
        if args.get("no"):
            raise DeviceRefusedError("not now")
        if "nonsense" in args:
            nonsense: Answer = args["nonsense"]
            return nonsense
        return Answer({"name": name})


@asynccontextmanager
async def _open(device: str, _: Options, __: Clock, ___: Path) -> AsyncIterator[Driver]:
    script = SCRIPTS[device]
    script.opened += 1
    try:
        yield ScriptedDevice(device, script)
    finally:
        script.closed += 1


SPEC = DriverSpec(name="scripted", summary="Does what a test says.", options=Options, open=_open)
