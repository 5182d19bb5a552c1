"""A full record onto a printer that takes 10 kB/s, from the hub's command to its answer, and what the agent weighs.

    python -m tests.bench.bench_printer_link

The agent is the real one, by Bluetooth Low Energy, beside a GPS unit. It also prints how soon paper that ran out is
known on the hub, and how long a scan takes to hear fifty devices.
"""

import asyncio
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import psutil

from protocol.clock import SystemClock
from protocol.messages import Command, DeviceState
from tests.simulators.ble_printer import ADDRESS, advertised, on_air
from tests.simulators.bluez import bluetooth
from tests.simulators.edge_process import ROOT, EdgeProcess, site
from tests.simulators.hub_standin import HubStandIn, connected
from tests.simulators.nats_server import nats_server
from tests.simulators.printer import Printer
from tests.simulators.sheets import is_whole, order, picture_of, record

CLOCK = SystemClock()
LINES = 17
DEVICES = f"""
[devices.press]
driver = "printer"
options = {{ line = {{ kind = "ble", address = "{ADDRESS}" }}, profile = "rongta-rpp02n" }}

[devices.gps-1]
driver = "gps.nmea"
options = {{ source = {{ kind = "tcp", host = "127.0.0.1", port = 9 }} }}
"""


async def main() -> None:
    document = record(LINES)
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            home = Path(folder)
            broker = await stack.enter_async_context(nats_server(home / "nats"))
            hub = await stack.enter_async_context(connected(HubStandIn(), broker.mqtt_port))
            air = await stack.enter_async_context(bluetooth(home))
            # Services of the profile, under the names of the emulated printer's.
            printer = Printer(bytes_per_second=12_000)
            await stack.enter_async_context(on_air(printer, air))
            edge = EdgeProcess(
                site(home, broker.mqtt_port, more=DEVICES.replace("rongta-rpp02n", "ten-kilobytes")),
                environment={"DBUS_SYSTEM_BUS_ADDRESS": air.address, "DIWANG_FIRMWARE_CONFIGS": str(_profile(home))},
            )
            stack.push_async_callback(edge.kill)
            await edge.start()
            await hub.until(lambda: _is(hub, DeviceState.OK), within_s=60)
            weight = psutil.Process(edge.pid)
            print(f"agent with printer and GPS, before a ticket: {weight.memory_info().rss / 2**20:.0f} MiB")

            began = time.perf_counter()
            await _print(hub, document_order=order(document))
            took = time.perf_counter() - began
            whole = is_whole(printer.rows, picture_of(document))
            print(f"full record ({LINES} lines and a code, {printer.received} bytes): {took:.1f} s; identical: {whole}")
            print(f"agent after it: {weight.memory_info().rss / 2**20:.0f} MiB")

            printer.out_of_paper_at = len(printer.rows) + 400
            job = asyncio.create_task(_print(hub, document_order=order(document)))
            await printer.until(lambda: printer.paper_out)
            began = time.perf_counter()
            await hub.until(lambda: _is(hub, DeviceState.DEGRADED), within_s=60)
            print(f"paper out known on the hub after {time.perf_counter() - began:.2f} s")
            printer.see_to()
            await job
        async with AsyncExitStack() as stack:
            air = await stack.enter_async_context(bluetooth(home))
            for number in range(50):
                await stack.enter_async_context(advertised(air, f"d{number}", f"F0:00:00:00:00:{number:02X}"))
            began = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "tests.simulators.discovering", "5"),
                cwd=ROOT,
                env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": air.address},
                stdout=asyncio.subprocess.PIPE,
            )
            said, _ = await process.communicate()
            took = time.perf_counter() - began
            print(f"scan of 5 s: {len(said.splitlines())} of 50 devices, {took:.1f} s with the start of the program")


def _profile(home: Path) -> Path:
    text = (ROOT / "firmware_configs/printers/rongta-rpp02n.toml").read_text()
    for theirs, ours in (
        ("49535343-fe7d-4ae5-8fa9-9fafd205e455", "000018f0-0000-1000-8000-00805f9b34fb"),
        ("49535343-8841-43f4-a8d4-ecbe34729bb3", "00002af1-0000-1000-8000-00805f9b34fb"),
        ("49535343-1e4d-4bd9-ba61-23c647249616", "00002af0-0000-1000-8000-00805f9b34fb"),
    ):
        text = text.replace(theirs, ours)
    (home / "profiles/printers").mkdir(parents=True)
    (home / "profiles/printers/ten-kilobytes.toml").write_text(text)
    return home / "profiles"


def _is(hub: HubStandIn, state: DeviceState) -> bool:
    devices = hub.states[-1].devices if hub.states else ()
    return any(device.device == "press" and device.status is state for device in devices)


async def _print(hub: HubStandIn, *, document_order: dict[str, object]) -> None:
    command = Command(
        id=CLOCK.new_id(),
        device="press",
        name="print",
        args=document_order,
        expires_at=CLOCK.now() + timedelta(minutes=5),
    )
    await hub.order_command("g1", command)
    await hub.until(lambda: any(reply.id == command.id for reply in hub.replies), within_s=120)
    reply = next(reply for reply in hub.replies if reply.id == command.id)
    if reply.data.get("result") != "printed":
        raise SystemExit(f"not printed: {reply.data}")


if __name__ == "__main__":
    asyncio.run(main())
