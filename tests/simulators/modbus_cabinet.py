"""Cabinets with Modbus: pymodbus's own server, on TCP and on a serial line made of two pseudo-terminals."""

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.simulators.ports import free_port

TENTHS, FLOAT, HUMIDITY, DOOR, LIGHT = 0, 10, 20, 5, 6


class Cabinet:
    """A unit: temperature in tenths at input 0 and as a float at input 10, humidity at holding 20, door at discrete 5.

    `asked` counts the questions; a question is answered by `refusal` if there is one.
    """

    def __init__(self, unit: int = 1, celsius: float = 4.0) -> None:
        self.unit = unit
        self.celsius = celsius
        self.refusal: ExcCodes | None = None
        self.asked = 0
        self._was_asked = asyncio.Condition()

    async def was_asked(self, times: int) -> None:
        """Wait until it was asked so often in all."""
        async with self._was_asked, asyncio.timeout(30):
            await self._was_asked.wait_for(lambda: self.asked >= times)

    def device(self) -> SimDevice:
        blocks = (
            [SimData(LIGHT, values=[False], datatype=DataType.BITS)],
            [SimData(DOOR, values=[True], datatype=DataType.BITS)],
            [SimData(HUMIDITY, values=615, datatype=DataType.UINT16)],
            [
                SimData(TENTHS, values=0, datatype=DataType.INT16),
                SimData(FLOAT, values=0.0, datatype=DataType.FLOAT32),
            ],
        )
        return SimDevice(self.unit, simdata=blocks, action=self._answer)

    async def _answer(
        self, function: int, start: int, address: int, count: int, current: list[int], _: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        del count
        if function == 4 and address == TENTHS:
            current[address - start] = round(self.celsius * 10) & 0xFFFF
        async with self._was_asked:
            self.asked += 1
            self._was_asked.notify_all()
        return self.refusal


@asynccontextmanager
async def on_tcp(*cabinets: Cabinet, port: int | None = None) -> AsyncIterator[int]:
    """Cabinets behind a TCP port of the loopback interface, which is given."""
    port = port or free_port()
    server = ModbusTcpServer([cabinet.device() for cabinet in cabinets], address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        yield port
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def on_serial_bus(*cabinets: Cabinet) -> AsyncIterator[str]:
    """Cabinets on one bus; the path of the other end is given."""
    with _wire() as (theirs, ours):
        server = ModbusSerialServer(
            [cabinet.device() for cabinet in cabinets], framer=FramerType.RTU, port=theirs, baudrate=9600
        )
        await server.serve_forever(background=True)
        try:
            yield ours
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call]


@contextmanager
def _wire() -> Iterator[tuple[str, str]]:
    """Two pseudo-terminals, joined: what is written to one is read from the other."""
    ends = [pty.openpty(), pty.openpty()]
    loop = asyncio.get_running_loop()
    for (master, slave), (other, _) in zip(ends, reversed(ends), strict=True):
        tty.setraw(slave)
        os.set_blocking(master, False)
        loop.add_reader(master, _carry, master, other)
    try:
        yield os.ttyname(ends[0][1]), os.ttyname(ends[1][1])
    finally:
        for master, slave in ends:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)


def _carry(source: int, target: int) -> None:
    with suppress(OSError):  # the other end is closed just now
        os.write(target, os.read(source, 4096))
