"""Registers that are read over Modbus (Modbus Application Protocol 1.1b3), by `pymodbus`.

A serial bus, or a gateway that joins one to the network, carries one question at a time: devices that name the same
line share it, and ask in turn.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from drivers.sharing import Shared
from drivers.thermometer.options import ModbusRtu, ModbusTcp, Register
from drivers.thermometer.sources import Measurement
from protocol.clock import Clock
from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from protocol.messages import Value

# It logs each question that stays unanswered; a device that is lost is said once, by its supervisor.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

_ANSWER_S: Final = 2.0
_RETRIES: Final = 2
_LINE_S: Final = (_RETRIES + 2) * _ANSWER_S
_NO_SUCH_REGISTER: Final = frozenset({1, 2, 3})
"""Exception codes illegal function, illegal data address, illegal data value (section 7): asking again is no use."""


class _Settings(NamedTuple):
    """How a serial bus is spoken on; None for TCP."""

    baud: int
    parity: str
    stop_bits: int


class _Place(NamedTuple):
    """Which line: a host and port, or a serial port."""

    host: str
    port: int | None


class _Line:
    """One line, connected when it is needed and again after it broke."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._settings: _Settings | None = None
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None
        self._turn = asyncio.Lock()

    def set(self, settings: _Settings) -> None:
        """Take a device's idea of the bus; raises ConfigurationError when another device has another."""
        if self._settings not in {None, settings}:
            raise ConfigurationError(f"devices on {self._place.host} have different settings for it")
        self._settings = settings

    async def read(self, unit: int, register: Register) -> Value:
        """Ask for one value.

        Raises DeviceUnreachableError when nobody answers, DeviceRefusedError when the device has no such register.
        """
        async with self._turn:
            client = await self._connected()
            try:
                answer = await self._asked(client, unit, register)
            except (ModbusException, OSError, TimeoutError) as error:
                client.close()
                raise DeviceUnreachableError(f"{self._place.host} unit {unit}: {error or 'no answer'}") from error
        if answer.isError():
            code = getattr(answer, "exception_code", 0)
            refused = DeviceRefusedError if code in _NO_SUCH_REGISTER else DeviceUnreachableError
            raise refused(f"unit {unit} answers {register.table} {register.address} with exception {code}")
        return _value(answer, register)

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()

    async def _connected(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        if self._client is None:
            self._client = self._made()
        if self._client.connected:
            return self._client
        try:
            async with asyncio.timeout(_LINE_S):
                is_connected = await self._client.connect()
                _heed_cancellation()
        except (ModbusException, OSError, TimeoutError, ValueError) as error:
            raise DeviceUnreachableError(f"{self._place.host}: {error or 'no answer'}") from error
        if not is_connected:
            raise DeviceUnreachableError(f"{self._place.host}: no connection")
        return self._client

    def _made(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        host, port = self._place
        if port is not None:
            return AsyncModbusTcpClient(host, port=port, timeout=_ANSWER_S, retries=_RETRIES, reconnect_delay=0)
        baud, parity, stop_bits = self._settings or _Settings(9600, "N", 1)
        return AsyncModbusSerialClient(
            host,
            baudrate=baud,
            parity=parity,
            stopbits=stop_bits,
            timeout=_ANSWER_S,
            retries=_RETRIES,
            reconnect_delay=0,
        )

    async def _asked(
        self, client: AsyncModbusTcpClient | AsyncModbusSerialClient, unit: int, register: Register
    ) -> ModbusPDU:
        async with asyncio.timeout(_LINE_S):
            match register.table:
                case "input":
                    answer = await client.read_input_registers(register.address, count=_words(register), device_id=unit)
                case "holding":
                    answer = await client.read_holding_registers(
                        register.address, count=_words(register), device_id=unit
                    )
                case "coil":
                    answer = await client.read_coils(register.address, count=1, device_id=unit)
                case "discrete":
                    answer = await client.read_discrete_inputs(register.address, count=1, device_id=unit)
            _heed_cancellation()
        return answer


class _Registers:
    """The registers of one device, read every so often."""

    def __init__(self, line: _Line, options: ModbusTcp | ModbusRtu, clock: Clock) -> None:
        self._line, self._options, self._clock = line, options, clock
        self._due = clock.monotonic()

    async def measure(self) -> Measurement:
        # Modbus devices do not speak by themselves: pausing is how they are read.
        await asyncio.sleep(max(0.0, self._due - self._clock.monotonic()))
        self._due = self._clock.monotonic() + self._options.every_s
        at = self._clock.now()
        unit = self._options.unit
        return Measurement(at, {each.name: await self._line.read(unit, each) for each in self._options.registers})

    async def why_silent(self) -> str:
        return f"unit {self._options.unit} does not answer"


@asynccontextmanager
async def _open(place: _Place) -> AsyncIterator[_Line]:
    line = _Line(place)
    try:
        yield line
    finally:
        line.close()


_lines: Final = Shared(_open)


@asynccontextmanager
async def asked(options: ModbusTcp | ModbusRtu, clock: Clock) -> AsyncIterator[_Registers]:
    """Give the registers of a device. Raises ConfigurationError for a bus that devices see differently."""
    place = _Place(options.host, options.port) if isinstance(options, ModbusTcp) else _Place(options.port, None)
    async with _lines.borrowed(place) as line:
        if isinstance(options, ModbusRtu):
            line.set(_Settings(options.baud, options.parity, options.stop_bits))
        yield _Registers(line, options, clock)


def _heed_cancellation() -> None:
    """End here if we were told to: on Python 3.11 the library's `asyncio.wait_for` may swallow it with an answer."""
    if (task := asyncio.current_task()) and task.cancelling():
        raise asyncio.CancelledError


def _words(register: Register) -> int:
    return 1 if register.type.endswith("16") else 2


def _value(answer: ModbusPDU, register: Register) -> Value:
    """Return what an answer means; raises DeviceUnreachableError for one that is too short or no number."""
    if register.table in {"coil", "discrete"}:
        if not answer.bits:
            raise DeviceUnreachableError(f"an answer without the bit {register.address}")
        return bool(answer.bits[0])
    if len(answer.registers) != _words(register):
        raise DeviceUnreachableError(f"{len(answer.registers)} words for {register.name}")
    kind = AsyncModbusTcpClient.DATATYPE[register.type.upper()]
    raw = AsyncModbusTcpClient.convert_from_registers(answer.registers, kind, word_order=register.word_order)
    value = float(raw) * register.scale + register.offset if isinstance(raw, int | float) else math.nan
    if not math.isfinite(value):
        raise DeviceUnreachableError(f"{register.name} is no number")
    return round(value, 6)
