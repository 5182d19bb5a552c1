"""The terminal driver with terminals that call over TCP: the whole dialogue, and those who misbehave."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.terminal.jt808 import session, terminal
from protocol.datums import Datum, Place
from protocol.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from protocol.messages import DeviceState, Event, EventState, Position, Reading
from tests.simulators import jt808_terminal as unit
from tests.simulators.listened import Listened, opened
from tests.simulators.ports import free_port

JT808 = "drivers.terminal.jt808:SPEC"
PHONE = "13912345678"
DONE, FAILED, WRONG, UNSUPPORTED = range(4)


def now(seconds: float = 0) -> datetime:
    """The box's time to the second, as a terminal can say it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


def box(folder: Path, port: int, device: str = "van-7", **options: Any) -> AbstractAsyncContextManager[Listened]:
    chosen = {"phone": "0" + PHONE, "host": "127.0.0.1", "port": port, **options}
    return opened(JT808, device, chosen, folder / device)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.mark.parametrize("year", [2013, 2019])
async def test_a_terminal_signs_on_and_reports(tmp_path: Path, port: int, year: int) -> None:
    at = now()
    async with box(tmp_path, port) as van, unit.calling(port, year=year) as caller:
        assert len(await caller.sign_on()) == 16
        assert (await van.health()).status == DeviceState.OK
        serial = await caller.say(0x0200, unit.location(at, items=unit.item(0x01, unit.double(1234))))
        assert await caller.answered() == (serial, 0x0200, DONE)
        serial = await caller.say(0x0002)
        assert await caller.answered() == (serial, 0x0002, DONE)
        await caller.say(0x0004)
        number, _, body = await caller.hear()
        assert number == 0x8004
        assert body.hex()[:6] == f"{now():%y%m%d}"
        position = await van.record(Position)
        assert (position.at, position.latitude, position.longitude, position.flags) == (at, 24.57, 118.10, ())
        assert (await van.record(Reading)).values == {"ignition": True, "mileage_km": 123.4}


async def test_who_it_is_is_told_once_it_has_shown_it(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port) as van, unit.calling(port) as caller:
        await caller.sign_on()
        told = (await van.record(Reading)).values
    assert told == {"maker": "DWANG", "model": "P-1", "terminal": "T000001", "plate": "闽D12345"}


async def test_a_terminal_hears_that_it_is_safe_only_when_it_is(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port) as van, unit.calling(port) as caller:
        await caller.sign_on()
        van.keeps = False
        serial = await caller.say(0x0200, unit.location(now()))
        await van.record(Position)
        heartbeat = await caller.say(0x0002)
        assert await caller.answered() == (heartbeat, 0x0002, DONE)
        van.keeps = True
        van.keep()
        assert await caller.answered() == (serial, 0x0200, DONE)


