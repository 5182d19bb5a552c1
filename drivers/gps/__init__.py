"""GPS units: NMEA 0183 from a serial port, a TCP server or a recording, and the JSON of gpsd.

The way of a byte: `drivers.lines` or `sources` read it, `framing` and `sentences` (or `gpsd_json`) make statements of
it, `epochs` gathers those of one instant, `fix` decides whether they are a fix, `dating` and `ordering` place it in
time, `receiver` tells.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from drivers.contract import DriverSpec
from drivers.gps.gpsd_json import GpsdJson, watch
from drivers.gps.languages import Language, Nmea
from drivers.gps.options import Gpsd, GpsOptions, Recording, SerialPort, Tcp
from drivers.gps.receiver import Receiver
from drivers.gps.sources import recording
from drivers.lines import Line, serial_port, tcp
from protocol.clock import Clock


@asynccontextmanager
async def open_receiver(device: str, options: GpsOptions, clock: Clock, folder: Path) -> AsyncIterator[Receiver]:
    """Open a GPS unit; it keeps nothing in its folder. Raises DeviceUnreachableError when it is not there."""
    del folder
    async with AsyncExitStack() as stack:
        source = await _source(options, clock, stack)
        language: Language = GpsdJson() if isinstance(options.source, Gpsd) else Nmea()
        yield Receiver(device, source, language, options, clock)


async def _source(options: GpsOptions, clock: Clock, stack: AsyncExitStack) -> Line:
    match options.source:
        case SerialPort(port=path, baud=baud) as line:
            return await stack.enter_async_context(serial_port.opened(path, baud, line.greeting()))
        case Tcp(host=host, port=port):
            return await stack.enter_async_context(tcp.connected(host, port))
        case Gpsd(host=host, port=port, receiver=receiver):
            return await stack.enter_async_context(tcp.connected(host, port, watch(receiver)))
        case Recording(path=path, speed=speed):
            return stack.enter_context(recording.playing(Path(path), speed, clock))


SPEC = DriverSpec(
    name="gps.nmea",
    summary="GPS units: NMEA 0183 from serial port, TCP or a recording, and gpsd",
    options=GpsOptions,
    open=open_receiver,
)
