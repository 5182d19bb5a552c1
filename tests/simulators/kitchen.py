"""A kitchen with everything that a box is installed with, emulated below the drivers, on a thread of its own.

A camera that answers to ONVIF's call and shows a real scene over RTSP, a ticket printer by Bluetooth, a GPS receiver on
a serial port. For tests whose own thread belongs to a browser.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

from drivers.camera import discovery
from tests.simulators import onvif_camera, printer_profiles
from tests.simulators.ble_printer import on_air
from tests.simulators.bluez import bluetooth
from tests.simulators.camera_scenes import CLIPS
from tests.simulators.gps_units import on_terminal
from tests.simulators.onvif_camera import Camera, match
from tests.simulators.printer import Printer
from tests.simulators.rtsp_server import RtspServer

AT = (24.57, 118.1)
_SCOPES = "onvif://www.onvif.org/name/Kitchen onvif://www.onvif.org/hardware/K-1"
_WANDER = (0.0, 1.1e-5, -0.9e-5, 0.4e-5, -1.3e-5)
T = TypeVar("T")


@dataclass
class Kitchen:
    """What a test knows of it; `environment` is for the programs that are to see it."""

    loop: asyncio.AbstractEventLoop
    printer: Printer = field(default_factory=Printer)
    camera: Camera = field(default_factory=Camera)
    environment: dict[str, str] = field(default_factory=dict)
    gps_port: str = ""

    def do(self, act: Callable[[], T]) -> T:
        """Have something done on the kitchen's own thread, where its devices live."""

        async def done() -> T:
            return act()

        return self.wait(done())

    def wait(self, what: Coroutine[Any, Any, T]) -> T:
        """Wait for something on the kitchen's own thread."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(60)


@contextmanager
def open_kitchen(folder: Path, *, clock_off: timedelta = timedelta(0)) -> Iterator[Kitchen]:
    """Switch everything on; off again on leaving."""
    started = threading.Event()
    made: list[Kitchen] = []
    failed: list[BaseException] = []
    leave: list[asyncio.Event] = []

    async def run() -> None:
        kitchen = Kitchen(asyncio.get_running_loop())
        kitchen.camera.clock_off = clock_off
        leave.append(asyncio.Event())
        async with AsyncExitStack() as stack:
            await _furnish(kitchen, folder, stack)
            made.append(kitchen)
            started.set()
            await leave[0].wait()

    def thread() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - raised again where the kitchen was asked for
            failed.append(error)
        finally:
            started.set()

    living = threading.Thread(target=thread, name="kitchen", daemon=True)
    living.start()
    started.wait(60)
    if not made:
        raise failed[0] if failed else TimeoutError("the kitchen does not open")
    try:
        yield made[0]
    finally:
        made[0].loop.call_soon_threadsafe(leave[0].set)
        living.join(60)
    if failed:
        raise failed[0]


async def _furnish(kitchen: Kitchen, folder: Path, stack: AsyncExitStack) -> None:
    air = await stack.enter_async_context(bluetooth(folder))
    await stack.enter_async_context(on_air(kitchen.printer, air))
    scene = CLIPS["still"]
    server = await stack.enter_async_context(RtspServer(scene.parent))
    kitchen.camera.stream = server.url(scene.name)
    service = await stack.enter_async_context(onvif_camera.on_http(kitchen.camera))
    stack.enter_context(onvif_camera.in_multicast([match("urn:uuid:kitchen", service, _SCOPES)], discovery.PORT))
    unit, kitchen.gps_port = stack.enter_context(on_terminal())
    os.set_blocking(unit, False)
    telling = asyncio.create_task(_tell_where(unit))
    stack.push_async_callback(_ended, telling)
    kitchen.environment = {
        "DBUS_SYSTEM_BUS_ADDRESS": air.address,
        "DIWANG_FIRMWARE_CONFIGS": str(printer_profiles.write(folder / "firmware_configs")),
    }


async def _tell_where(unit: int) -> None:
    """Say once a second where the kitchen is, by the satellites' time, as if they wandered a little."""
    second = 0
    while True:
        now = datetime.now(UTC)
        latitude, longitude = AT[0] + _WANDER[second % 5], AT[1] + _WANDER[second % 3]
        where = f"{_angle(latitude, 2)},N,{_angle(longitude, 3)},E"
        for body in (
            f"GNGGA,{now:%H%M%S}.00,{where},1,11,0.9,12.0,M,9.0,M,,",
            f"GNRMC,{now:%H%M%S}.00,A,{where},0.1,,{now:%d%m%y},,,A",
        ):
            checksum = reduce(lambda left, right: left ^ right, body.encode(), 0)
            with suppress(BlockingIOError):  # nobody listens
                os.write(unit, f"${body}*{checksum:02X}\r\n".encode())
        second += 1
        await asyncio.sleep(1)


def _angle(degrees: float, digits: int) -> str:
    whole = int(degrees)
    return f"{whole:0{digits}d}{(degrees - whole) * 60:08.5f}"


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait((task,))