async def test_what_the_box_thins_out_is_answered_too(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_ANSWER_AT_LATEST_S", 0.05)
    async with box(tmp_path, port) as van, unit.calling(port) as caller:
        await caller.sign_on()
        van.keeps = False
        serial = await caller.say(0x0200, unit.location(now()))
        assert await caller.answered() == (serial, 0x0200, DONE)


async def test_what_comes_twice_is_told_once_and_answered_twice(tmp_path: Path, port: int) -> None:
    at = now()
    async with box(tmp_path, port, values_every_s=0) as van, unit.calling(port) as caller:
        await caller.sign_on()
        for seconds in (0, 0, 5):
            serial = await caller.say(0x0200, unit.location(at + timedelta(seconds=seconds)))
            assert await caller.answered() == (serial, 0x0200, DONE)
        assert [(await van.record(Position)).at - at for _ in range(2)] == [timedelta(0), timedelta(seconds=5)]


async def test_a_terminal_that_reports_in_gcj02_is_told_in_wgs84_also_when_it_is_asked(
    tmp_path: Path, port: int
) -> None:
    true = Place(31.30, 120.60)
    shifted = true.to(Datum.GCJ02)
    async with box(tmp_path, port, datum="gcj02") as van, unit.calling(port) as caller:
        await caller.sign_on()
        for second, status in enumerate((0b11, 0b100011)):  # marked by the terminal as shifted or not
            await caller.say(0x0200, unit.location(now(second), shifted.latitude, shifted.longitude, status=status))
            await caller.answered()
            position = await van.record(Position)
            assert (position.latitude, position.longitude) == pytest.approx((31.30, 120.60), abs=1.1e-6)
            assert position.flags == ("from_gcj02",)
        asking = asyncio.create_task(van.obey("locate"))
        number, serial, _ = await caller.hear()
        assert number == 0x8201
        await caller.say(0x0201, unit.word(serial) + unit.location(now(3), shifted.latitude, shifted.longitude))
        told = (await asking).data["position"]
        assert (told["latitude"], told["longitude"]) == pytest.approx((31.30, 120.60), abs=1.1e-6)


async def test_a_blind_area_is_told_in_full_also_in_parts(tmp_path: Path, port: int) -> None:
    times = [now(-3600 + 10 * number) for number in range(30)]
    body = unit.batch(*(unit.location(at, 24.5 + number / 1000) for number, at in enumerate(times)))
    pieces = [body[start : start + 400] for start in range(0, len(body), 400)]
    async with box(tmp_path, port) as van, unit.calling(port) as caller:
        await caller.sign_on()
        for number, piece in enumerate(pieces, start=1):
            serial = await caller.say(0x0704, piece, part=(len(pieces), number))
            assert await caller.answered() == (serial, 0x0704, DONE)
        positions = [await van.record(Position) for _ in times]
    assert len(pieces) > 2
    assert [position.at for position in positions] == times
    assert {position.flags for position in positions} == {()}


async def test_alarms_begin_and_end_once_and_across_a_restart(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port) as van, unit.calling(port) as caller:
        code = await caller.sign_on()
        for alarms, second in ((0b1, 0), (0b1, 1)):
            await caller.say(0x0200, unit.location(now(second), alarms=alarms))
            await caller.answered()
        began = await van.record(Event)
    assert (began.type, began.state, began.severity) == ("terminal.emergency", EventState.BEGAN, "critical")
    async with box(tmp_path, port) as van, unit.calling(port) as caller:
        assert await caller.authenticate(code) == DONE
        await caller.say(0x0704, unit.batch(unit.location(now(-600), alarms=1 << 8)))
        await caller.say(0x0200, unit.location(now(2), alarms=0))
        ended = await van.record(Event)
    assert (ended.id, ended.type, ended.state) == (began.id, "terminal.emergency", EventState.ENDED)


async def test_an_alarm_within_the_same_second_and_after_a_clock_that_ran_ahead_is_told(
    tmp_path: Path, port: int
) -> None:
    at = now()
    async with box(tmp_path, port) as van, unit.calling(port) as caller:
        await caller.sign_on()
        await caller.say(0x0200, unit.location(now(86_400)))
        await caller.say(0x0200, unit.location(at))
        await caller.say(0x0200, unit.location(at, alarms=1))
        assert (await van.record(Event)).type == "terminal.emergency"


async def test_no_position_without_a_fix(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port, no_fix_after_s=0.3, values_every_s=0) as van, unit.calling(port) as caller:
        await caller.sign_on()
        for second, status in enumerate((0b01, 0b100011, 0b11)):
            place = (0.0, 0.0) if second == 2 else (24.5, 118.1)
            serial = await caller.say(0x0200, unit.location(now(second), *place, status=status))
            assert await caller.answered() == (serial, 0x0200, DONE)
        while (degraded := await van.health()).status == DeviceState.OK:
            pass  # signed on in time
        assert (degraded.status, degraded.detail) == (DeviceState.DEGRADED, "no valid fix for 0.3 s")
        await caller.say(0x0200, unit.location(now(3)))
        assert (await van.health()).status == DeviceState.OK
        assert (await van.record(Position)).at == now(3)


async def test_a_clock_that_is_off_is_flagged(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port) as van, unit.calling(port) as caller:
        await caller.sign_on()
        await caller.say(0x0200, unit.location(now(-86_400 * 200)))
        assert (await van.record(Position)).flags == (terminal.CLOCK_OFF,)


async def test_locate_asks_the_terminal(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with box(tmp_path, port) as van:
        with pytest.raises(DeviceUnreachableError, match="not connected"):
            await van.obey("locate")
        async with unit.calling(port) as caller:
            await caller.sign_on()
            await van.health()
            for status, outcome in ((0b11, 24.5), (0b00, None)):
                asking = asyncio.create_task(van.obey("locate"))
                number, question, body = await caller.hear()
                assert (number, body) == (0x8201, b"")
                await caller.say(0x0201, unit.word((question + 1) & 0xFFFF) + unit.location(now(), 1.0))  # to nothing
                await caller.say(0x0201, unit.word(question) + unit.location(now(), 24.5, status=status))
                if outcome is None:
                    with pytest.raises(DeviceRefusedError, match="no fix"):
                        await asking
                else:
                    answer = await asking
                    assert answer.data["position"]["latitude"] == outcome
                    assert [report.record.device for report in answer.reports] == ["van-7"]
            monkeypatch.setattr(session, "_ANSWER_S", 0.05)
            with pytest.raises(DeviceUnreachableError, match="does not answer"):
                await van.obey("locate")
            monkeypatch.undo()
            asking = asyncio.create_task(van.obey("locate"))
            await caller.hear()
            await caller.hear()
        with pytest.raises(DeviceUnreachableError, match="left"):
            await asking


async def test_who_does_not_authenticate_is_heard_of_nothing(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port, counters_every_s=0.5) as van:
        async with unit.calling(port) as caller:
            await caller.register()
            for number, body in (
                (0x0200, unit.location(now())),
                (0x0002, b""),
                (0x0102, b"guess"),
                (0x0102, "码".encode("gbk")),
            ):
                serial = await caller.say(number, body)
                assert await caller.answered() == (serial, number, FAILED)
            await caller.say(0x0200, unit.location(now()))
            await caller.gone()
        counters = await van.record(Reading)
        while counters.values.get("unauthenticated") != 5.0:
            counters = await van.record(Reading)
        assert counters.values["connected"] is False


async def test_another_unit_with_the_same_number_gets_no_code(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port):
        async with unit.calling(port) as caller:
            code = await caller.sign_on()
        async with unit.calling(port) as thief:
            assert await thief.register("T000666") == (4, "")
        async with unit.calling(port) as caller:
            assert await caller.register() == (0, code)
    assert (tmp_path / "van-7" / "terminal.json").stat().st_mode & 0o777 == 0o600
    async with box(tmp_path, port, terminal_id="T000002"), unit.calling(port) as successor:
        assert await successor.register() == (4, "")
        result, fresh = await successor.register("T000002")
        assert result == 0
        assert fresh != code
        assert await successor.authenticate(code) == FAILED
        assert await successor.authenticate(fresh) == DONE


async def test_an_unknown_terminal_is_hung_up_on(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port), unit.calling(port, "13900000000") as stranger:
        await stranger.say(0x0100, unit.registration())
        assert await stranger.gone() == b""


async def test_a_terminal_that_reconnects_takes_over(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port) as van, unit.calling(port) as earlier:
        code = await earlier.sign_on()
        async with unit.calling(port) as later:
            assert await later.authenticate(code) == DONE
            await earlier.gone()
            await later.say(0x0200, unit.location(now()))
            await van.record(Position)


async def test_one_port_serves_several_devices(tmp_path: Path, port: int) -> None:
    other = "13800000000"
    async with box(tmp_path, port) as van, box(tmp_path, port, "van-8", phone=other) as second:
        async with unit.calling(port) as caller, unit.calling(port, other, year=2019) as other_caller:
            await caller.sign_on()
            await other_caller.sign_on()
            await caller.say(0x0200, unit.location(now(), 24.1))
            await other_caller.say(0x0200, unit.location(now(), 24.2))
            assert (await van.record(Position)).latitude == 24.1
            assert (await second.record(Position)).latitude == 24.2
            async with unit.calling(port) as mixed:
                await mixed.register()
                await mixed.send(unit.frame(0x0002, b"", phone=other, serial=1))
                await mixed.gone()
        with pytest.raises(ConfigurationError, match="two devices have the telephone number"):
            async with box(tmp_path, port, "van-9", phone=other):
                pass
    async with box(tmp_path, port), unit.calling(port) as caller:
        await caller.sign_on()


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DeviceUnreachableError, match="the port is taken"):
            async with box(tmp_path, port):
                pass


async def test_silence_is_a_lost_device(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port, silent_after_s=0.4) as van, unit.calling(port) as caller:
        await caller.sign_on()
        with pytest.raises(DeviceUnreachableError, match="silent"):
            await van.fails()
        await caller.gone()


async def test_single_bytes_do_not_keep_a_connection(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_STRANGER_S", 0.3)
    async with box(tmp_path, port), unit.calling(port) as slow:

        async def dribble() -> None:
            while True:
                await slow.send(b"x")
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(dribble())
        assert await slow.gone() == b""
        dribbling.cancel()
        await asyncio.wait((dribbling,))


async def test_garbage_ends_a_connection_and_nothing_else(tmp_path: Path, port: int) -> None:
    async with box(tmp_path, port) as van, unit.calling(port) as noisy, unit.calling(port) as caller:
        await caller.sign_on()
        await noisy.send(b"~garbage" * 200)
        await noisy.gone()
        await caller.send(b"~broken~" + unit.frame(0x0002, b"", phone=PHONE, serial=77))
        assert await caller.answered() == (77, 0x0002, DONE)
        for number, body, result in (
            (0x0200, b"short", WRONG),
            (0x0704, b"\0\1\0", WRONG),
            (0x0900, b"transparent", UNSUPPORTED),
        ):
            serial = await caller.say(number, body)
            assert await caller.answered() == (serial, number, result)
        encrypted = bytearray(unit.opened(unit.frame(0x0200, unit.location(now()), phone=PHONE, serial=78)))
        encrypted[2] |= 0b0000_0100
        await caller.send(unit.enclosed(bytes(encrypted)))
        assert await caller.answered() == (78, 0x0200, UNSUPPORTED)
        await caller.say(0x0200, unit.location(now()))
        await van.record(Position)


async def test_a_terminal_that_does_not_read_is_cut_off(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_UNSENT_BYTES", -1)
    async with box(tmp_path, port), unit.calling(port) as deaf:
        await deaf.say(0x0100, unit.registration())
        assert await deaf.gone() == b""


async def test_while_the_box_takes_nothing_the_terminal_waits(tmp_path: Path, port: int) -> None:
    """Nothing is read beyond a bounded queue, nothing is answered, and nothing is lost when it goes on."""
    async with box(tmp_path, port) as van, unit.calling(port) as caller:
        await caller.sign_on()
        for second in range(300):
            await caller.say(0x0200, unit.location(now(-1000 + second)))
        positions = [await van.record(Position) for _ in range(300)]
    assert len({position.at for position in positions}) == 300


async def test_a_code_that_cannot_be_read_is_not_replaced(tmp_path: Path, port: int) -> None:
    (tmp_path / "van-7").mkdir()
    (tmp_path / "van-7" / "terminal.json").write_bytes(b"{")
    with pytest.raises(ConfigurationError, match=r"terminal\.json"):
        async with box(tmp_path, port):
            pass
