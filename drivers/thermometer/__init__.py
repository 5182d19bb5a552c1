"""Thermometers of fridges, freezers and sample cabinets: Bluetooth sensors (BTHome), and registers read over Modbus.

`sources` measure, `limits` say when a cabinet has left its limits, `thermometer` tells the agent.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from drivers.contract import DriverSpec
from drivers.thermometer.options import Bthome, ModbusRtu, ModbusTcp, ThermometerOptions
from drivers.thermometer.sources import Source
from drivers.thermometer.thermometer import Thermometer
from protocol.clock import Clock
from protocol.errors import ConfigurationError


@asynccontextmanager
async def open_thermometer(
    device: str, options: ThermometerOptions, clock: Clock, folder: Path
) -> AsyncIterator[Thermometer]:
    """Open a thermometer; raises DeviceUnreachableError when its radio is not there.

    Raises ConfigurationError for a key that cannot be read, a bus that devices see differently, a missing package.
    """
    async with AsyncExitStack() as stack:
        source = await _source(options, clock, stack)
        yield Thermometer(device, source, options, clock, folder)


async def _source(options: ThermometerOptions, clock: Clock, stack: AsyncExitStack) -> Source:
    # Each is imported where it is asked for: a box with Modbus needs no Bluetooth in its memory.
    match options.source:
        case Bthome() as sensor:
            _check_installed("bleak", "bthome_ble")
            from drivers.thermometer.sources import bthome  # noqa: PLC0415

            return await stack.enter_async_context(bthome.listened(sensor, clock))
        case ModbusTcp() | ModbusRtu() as device:
            _check_installed("pymodbus", "serial")
            from drivers.thermometer.sources import modbus  # noqa: PLC0415

            return await stack.enter_async_context(modbus.asked(device, clock))


def _check_installed(*packages: str) -> None:
    if missing := [name for name in packages if find_spec(name) is None]:
        raise ConfigurationError(f"a thermometer needs {', '.join(missing)}: install diwang[thermometer]")


SPEC = DriverSpec(
    name="thermometer",
    summary="Thermometers of fridges and sample cabinets: BTHome advertisements, Modbus RTU and TCP",
    options=ThermometerOptions,
    open=open_thermometer,
)
