"""The thermometer driver against the conformance suite, on TCP and on a serial bus."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from drivers import conformance
from drivers.conformance import Candidate
from tests.simulators import modbus_cabinet
from tests.simulators.ports import free_port

THERMOMETER = "drivers.thermometer:SPEC"
REGISTERS = [{"name": "temperature_c", "address": modbus_cabinet.TENTHS, "scale": 0.1}]


@asynccontextmanager
async def tcp() -> AsyncIterator[Candidate]:
    async with modbus_cabinet.on_tcp(modbus_cabinet.Cabinet()) as port:
        source = {"kind": "modbus-tcp", "host": "127.0.0.1", "registers": REGISTERS, "every_s": 0.02}
        options = {"source": {**source, "port": port}, "report_every_s": 0}
        yield Candidate(THERMOMETER, options, {"source": {**source, "port": free_port()}})


@asynccontextmanager
async def serial_bus() -> AsyncIterator[Candidate]:
    async with modbus_cabinet.on_serial_bus(modbus_cabinet.Cabinet()) as path:
        source = {"kind": "modbus-rtu", "registers": REGISTERS, "every_s": 0.02}
        options = {"source": {**source, "port": path}, "report_every_s": 0}
        yield Candidate(THERMOMETER, options, {"source": {**source, "port": "/dev/no-such-port"}})


@pytest.mark.parametrize("line", [tcp, serial_bus], ids=lambda line: line.__name__)
@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_it_conforms(
    check: conformance.Check, line: Callable[[], AbstractAsyncContextManager[Candidate]], tmp_path: Path
) -> None:
    async with line() as candidate:
        await check(candidate, tmp_path)
