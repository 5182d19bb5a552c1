"""What the agent does for an installer on the same box: begins anew on SIGHUP, and says what its devices said last."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

from drivers.contract import Report
from edge import standing as standings
from edge.recent import FIXES, Recent
from edge.standing import Standing
from protocol.messages import DeviceState, Position, Reading, Receipt
from tests.simulators.edge_process import EdgeProcess, site
from tests.simulators.hub_standin import HubStandIn, connected
from tests.simulators.nats_server import nats_server

AT = datetime(2026, 11, 25, 9, tzinfo=UTC)


def fix(second: float) -> Report:
    return Report(Position(device="gps-1", at=AT + timedelta(seconds=second), latitude=30.0, longitude=120.0))


async def until(folder: Path, wanted: set[str], started_after: datetime | None = None) -> Standing:
    """Wait until the agent says that these devices are well."""
    async with asyncio.timeout(30):
        while True:
            standing = standings.read(folder)
            if standing is not None and (started_after is None or standing.started_at > started_after):
                well = {each.device for each in standing.state.devices if each.status is DeviceState.OK}
                if well == wanted:
                    return standing
            await asyncio.sleep(0.1)  # a file tells nobody


async def test_it_begins_anew_with_what_the_file_says_now_however_often_it_is_told(tmp_path: Path) -> None:
    async with nats_server(tmp_path / "nats") as broker, connected(HubStandIn(), broker.mqtt_port):
        config = site(tmp_path, broker.mqtt_port, devices={"a": "rate = 5"})
        edge = await EdgeProcess(config).start()
        first = await until(tmp_path / "data", {"a"})
        more = (
            config.read_text() + '[devices.b]\ndriver = "tests.simulators.load_driver:SPEC"\noptions = { rate = 5 }\n'
        )
        config.write_text(more)
        for _ in range(20):  # while it ends, while it begins, and in between
            os.kill(edge.pid, signal.SIGHUP)
            await asyncio.sleep(0.05)
        second = await until(tmp_path / "data", {"a", "b"}, first.started_at)
        assert second.pid == first.pid
        assert await edge.end() in {0, -signal.SIGTERM}  # it may just be beginning once more


def test_fixes_are_kept_about_one_a_second_and_no_more_than_a_minute_of_them() -> None:
    lately = Recent(asyncio.Event())
    for tenth in range(10 * (FIXES + 30)):
        lately.hear(fix(tenth / 10))
    kept = lately.fixes["gps-1"]
    assert len(kept) == FIXES
    assert all(later.at - earlier.at >= timedelta(seconds=0.9) for earlier, later in pairwise(kept))
    assert kept[-1].at >= AT + timedelta(seconds=FIXES + 28)


def test_a_receiver_that_goes_back_in_time_is_still_heard() -> None:
    lately = Recent(asyncio.Event())
    for second in (100, 101, 50, 51):
        lately.hear(fix(second))
    assert [position.at for position in lately.fixes["gps-1"]][-1] == AT + timedelta(seconds=51)


def test_a_receipt_is_told_at_once_and_readings_are_not() -> None:
    changed = asyncio.Event()
    lately = Recent(changed)
    lately.hear(Report(Reading(device="a", at=AT, values={"x": 1.0})))
    assert not changed.is_set()
    assert (lately.fixes, lately.receipts) == ({}, ())
    lately.hear(Report(receipt := Receipt(device="p", at=AT, job=str(uuid4()), result="printed")))
    assert changed.is_set()
    assert lately.receipts == (receipt,)
