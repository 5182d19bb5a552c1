"""Terminal and fridge on the real agent: without a hub at first, killed in between, nothing lost and nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from protocol.messages import Event, Position
from tests.simulators import jt808_terminal as unit
from tests.simulators import modbus_cabinet
from tests.simulators.edge_process import EdgeProcess, site
from tests.simulators.hub_standin import HubStandIn, connected
from tests.simulators.jt808_terminal import Caller
from tests.simulators.nats_server import NatsServer
from tests.simulators.ports import free_port

DEVICES = """
[devices.van-7]
driver = "terminal.jt808"
thin = false
options = {{ phone = "13912345678", host = "127.0.0.1", port = {terminal} }}
[devices.fridge-1]
driver = "thermometer"
[devices.fridge-1.options]
source = {{ kind = "modbus-tcp", host = "127.0.0.1", port = {cabinet}, every_s = 0.1, registers = [
  {{ name = "temperature_c", address = 0, scale = 0.1 }},
] }}
limits = {{ low = 0, high = 8, minutes = 0 }}
"""
START = datetime(2026, 11, 24, 8, tzinfo=UTC)


@asynccontextmanager
async def dialled(port: int) -> AsyncIterator[Caller]:
    """A terminal that calls until the box answers: nothing tells when a program listens."""
    async with AsyncExitStack() as stack, asyncio.timeout(60):
        while True:
            try:
                caller = await stack.enter_async_context(unit.calling(port))
                break
            except OSError:
                await asyncio.sleep(0.05)
        await caller.sign_on()
        yield caller


async def report(caller: Caller, *seconds: int) -> None:
    """Report these seconds, each when the one before was confirmed."""
    for second in seconds:
        serial = await caller.say(0x0200, unit.location(START + timedelta(seconds=second)))
        assert await caller.answered() == (serial, 0x0200, 0)


async def test_what_was_confirmed_to_devices_reaches_the_hub(tmp_path: Path) -> None:
    cabinet, terminal_port = modbus_cabinet.Cabinet(celsius=9.5), free_port()
    broker = NatsServer(tmp_path / "nats")
    async with AsyncExitStack() as stack:
        cabinet_port = await stack.enter_async_context(modbus_cabinet.on_tcp(cabinet))
        more = DEVICES.format(terminal=terminal_port, cabinet=cabinet_port)
        edge = await EdgeProcess(site(tmp_path, broker.mqtt_port, more=more)).start()
        stack.push_async_callback(edge.kill)
        async with dialled(terminal_port) as caller:
            await report(caller, *range(5))
        await cabinet.was_asked(3)
        await edge.kill()
        await edge.start()
        async with dialled(terminal_port) as caller:
            await report(caller, *range(4, 8))  # it repeats one whose confirmation it may not have heard
        await broker.start()
        stack.push_async_callback(broker.kill)
        hub = await stack.enter_async_context(connected(HubStandIn(), broker.mqtt_port))
        await hub.until(lambda: len(positions(hub)) == 9, within_s=40)
        await hub.until(lambda: bool(events(hub)), within_s=40)
        cabinet.celsius = 4.0
        await hub.until(lambda: {each.state for each in events(hub)} == {"began", "ended"}, within_s=40)
        assert await edge.end() == 0
    assert {each.at - START for each in positions(hub)} == {timedelta(seconds=second) for second in range(8)}
    assert len({each.id for each in events(hub)}) == 1


def positions(hub: HubStandIn) -> list[Position]:
    return [record for record in hub.records if isinstance(record, Position)]


def events(hub: HubStandIn) -> list[Event]:
    return [record for record in hub.records if isinstance(record, Event) and record.device == "fridge-1"]
