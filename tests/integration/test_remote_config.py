"""A box that takes its configuration from a hub: both as processes, with a proxy between them that can go silent."""

import asyncio
import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from edge.bundles import Bundles, Ledger
from protocol.clock import SystemClock
from tests.simulators.configured_site import site
from tests.simulators.edge_process import faketime

pytestmark = pytest.mark.timeout(300)  # whole programs, each beginning several others

GOOD = """
[health]
interval_s = 0.5
[devices.a]
driver = "tests.simulators.load_driver:SPEC"
options = {{ rate = {rate} }}
"""


async def test_a_box_runs_what_the_hub_wants_and_says_what_it_cannot_run(tmp_path: Path) -> None:
    async with site(tmp_path, "") as box:
        hub = box.hub
        before = await hub.until("unmanaged", outcome="running", bundle="")
        assert before["reported"]["config"] == {"health": {"interval_s": 0.5}}

        bundle = await hub.publish(GOOD.format(rate=20))
        after = await hub.until("in_step", outcome="running", bundle=bundle)
        assert after["differences"] == []
        gateway = (await hub.api.get("/gateways/g1")).json()
        assert gateway["config"] == bundle
        assert [device["device"] for device in (await hub.api.get("/devices")).json()["items"] if device["driver"]] == [
            "a"
        ]

        bad = await hub.publish(GOOD.format(rate='"fast"').replace("[health]", "[helth]"))
        refused = await hub.until("refused", about=bad)
        assert refused["reported"]["bundle"] == bundle
        assert "helth: no such section" in refused["reported"]["detail"]
        assert "devices.a" in refused["reported"]["detail"]
        assert {"health", "helth"} <= {each["path"] for each in refused["differences"]}

        third = await hub.publish(GOOD.format(rate=30))
        await hub.until("in_step", bundle=third)
        assert await box.edge.end() == 0
        assert "secret" not in (tmp_path / "site.log").read_text()


async def test_whoever_stands_before_the_box_has_it_look_on_the_spot(tmp_path: Path) -> None:
    def update(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "diwang", "edge", "update", "--config", str(tmp_path / "site.toml"), *more]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    async with site(tmp_path, "") as box:
        await box.hub.until("unmanaged")
        await box.edge.kill()
        assert "has not said" in update().stdout
        bundle = await box.hub.publish(GOOD.format(rate=20))
        ready = update()
        assert ready.returncode == 0, ready.stderr
        assert f"{bundle} 已就绪" in ready.stdout
        assert f"{bundle} is ready" in ready.stdout
        await box.edge.start()
        await box.hub.until("in_step", bundle=bundle)
        assert "runs what the hub wants" in update("--forget-trust").stdout
        await box.edge.kill()
        await box.hub.publish("[nonsense]\n")
        refused = update()
        assert refused.returncode == 1
        assert "nonsense: no such section" in refused.stderr
    lost = update()
    assert lost.returncode == 1
    assert "Out of reach" in lost.stderr


async def test_a_box_that_loses_the_hub_by_a_change_goes_back_by_itself(tmp_path: Path) -> None:
    async with site(tmp_path, "trial_s = 2\n", look_every_s=1) as box:
        good = await box.hub.publish(GOOD.format(rate=20))
        await box.hub.until("in_step", bundle=good)
        box.proxy.set(blackhole=True)  # the broker is gone for the box; the hub's door still answers
        lost = await box.hub.publish(GOOD.format(rate=40))
        await box.seen(lambda: box.bundles.read().about == lost and box.bundles.read().outcome == "returned")
        assert box.bundles.read().running == good
        box.proxy.clear()
        box.proxy.reset()
        returned = await box.hub.until("returned", about=lost)
        assert returned["reported"]["bundle"] == good
        assert "not heard within 2 s" in returned["reported"]["detail"]
        assert box.edge.process is not None
        assert box.edge.process.returncode is None
        events = (await box.hub.api.get("/events")).json()["items"]
        assert "configuration.returned" in {each["type"] for each in events}
        better = await box.hub.publish(GOOD.format(rate=41))
        await box.hub.until("in_step", bundle=better)


async def test_killed_at_any_moment_of_a_change_it_runs_the_old_or_the_new(tmp_path: Path) -> None:
    chance = random.Random(20261124)
    async with site(tmp_path, "") as box:
        running = await box.hub.publish(GOOD.format(rate=20))
        await box.hub.until("in_step", bundle=running)
        for rate in range(21, 24):
            wanted = await box.hub.publish(GOOD.format(rate=rate))
            await asyncio.sleep(chance.uniform(0.2, 1.6))
            await box.edge.kill()
            ledger = box.bundles.read()
            assert ledger.running in {running, wanted}
            assert box.bundles.has(ledger.running)
            await box.edge.start()
            await box.hub.until("in_step", bundle=wanted)
            running = wanted


async def test_a_box_whose_clock_is_wrong_by_decades_learns_how_late_it_is(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("-1700000000")
    async with site(tmp_path, "", look_every_s=2, environment=faketime(clock)) as box:
        for rate in (20, 21):
            bundle = await box.hub.publish(GOOD.format(rate=rate))
            await box.hub.until("in_step", bundle=bundle)
            floor = box.bundles.read().floor
            assert floor is not None
            assert abs(floor - SystemClock().now()) < timedelta(minutes=5)
            clock.write_text("+1700000000")


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"\xff\xfe"])
async def test_a_damaged_ledger_leaves_what_the_box_came_with(tmp_path: Path, damage: bytes) -> None:
    bundles = Bundles(tmp_path)
    bundles.write(Ledger(running="1-" + "0" * 12))
    (bundles.folder / "state.json").write_bytes(damage)
    assert bundles.read() == Ledger()
