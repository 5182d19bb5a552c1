"""When a box renews its identity, and what it says while it cannot."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from drivers.contract import Report
from edge import config
from edge.enrolment import identity, renewal
from edge.enrolment.identity import Validity
from edge.enrolment.renewal import Outcome, Renewal, Renewed
from edge.hub_clock import HubClock
from protocol.clock import SystemClock
from protocol.messages import Event, EventState

SITE = """\
[gateway]
id = "g1"
[hub]
broker = "mqtts://127.0.0.1:9"
api = "https://127.0.0.1:9"
ca_file = "root.pem"
cert_file = "identity.pem"
key_file = "identity.pem"
"""
CLOCK = SystemClock()


class Box:
    """A renewal with its events; its identity ends in `left_s` and is due to be renewed `due_s` before that."""

    def __init__(self, folder: Path, *, left_s: float, due_s: float) -> None:
        self.file = folder / identity.IDENTITY
        self.said: asyncio.Queue[Event] = asyncio.Queue()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "root.pem")
        self._issued = authority.issue_cert("box.example", common_name="g1")
        self.turn_over(left_s=left_s, due_s=due_s)
        self.site = folder / "site.toml"
        self.site.write_text(SITE)
        self.hub_clock = HubClock(CLOCK)
        loaded = config.load(self.site)
        self.renewal = Renewal(loaded, self.site, self.hub_clock, CLOCK, tls=None, say=self._say)

    def turn_over(self, *, left_s: float, due_s: float) -> None:
        ends = CLOCK.now() + timedelta(seconds=left_s)
        validity = Validity(CLOCK.now(), ends - timedelta(seconds=due_s), ends)
        chain = "".join(each.bytes().decode() for each in self._issued.cert_chain_pems)
        self.file.write_bytes(identity.written(validity, self._issued.private_key_pem.bytes(), chain))

    async def next_event(self) -> Event:
        async with asyncio.timeout(30):
            return await self.said.get()

    async def _say(self, report: Report) -> None:
        assert isinstance(report.record, Event)
        self.said.put_nowait(report.record)


async def test_it_is_said_once_when_little_time_is_left_and_again_when_it_worked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(tmp_path, left_s=2.0, due_s=20.0)
    attempts = [Renewed(outcome=Outcome.UNAVAILABLE, reason="no way")] * 2 + [Renewed(outcome=Outcome.RENEWED)]

    async def attempt(_: Path) -> Renewed:
        outcome = attempts.pop(0)
        if outcome.outcome is Outcome.RENEWED:
            box.turn_over(left_s=9_000, due_s=3_000)
        return outcome

    monkeypatch.setattr(renewal, "_attempt", attempt)
    box.hub_clock.hear(CLOCK.now())
    running = asyncio.create_task(box.renewal.run())
    began, ended = await box.next_event(), await box.next_event()
    running.cancel()
    assert (began.type, began.state, began.data["reason"]) == ("certificate.not-renewed", EventState.BEGAN, "no way")
    assert (ended.id, ended.state) == (began.id, EventState.ENDED)
    assert attempts == []


async def test_what_the_hub_refuses_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(tmp_path, left_s=1_000, due_s=1_000)

    async def refused(_: Path) -> Renewed:
        return Renewed(outcome=Outcome.REFUSED, reason="revoked")

    monkeypatch.setattr(renewal, "_attempt", refused)
    box.hub_clock.hear(CLOCK.now())
    running = asyncio.create_task(box.renewal.run())
    assert (await box.next_event()).data["reason"] == "revoked"
    running.cancel()


async def test_a_door_that_does_not_answer_is_tried_in_a_process_of_its_own(tmp_path: Path) -> None:
    box = Box(tmp_path, left_s=100, due_s=100)
    renewed = await renewal._attempt(box.site)
    assert renewed.outcome is Outcome.UNAVAILABLE
    assert renewed.reason
    assert not box.file.with_name(identity.NEXT).exists()
    nonsense = await renewal._attempt(tmp_path / "no-such-file.toml")
    assert nonsense.outcome is Outcome.UNAVAILABLE


async def test_nothing_is_tried_before_the_hub_has_told_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This clock is a day ahead of the hub's, for which there is time enough."""
    box = Box(tmp_path, left_s=100, due_s=200)
    tried = asyncio.Event()

    async def attempt(_: Path) -> Renewed:
        tried.set()
        return Renewed(outcome=Outcome.UNAVAILABLE)

    monkeypatch.setattr(renewal, "_attempt", attempt)
    running = asyncio.create_task(box.renewal.run())
    await asyncio.sleep(0)
    assert not tried.is_set()
    box.hub_clock.hear(CLOCK.now() - timedelta(days=1))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not tried.is_set()
    box.hub_clock.hear(CLOCK.now())
    running.cancel()
    box.file.with_name(identity.NEXT).touch()
    begun_before = asyncio.create_task(box.renewal.run())
    async with asyncio.timeout(30):
        await tried.wait()
    begun_before.cancel()


async def test_a_box_that_was_not_enrolled_renews_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path, left_s=1, due_s=1)
    box.file.write_bytes(box.file.read_bytes().partition(b"\n\n")[2])
    async with asyncio.timeout(30):
        await box.renewal.run()
    assert box.said.empty()
