"""What devices are at when another configuration takes over: a real hub, a real agent, work that must not be cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.simulators import printer_profiles
from tests.simulators.configured_site import PATIENCE_S, HubProcess, Site, site
from tests.simulators.printer import Printer, in_the_network
from tests.simulators.sheets import is_whole, order, picture_of, record

pytestmark = pytest.mark.timeout(300)  # whole programs, each beginning several others

PICTURE = picture_of(record())
PRESS = """
[devices.press]
driver = "printer"
options = {{ line = {{ kind = "tcp", host = "127.0.0.1", port = {port} }}, profile = "quick" }}
"""
MILL = """
[devices.mill]
driver = "tests.simulators.tireless_driver:SPEC"
options = { patience_s = 3 }
"""
CHANGE = "[health]\ninterval_s = 0.7\n"


@pytest.fixture(autouse=True)
def _profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIWANG_FIRMWARE_CONFIGS", str(printer_profiles.write(tmp_path / "profiles")))


async def sent(hub: HubProcess, device: str, name: str, args: dict[str, Any] | None = None) -> str:
    body = {"gateway": "g1", "device": device, "name": name, "args": args or {}}
    answer = await hub.api.post("/commands", json=body)
    assert answer.status_code == 201, answer.text
    number: str = answer.json()["id"]
    return number


async def became(hub: HubProcess, command: str, state: str) -> dict[str, Any]:
    """Wait until a command has come to this, as the hub knows."""
    async with asyncio.timeout(PATIENCE_S):
        while (found := (await hub.api.get(f"/commands/{command}")).json())["state"] != state:  # noqa: ASYNC110 - nothing announces it here
            await asyncio.sleep(0.05)
    answered: dict[str, Any] = found
    return answered


@asynccontextmanager
async def kitchen(folder: Path, devices: str) -> AsyncIterator[Site]:
    """A box that runs the hub's first configuration."""
    async with site(folder, devices) as box:
        bundle = await box.hub.publish(devices)
        await box.hub.until("in_step", bundle=bundle, outcome="running")
        yield box


async def test_a_ticket_is_finished_first_and_printed_once(tmp_path: Path) -> None:
    printer = Printer(out_of_paper_at=300)
    async with in_the_network(printer) as port, kitchen(tmp_path, PRESS.format(port=port)) as box:
        hub = box.hub
        ticket = await sent(hub, "press", "print", order())
        await printer.until(lambda: printer.paper_out, within_s=PATIENCE_S)
        before = (await hub.config())["reported"]["bundle"]

        wanted = await hub.publish(PRESS.format(port=port) + CHANGE)
        waiting = await hub.until("waiting", about=wanted)
        assert "waiting for: press" in waiting["reported"]["detail"]
        assert waiting["reported"]["bundle"] == before, "nothing has changed yet"
        second = await sent(hub, "press", "print", order())
        printer.see_to()

        assert (await became(hub, ticket, "done"))["data"]["result"] == "printed"
        await hub.until("in_step", bundle=wanted, outcome="running")
        assert (await became(hub, second, "done"))["data"]["result"] == "printed"
        assert await box.edge.end() == 0
    one = PICTURE.height + printer.feed_rows
    assert is_whole(printer.rows[-one:], PICTURE)
    # A printer in doubt goes on from further up, where it may have lost rows; a second print would be longer.
    assert is_whole(printer.rows[:-one], PICTURE, breaks=3)
    assert len(printer.rows) < 2.5 * one


async def test_work_that_does_not_end_is_cut_off_after_its_patience_and_answered(tmp_path: Path) -> None:
    async with kitchen(tmp_path, MILL) as box:
        hub = box.hub
        endless = await sent(hub, "mill", "mill")
        begun = tmp_path / "data/devices/mill/begun"
        await box.seen(begun.exists)
        wanted = await hub.publish(MILL + CHANGE)
        await hub.until("in_step", bundle=wanted, outcome="running")
        assert (await became(hub, endless, "failed"))["data"] == {"reason": "interrupted"}
        assert begun.read_text().split() == [endless], "it is not begun again"
        assert await box.edge.end() == 0
    log = (tmp_path / "site.log").read_text()
    assert "devices_are_waited_for" in log
    assert "devices_are_cut_off" in log


async def test_whoever_cannot_wait_has_the_box_begin_anew_on_the_spot(tmp_path: Path) -> None:
    patient = MILL.replace("= 3 ", "= 600 ")
    async with kitchen(tmp_path, patient) as box:
        hub = box.hub
        endless = await sent(hub, "mill", "mill")
        await box.seen((tmp_path / "data/devices/mill/begun").exists)
        wanted = await hub.publish(patient + CHANGE)
        waiting = await hub.until("waiting", about=wanted)
        assert "mill" in waiting["reported"]["detail"]
        restart = await hub.api.post("/commands", json={"gateway": "g1", "name": "restart"})
        assert restart.status_code == 201
        await hub.until("in_step", bundle=wanted, outcome="running")
        assert (await became(hub, endless, "failed"))["data"] == {"reason": "interrupted"}
        assert await box.edge.end() == 0
