"""From the hub's command to dots on paper: the real agent with the real bleak, a printer emulated below the radio."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from protocol.clock import SystemClock
from protocol.messages import Command, DeviceState, DeviceStatus, Outcome, Receipt, Reply
from tests.simulators import printer_profiles
from tests.simulators.ble_printer import ADDRESS, advertised, on_air
from tests.simulators.bluez import Air, bluetooth
from tests.simulators.edge_process import ROOT, EdgeProcess, site
from tests.simulators.hub_standin import HubStandIn, connected
from tests.simulators.nats_server import nats_server
from tests.simulators.printer import Printer
from tests.simulators.sheets import ADDRESS as LINK
from tests.simulators.sheets import is_whole, order, picture_of, read_code, record

CLOCK = SystemClock()
PICTURE = picture_of(record())
TICKET_BYTES = 24_000
OTHER = "F0:F1:F2:F3:F4:F6"
_DEVICE = """
[devices.{name}]
driver = "printer"
options = {{ line = {{ kind = "ble", address = "{address}" }}, profile = "quick", broken_off = "{broken_off}" }}
"""


@dataclass
class Box:
    """A running agent with two printers, one that resumes and one that prints again, and the hub that it reports to."""

    hub: HubStandIn
    edge: EdgeProcess
    air: Air
    printers: dict[str, Printer] = field(default_factory=dict)
    commands: dict[UUID, Command] = field(default_factory=dict)

    async def order(self, device: str, name: str = "print", **args: object) -> UUID:
        """Send a command; returns its id."""
        command = Command(
            id=CLOCK.new_id(),
            device=device,
            name=name,
            args=args or order(),
            expires_at=CLOCK.now() + timedelta(minutes=5),
        )
        self.commands[command.id] = command
        await self.hub.order_command("g1", command)
        return command.id

    async def reply(self, command: UUID) -> Reply:
        await self.hub.until(lambda: any(reply.id == command for reply in self.hub.replies), within_s=60)
        return next(reply for reply in self.hub.replies if reply.id == command)

    async def receipt(self, command: UUID) -> Receipt:
        def receipts() -> list[Receipt]:
            records = self.hub.records
            return [each for each in records if isinstance(each, Receipt) and each.job == str(command)]

        await self.hub.until(lambda: bool(receipts()), within_s=60)
        return receipts()[0]

    async def until_said(self, device: str, state: DeviceState, words: str = "") -> None:
        """Wait until the last state of the box says this of a device."""

        def status() -> DeviceStatus | None:
            devices = self.hub.states[-1].devices if self.hub.states else ()
            return next((each for each in devices if each.device == device), None)

        await self.hub.until(
            lambda: (said := status()) is not None and said.status is state and words in said.detail, within_s=60
        )


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    profiles = printer_profiles.write(tmp_path / "profiles")
    printers = {"resumes": Printer(), "reprints": Printer()}
    ways = (("resumes", ADDRESS, "resume"), ("reprints", OTHER, "reprint"))
    devices = "".join(_DEVICE.format(name=name, address=address, broken_off=how) for name, address, how in ways)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(nats_server(tmp_path / "nats"))
        hub = await stack.enter_async_context(connected(HubStandIn(), broker.mqtt_port))
        air = await stack.enter_async_context(bluetooth(tmp_path))
        for name, address, _ in ways:
            await stack.enter_async_context(on_air(printers[name], air, address=address))
        config = site(tmp_path, broker.mqtt_port, more=devices)
        environment = {"DBUS_SYSTEM_BUS_ADDRESS": air.address, "DIWANG_FIRMWARE_CONFIGS": str(profiles)}
        edge = EdgeProcess(config, environment=environment)
        stack.push_async_callback(edge.kill)
        await edge.start()
        box = Box(hub, edge, air, printers)
        for name in printers:
            await box.until_said(name, DeviceState.OK)
        yield box


async def test_a_command_becomes_a_ticket_and_a_receipt_with_its_id(box: Box) -> None:
    printer = box.printers["resumes"]
    command = await box.order("resumes")
    assert (await box.reply(command)).data == {"result": "printed", "detail": ""}
    assert (await box.receipt(command)).result == "printed"
    assert is_whole(printer.rows, PICTURE)
    assert read_code(printer.picture) == LINK
    assert printer.dropped == 0
    refused = await box.reply(await box.order("resumes", document={"blocks": []}))
    assert refused.result is Outcome.FAILED
    assert "not to be printed" in refused.data["reason"]
    assert await box.edge.end() == 0


async def test_cut_at_any_tenth_each_ticket_is_whole_in_the_end(box: Box) -> None:
    async def print_and_cut(device: str) -> None:
        printer = box.printers[device]
        for part in range(1, 11):
            before, printer.cut_at = len(printer.rows), printer.received + part * TICKET_BYTES // 10
            command = await box.order(device)
            assert (await box.reply(command)).data["result"] == "printed"
            assert printer.cut_at is None
            rows = printer.rows[before:]
            assert is_whole(rows, PICTURE, breaks=1), (device, part)
            if device == "reprints":
                assert is_whole(rows[-(PICTURE.height + printer.feed_rows) :], PICTURE), part

    async with asyncio.TaskGroup() as tasks:
        for device in box.printers:
            tasks.create_task(print_and_cut(device))
    assert all(printer.dropped == 0 for printer in box.printers.values())


async def test_paper_out_reaches_the_hub_and_the_ticket_goes_on_when_it_is_filled(box: Box) -> None:
    printer = box.printers["resumes"]
    printer.out_of_paper_at = 300
    command = await box.order("resumes")
    await box.until_said("resumes", DeviceState.DEGRADED, "paper out")
    printer.see_to()
    assert (await box.reply(command)).data["result"] == "printed"
    await box.until_said("resumes", DeviceState.OK)
    assert is_whole(printer.rows, PICTURE)


async def test_a_power_cut_in_mid_ticket_is_told_and_nothing_is_printed_twice(box: Box) -> None:
    printer = box.printers["resumes"]
    command = await box.order("resumes")
    await printer.until(lambda: len(printer.rows) > 200)
    await box.edge.kill()
    printer.left_alone()
    box.hub.states.clear()
    await box.edge.start()
    assert (await box.receipt(command)).result == "interrupted"
    await box.hub.order_command("g1", box.commands[command])  # as the hub does until it has the reply
    reply = await box.reply(command)
    assert (reply.result, reply.data) == (Outcome.FAILED, {"reason": "interrupted"})
    await box.until_said("resumes", DeviceState.OK)
    assert len(printer.rows) < PICTURE.height
    again = await box.order("resumes")
    assert (await box.reply(again)).data == {"result": "printed", "detail": ""}
    assert is_whole(printer.rows[-(PICTURE.height + printer.feed_rows) :], PICTURE)


async def test_fifty_devices_are_heard_and_the_printers_come_first(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        air = await stack.enter_async_context(bluetooth(tmp_path))
        for number in range(48):
            address = f"F0:00:00:00:00:{number:02X}"
            await stack.enter_async_context(advertised(air, f"sensor-{number}", address))
        await stack.enter_async_context(on_air(Printer(), air))
        await stack.enter_async_context(on_air(Printer(), air, name="RPP02N", address=OTHER))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.simulators.discovering", "4"),
            cwd=ROOT,
            env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": air.address},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
    found = [msgspec.json.decode(line) for line in said.splitlines()]
    assert len(found) == len({each["address"] for each in found}) == 50
    assert {each["address"] for each in found[:2]} == {ADDRESS, OTHER}
    assert all(each["profiles"] for each in found[:2])
    assert not any(each["profiles"] for each in found[2:])
    assert next(each for each in found if each["address"] == OTHER)["profiles"][0] == "rongta-rpp02n"
