"""A device whose job never ends: `driver = "tests.simulators.tireless_driver:SPEC"`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from drivers.contract import Answer, Driver, DriverSpec, Options
from protocol.clock import Clock


class TirelessOptions(Options, frozen=True, kw_only=True):
    """How long it may be waited for."""

    patience_s: float = 3.0


class Tireless:
    jobs = frozenset({"mill"})

    def __init__(self, device: str, patience_s: float, ledger: Path) -> None:
        self.device, self.patience_s, self._ledger = device, patience_s, ledger
        self._milling = False

    async def work(self, job: UUID, name: str, args: dict[str, Any]) -> Answer:
        del name, args
        with self._ledger.open("a") as ledger:
            ledger.write(f"{job}\n")
        self._milling = True
        await asyncio.Event().wait()
        raise AssertionError

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        if self._milling:
            await asyncio.Event().wait()
        yield


@asynccontextmanager
async def _open(device: str, options: TirelessOptions, _: Clock, folder: Path) -> AsyncIterator[Driver]:
    yield Tireless(device, options.patience_s, folder / "begun")


SPEC = DriverSpec(name="tireless", summary="Never ends its job.", options=TirelessOptions, open=_open)
