"""Tickets over TCP onto an emulated printer: what ends on paper, and what is said of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.contract import Answer, Health, Rests, Works
from drivers.printer.driver import MOST_JOBS
from protocol.clock import SystemClock
from protocol.errors import DeviceRefusedError, DeviceUnreachableError
from protocol.messages import DeviceState, Receipt
from tests.simulators import printer_profiles
from tests.simulators.listened import Listened, opened
from tests.simulators.printer import Printer, in_the_network
from tests.simulators.sheets import ADDRESS, is_whole, order, picture_of, read_code, record

CLOCK = SystemClock()
PICTURE = picture_of(record())
TICKET_BYTES = 24_000
"""About what the record is as bytes."""


@pytest.fixture(autouse=True)
def _profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIWANG_FIRMWARE_CONFIGS", str(printer_profiles.write(tmp_path / "profiles")))


@asynccontextmanager
async def site(printer: Printer, folder: Path, profile: str = "quick", **options: Any) -> AsyncIterator[Listened]:
    async with in_the_network(printer) as port:
        line = {"kind": "tcp", "host": "127.0.0.1", "port": port}
        async with opened("printer", "press", {"line": line, "profile": profile, **options}, folder / "box") as device:
            yield device


async def do(device: Listened, args: dict[str, Any] | None = None) -> Answer:
    assert isinstance(device.driver, Works)
    async with asyncio.timeout(60):
        return await device.driver.work(CLOCK.new_id(), "print", order() if args is None else args)


async def result(device: Listened, args: dict[str, Any] | None = None) -> str:
    said: str = (await do(device, args)).data["result"]
    return said


async def matter(device: Listened, words: str) -> Health:
    """Wait until the device says that it is so."""
    async with asyncio.timeout(30):
        while words not in (health := await device.health()).detail:
            pass
    return health


async def test_a_ticket_is_on_paper_dot_by_dot_and_said_to_be_printed(tmp_path: Path) -> None:
    printer = Printer()
    async with site(printer, tmp_path) as device:
        assert await device.health() == Health(DeviceState.OK)
        assert (await do(device)).data == {"result": "printed", "detail": ""}
        assert (await device.record(Receipt)).result == "printed"
    assert is_whole(printer.rows, PICTURE)
    assert read_code(printer.picture) == ADDRESS
    assert printer.dropped == 0


@pytest.mark.parametrize("dialect", ["tspl", "cpcl", "zpl"])
async def test_page_languages_print_as_well(dialect: str, tmp_path: Path) -> None:
    printer = Printer(dialect=dialect)
    async with site(printer, tmp_path, f"quick-{dialect}") as device:
        assert await result(device) == "printed"
    assert is_whole(printer.rows, PICTURE)


@pytest.mark.parametrize(("answers", "silent"), [("quick-silent", True), ("quick-status", False)])
async def test_a_printer_that_cannot_say_so_has_not_printed(answers: str, tmp_path: Path, *, silent: bool) -> None:
    printer = Printer(silent=silent)
    async with site(printer, tmp_path, answers) as device:
        assert await result(device) == "sent_unconfirmed"
        assert (await device.record(Receipt)).result == "sent_unconfirmed"
        await printer.until(lambda: is_whole(printer.rows, PICTURE))


@pytest.mark.parametrize("policy", ["resume", "reprint"])
@pytest.mark.parametrize("fault", ["cut_at", "switched_off_at"])
async def test_cut_at_any_tenth_the_paper_is_whole_in_the_end(fault: str, policy: str, tmp_path: Path) -> None:
    async def cut(part: int) -> None:
        printer = Printer()
        setattr(printer, fault, part * TICKET_BYTES // 10)
        async with site(printer, tmp_path / str(part), broken_off=policy) as device:
            assert await result(device) == "printed"
            await matter(device, "out of reach")
        assert printer.connections == 3
        assert is_whole(printer.rows, PICTURE, breaks=1)
        assert read_code(printer.picture) == ADDRESS
        if policy == "reprint":
            assert is_whole(printer.rows[-(PICTURE.height + printer.feed_rows) :], PICTURE)

    async with asyncio.TaskGroup() as printers:
        for part in range(1, 11):
            printers.create_task(cut(part))


async def test_paper_that_runs_out_is_said_and_the_ticket_goes_on_where_it_was(tmp_path: Path) -> None:
    printer = Printer(out_of_paper_at=300)
    async with site(printer, tmp_path) as device:
        job = asyncio.create_task(result(device))
        await printer.until(lambda: printer.paper_out)
        health = await matter(device, "paper out")
        assert health.status is DeviceState.DEGRADED
        assert "缺纸" in health.detail
        assert not job.done()
        printer.see_to()
        assert await job == "printed"
        assert (await device.health()).status is DeviceState.OK
    assert is_whole(printer.rows, PICTURE)
    assert printer.connections == 2


@pytest.mark.parametrize("policy", ["resume", "reprint"])
async def test_what_a_printer_forgot_when_its_cover_was_opened_is_printed_again(policy: str, tmp_path: Path) -> None:
    printer = Printer(out_of_paper_at=300, forgets_when_opened=True)
    async with site(printer, tmp_path, broken_off=policy) as device:
        job = asyncio.create_task(result(device))
        await matter(device, "paper out")
        printer.open_cover()
        await matter(device, "cover open")
        printer.see_to()
        assert await job == "printed"
    assert is_whole(printer.rows, PICTURE, breaks=1)
    assert len(printer.rows) > PICTURE.height + 300 * (policy == "reprint")


async def test_a_cover_that_is_opened_while_it_prints_loses_nothing(tmp_path: Path) -> None:
    printer = Printer(forgets_when_opened=True)
    async with site(printer, tmp_path) as device:
        job = asyncio.create_task(result(device))
        await printer.until(lambda: len(printer.rows) > 200)
        printer.open_cover()
        await matter(device, "cover open")
        printer.see_to()
        assert await job == "printed"
    assert is_whole(printer.rows, PICTURE, breaks=1)


async def test_paper_that_ends_with_the_ticket_is_waited_for_before_it_is_called_printed(tmp_path: Path) -> None:
    printer = Printer(out_of_paper_at=PICTURE.height - 10)
    async with site(printer, tmp_path) as device:
        job = asyncio.create_task(result(device))
        await matter(device, "paper out")
        assert not job.done()
        printer.see_to()
        assert await job == "printed"
    assert is_whole(printer.rows, PICTURE, breaks=1)


@pytest.mark.parametrize(
    ("flag", "words"), [("paper_out", "缺纸"), ("cover_open", "cover open"), ("overheated", "过热")]
)
async def test_a_printer_that_wants_a_hand_is_not_sent_to(flag: str, words: str, tmp_path: Path) -> None:
    printer = Printer()
    setattr(printer, flag, True)
    async with site(printer, tmp_path) as device:
        await matter(device, words)
        job = asyncio.create_task(result(device))
        await printer.until(lambda: printer.connections == 2)
        printer.see_to()
        assert await job == "printed"
    assert is_whole(printer.rows, PICTURE)


async def test_nobody_comes_and_the_job_has_failed(tmp_path: Path) -> None:
    printer = Printer(paper_out=True)
    async with site(printer, tmp_path, hand_within_s=0.5) as device:
        answer = await do(device)
        assert answer.data["result"] == "failed"
        assert "paper out" in answer.data["detail"]
        assert (await device.record(Receipt)).detail == answer.data["detail"]
    assert printer.rows == []


async def test_paper_that_is_nearly_at_its_end_is_said_and_prints(tmp_path: Path) -> None:
    printer = Printer(paper_near_end=True)
    async with site(printer, tmp_path) as device:
        assert (await matter(device, "nearly at its end")).status is DeviceState.DEGRADED
        assert await result(device) == "printed"


async def test_a_printer_that_falls_silent_is_not_said_to_have_printed(tmp_path: Path) -> None:
    printer = Printer()
    async with site(printer, tmp_path, back_within_s=0.5) as device:
        job = asyncio.create_task(result(device))
        await printer.until(lambda: len(printer.rows) > 200)
        printer.silent = True
        await matter(device, "does not answer")
        printer.silent = False
        assert await job == "printed"
    assert is_whole(printer.rows, PICTURE, breaks=1)


async def test_two_jobs_at_once_are_printed_one_after_the_other(tmp_path: Path) -> None:
    printer = Printer()
    async with site(printer, tmp_path) as device:
        assert set(await asyncio.gather(result(device), result(device))) == {"printed"}
        receipts = [await device.record(Receipt) for _ in range(2)]
    assert len({receipt.job for receipt in receipts}) == 2
    half = PICTURE.height + printer.feed_rows
    assert len(printer.rows) == 2 * half
    assert all(is_whole(rows, PICTURE) for rows in (printer.rows[:half], printer.rows[half:]))


async def test_copies_are_printed_as_often_as_they_are_ordered(tmp_path: Path) -> None:
    printer = Printer()
    async with site(printer, tmp_path) as device:
        assert await result(device, order(copies=2)) == "printed"
    assert len(printer.rows) == 2 * (PICTURE.height + printer.feed_rows)


async def test_more_jobs_than_it_takes_are_refused(tmp_path: Path) -> None:
    printer = Printer(paper_out=True)
    async with site(printer, tmp_path) as device:
        jobs = [asyncio.create_task(result(device)) for _ in range(MOST_JOBS)]
        await matter(device, "paper out")
        with pytest.raises(DeviceRefusedError, match="wait already"):
            await do(device)
        printer.see_to()
        assert set(await asyncio.gather(*jobs)) == {"printed"}


async def test_it_is_at_rest_once_every_job_that_it_took_is_over(tmp_path: Path) -> None:
    printer = Printer(paper_out=True)
    async with site(printer, tmp_path) as device:
        assert isinstance(device.driver, Rests)
        jobs = [asyncio.create_task(result(device)) for _ in range(2)]
        await matter(device, "paper out")
        resting = asyncio.create_task(device.driver.at_rest().__aenter__())
        await printer.until(lambda: printer.connections > 0)
        assert not resting.done()
        printer.see_to()
        await resting
        assert [job.done() or (await job) for job in jobs]
        assert len(printer.rows) == 2 * (PICTURE.height + printer.feed_rows)


async def test_closing_lets_in_who_waits_for_it_to_rest(tmp_path: Path) -> None:
    printer = Printer(paper_out=True)
    async with site(printer, tmp_path) as device:
        assert isinstance(device.driver, Rests)
        job = asyncio.create_task(result(device))
        await matter(device, "paper out")
        resting = asyncio.create_task(device.driver.at_rest().__aenter__())
    async with asyncio.timeout(30):
        await resting
        assert await job in {"failed", "interrupted"}, "as far as it had come"


async def test_cancelled_in_the_middle_the_ticket_ends_and_the_next_is_whole(tmp_path: Path) -> None:
    printer = Printer()
    async with site(printer, tmp_path) as device:
        assert isinstance(device.driver, Works)
        number = CLOCK.new_id()
        job = asyncio.create_task(device.driver.work(number, "print", order()))
        await printer.until(lambda: len(printer.rows) > 200)
        assert (await device.obey("cancel", job=str(number))).data["result"] == "cancelled"
        assert (await job).data["result"] == "cancelled"
        await printer.until(lambda: printer.at_rest)
        before = len(printer.rows)
        assert before < PICTURE.height
        assert await result(device) == "printed"
    assert is_whole(printer.rows[before:], PICTURE)


@pytest.mark.parametrize("which", [0, 1], ids=["for paper", "for its turn"])
async def test_a_job_that_waits_can_be_cancelled(which: int, tmp_path: Path) -> None:
    printer = Printer(paper_out=True)
    async with site(printer, tmp_path) as device:
        assert isinstance(device.driver, Works)
        numbers = [CLOCK.new_id(), CLOCK.new_id()]
        jobs = [asyncio.create_task(device.driver.work(number, "print", order())) for number in numbers]
        await printer.until(lambda: printer.connections == 2)
        while True:
            try:
                answer = await device.obey("cancel", job=str(numbers[which]))
            except DeviceRefusedError:
                await asyncio.sleep(0.02)  # it is still being set: nothing announces when it waits
            else:
                break
        assert answer.data["result"] == "cancelled"
        printer.see_to()
        results = tuple([(await job).data["result"] for job in jobs])
        assert results == [("printed", "cancelled"), ("cancelled", "printed")][1 - which]
    assert is_whole(printer.rows, PICTURE)


@pytest.mark.parametrize("args", [{}, {"document": 7}, order() | {"copies": 99}, {"document": {"blocks": []}}])
async def test_what_is_no_document_is_refused_and_leaves_no_receipt(args: dict[str, Any], tmp_path: Path) -> None:
    printer = Printer()
    async with site(printer, tmp_path) as device:
        with pytest.raises(DeviceRefusedError, match="not to be printed"):
            await do(device, args)
        with pytest.raises(DeviceRefusedError):
            await device.obey("cancel", job="nobody")
    assert list((tmp_path / "box" / "jobs").iterdir()) == []


async def test_closed_in_the_middle_a_job_is_told_as_interrupted_and_never_begun_again(tmp_path: Path) -> None:
    printer = Printer()
    async with in_the_network(printer) as port:
        options = {"line": {"kind": "tcp", "host": "127.0.0.1", "port": port}, "profile": "quick"}
        async with opened("printer", "press", options, tmp_path / "box") as device:
            jobs = [asyncio.create_task(result(device)) for _ in range(2)]
            await printer.until(lambda: len(printer.rows) > 200)
        assert sorted([await job for job in jobs]) == ["failed", "interrupted"]
        for keeps in (False, True):  # what is not on the box's disk is told again
            async with opened("printer", "press", options, tmp_path / "box") as device:
                device.keeps = keeps
                receipts = [await device.record(Receipt) for _ in range(2)]
            assert sorted(receipt.result for receipt in receipts) == ["failed", "interrupted"]
        async with opened("printer", "press", options, tmp_path / "box") as device:
            assert isinstance(await device.health(), Health)
            assert device.waiting() == []
            assert await result(device) == "printed"
    assert is_whole(printer.rows[-(PICTURE.height + printer.feed_rows) :], PICTURE)
    assert read_code(printer.picture) == ADDRESS


async def test_a_printer_that_is_gone_is_lost_and_a_job_for_it_fails(tmp_path: Path) -> None:
    printer = Printer()
    async with in_the_network(printer) as port:
        options = {"line": {"kind": "tcp", "host": "127.0.0.1", "port": port}, "profile": "quick", "back_within_s": 0.5}
        gone = opened("printer", "press", options, tmp_path / "box")
        device = await gone.__aenter__()
        await device.health()
    answer = await do(device)
    assert answer.data["result"] == "failed"
    with pytest.raises(DeviceUnreachableError):
        await device.fails()
    await gone.__aexit__(None, None, None)


async def test_what_looks_like_a_question_in_a_picture_is_answered_and_does_no_harm(tmp_path: Path) -> None:
    """A printer answers DLE EOT wherever it stands, also among the dots."""
    printer = Printer()
    async with site(printer, tmp_path) as device:
        job = asyncio.create_task(result(device))
        await printer.until(lambda: len(printer.rows) > 100)
        for _ in range(20):
            if printer.speak:
                printer.speak(b"\x12")
            await asyncio.sleep(0.01)
        assert await job == "printed"
    assert is_whole(printer.rows, PICTURE)
