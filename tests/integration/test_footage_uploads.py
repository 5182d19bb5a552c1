"""Footage on its way: the real carrying process, a strict server that may be killed, a line that breaks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from random import Random

import httpx
import msgspec
import pytest

from drivers.footage import Carriage, note_carriage
from edge import tus
from edge.carrying import WRONG
from edge.tus import Carrier
from edge.upload_pace import LARGEST, SMALLEST, Pace, Valve
from edge.upload_words import waiting
from protocol.clock import ManualClock, SystemClock
from protocol.errors import UplinkUnavailableError
from tests.simulators.fault_proxy import FaultProxy
from tests.simulators.footage_box import Carrying, FootageBox, clip_of, noise
from tests.simulators.ports import free_port
from tests.simulators.tus_server import TusServer, tus_server

CLOCK = SystemClock()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TusServer]:
    async with tus_server(tmp_path / "hub") as running:
        yield running


def carrier_to(client: httpx.AsyncClient, *, limit: float = 0.0) -> Carrier:
    return Carrier(client, Valve(limit, CLOCK), CLOCK, keep_for=timedelta(days=7))


async def test_clips_are_carried_in_order_and_confirmed(server: TusServer, tmp_path: Path) -> None:
    box = FootageBox(tmp_path / "box", server.port)
    first, second = box.keep(noise(3_000_001, 1)), box.keep(noise(70_000, 2))
    carrying = await Carrying(box).start()
    outcomes = [await carrying.hear(), await carrying.hear(), await carrying.hear()]
    assert [each and (each.sha256, each.refused) for each in outcomes] == [
        (first.sha256, ""),
        (second.sha256, ""),
        None,
    ]
    assert await carrying.end() == 0
    assert server.kept == {first.sha256: noise(3_000_001, 1), second.sha256: noise(70_000, 2)}
    state = box.carriage(first)
    assert state.confirmed_at is not None
    assert state.keep_until == state.confirmed_at + timedelta(days=7)
    assert waiting(box.config.data, CLOCK.now()) == []
    assert server.complaints == ""


async def test_kills_of_either_side_cost_no_byte(server: TusServer, tmp_path: Path) -> None:
    """The long run of this is tests.faults.footage; this one is short and seeded."""
    chance = Random(6)
    async with FaultProxy(server.port) as line:
        line.set(rate=6_000_000)
        box = FootageBox(tmp_path / "box", line.port)
        content = noise(12 << 20)
        clip = box.keep(content)
        carrying = await Carrying(box).start()
        for kill in range(6):
            await passed(line, chance.randrange(300_000, 900_000))
            if kill % 2:
                await server.kill()
                await server.start()
            else:
                await carrying.kill()
                await carrying.start()
        line.clear()
        await until_confirmed(carrying, clip.sha256)
        await carrying.kill()
    assert server.kept == {clip.sha256: content}
    assert line.counters.bytes_up < 1.3 * len(content)
    assert server.complaints == ""


async def passed(line: FaultProxy, size: int) -> None:
    """Wait until so many bytes more have gone up."""
    goal = line.counters.bytes_up + size
    async with asyncio.timeout(60):
        while line.counters.bytes_up < goal:  # noqa: ASYNC110 - nothing on the wire announces it
            await asyncio.sleep(0.005)


async def until_confirmed(carrying: Carrying, sha256: str) -> None:
    """Wait for the confirmation, starting the process again while the hub is away, as the agent does."""
    async with asyncio.timeout(60):
        while (outcome := await carrying.hear()) is None:
            await carrying.end()
            await carrying.start()
    assert outcome.sha256 == sha256


async def test_a_line_that_breaks_every_megabyte_costs_less_than_a_third(server: TusServer, tmp_path: Path) -> None:
    async with FaultProxy(server.port) as line:
        line.set(cut_after=1 << 20)
        box = FootageBox(tmp_path / "box", line.port)
        content = noise(12 << 20)
        clip = box.keep(content)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{line.port}", trust_env=False) as client:
            state = await carrier_to(client).carry(box.folder, clip)
        assert state.confirmed_at is not None
        assert line.counters.cuts >= 10
        assert line.counters.bytes_up < 1.3 * len(content)
    assert server.kept == {clip.sha256: content}


async def test_bytes_spoilt_on_the_way_never_arrive(server: TusServer, tmp_path: Path) -> None:
    async with FaultProxy(server.port, seed=3) as line:
        line.set(flip=0.05)
        box = FootageBox(tmp_path / "box", line.port)
        content = noise(6 << 20)
        clip = box.keep(content)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{line.port}", trust_env=False) as client:
            carrier = carrier_to(client)
            async with asyncio.timeout(60):
                while not box.carriage(clip).confirmed_at:
                    try:
                        await carrier.carry(box.folder, clip)
                    except UplinkUnavailableError:  # the answers are spoilt as well
                        continue
                    if box.carriage(clip).refused:  # a spoilt answer may say anything
                        note_carriage(box.folder, clip.sha256, Carriage())
        assert line.counters.flips
    assert server.kept == {clip.sha256: content}


async def test_held_it_sends_nothing_until_it_may_go(server: TusServer, tmp_path: Path) -> None:
    async with FaultProxy(server.port) as line:
        box = FootageBox(tmp_path / "box", line.port)
        clip = box.keep(noise(500_000))
        valve = Valve(0, CLOCK)
        valve.shut()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{line.port}", trust_env=False) as client:
            carrier = Carrier(client, valve, CLOCK, keep_for=timedelta(days=1))
            carrying = asyncio.create_task(carrier.carry(box.folder, clip))
            done, _ = await asyncio.wait((carrying,), timeout=0.3)
            assert not done
            assert line.counters.bytes_up == 0
            valve.open()
            assert (await carrying).confirmed_at is not None


async def test_the_process_obeys_hold_and_go_and_ends_with_its_agent(server: TusServer, tmp_path: Path) -> None:
    box = FootageBox(tmp_path / "box", server.port, limit_kib_s=300)
    clip = box.keep(noise(400_000))
    carrying = await Carrying(box).start()
    carrying.say(b"hold")
    carrying.say(b"nonsense")
    carrying.say(b"go")
    assert (await carrying.hear()) is not None
    assert await carrying.end() == 0
    assert box.carriage(clip).confirmed_at is not None
    box.keep(noise(40_000_000, 1))
    carrying = await Carrying(box).start()
    assert carrying.process is not None
    assert carrying.process.stdin is not None
    carrying.process.stdin.close()
    async with asyncio.timeout(20):
        assert await carrying.end() == 0
    assert server.kept.keys() == {clip.sha256}


async def test_a_hub_that_is_away_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "_LONGEST_WAIT_S", 0.1)
    box = FootageBox(tmp_path / "box", free_port())
    clip = box.keep(noise(1000))
    async with httpx.AsyncClient(base_url=box.config.hub.api, trust_env=False) as client:
        with pytest.raises(UplinkUnavailableError):
            await carrier_to(client).carry(box.folder, clip)
    assert box.carriage(clip) == Carriage()


async def test_a_wrong_setting_ends_the_process(tmp_path: Path) -> None:
    box = FootageBox(tmp_path / "box", 1)
    box.keep(noise(1000))
    box.config = msgspec.structs.replace(box.config, hub=msgspec.structs.replace(box.config.hub, api=""))
    assert await (await Carrying(box).start()).end() == WRONG


async def test_an_upload_that_the_server_forgot_begins_anew(server: TusServer, tmp_path: Path) -> None:
    box = FootageBox(tmp_path / "box", server.port)
    clip = box.keep(noise(200_000))
    note_carriage(box.folder, clip.sha256, Carriage(url="/gateway/v1/uploads/long-ago"))
    async with httpx.AsyncClient(base_url=box.config.hub.api, trust_env=False) as client:
        state = await carrier_to(client).carry(box.folder, clip)
    assert state.confirmed_at is not None
    assert state.url != "/gateway/v1/uploads/long-ago"


async def test_a_copy_that_rotted_on_the_box_is_refused_not_sent_for_ever(server: TusServer, tmp_path: Path) -> None:
    box = FootageBox(tmp_path / "box", server.port)
    clip = box.keep(noise(200_000))
    (box.folder / clip.sha256).write_bytes(noise(200_000, 1))
    async with httpx.AsyncClient(base_url=box.config.hub.api, trust_env=False) as client:
        state = await carrier_to(client).carry(box.folder, clip)
    assert "is not what it was" in state.refused
    assert server.kept == {}
    (box.folder / clip.sha256).write_bytes(noise(100_000))
    note_carriage(box.folder, clip.sha256, Carriage())
    async with httpx.AsyncClient(base_url=box.config.hub.api, trust_env=False) as client:
        state = await carrier_to(client).carry(box.folder, clip)
    assert "shorter" in state.refused


async def test_a_clip_that_the_hub_does_not_take_is_offered_again_a_day_later(
    server: TusServer, tmp_path: Path
) -> None:
    box = FootageBox(tmp_path / "box", server.port)
    clip = box.keep(noise(1000))
    (server.folder / "refuses").touch()
    carrying = await Carrying(box).start()
    outcome = await carrying.hear()
    assert outcome is not None
    assert "too large for today" in outcome.refused
    assert await carrying.end() == 0
    assert waiting(box.config.data, CLOCK.now()) == []
    assert [found.sha256 for _, found in waiting(box.config.data, CLOCK.now() + timedelta(days=1))] == [clip.sha256]
    assert box.footage.has(clip.sha256)


@pytest.mark.parametrize("location", ["http://elsewhere.example/uploads/1", "//elsewhere.example/x", "http://[", ""])
async def test_an_upload_elsewhere_is_not_believed(location: str, tmp_path: Path) -> None:
    box = FootageBox(tmp_path / "box", 1)
    clip = box.keep(noise(1000))
    transport = httpx.MockTransport(lambda _: httpx.Response(201, headers={"Location": location}))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as client:
        with pytest.raises(UplinkUnavailableError, match="not at this door"):
            await carrier_to(client).carry(box.folder, clip)
    assert box.carriage(clip).url == ""


@pytest.mark.parametrize("offset", ["-1", "1001", "9" * 30, "x", ""])
async def test_an_offset_that_cannot_be_is_not_believed(offset: str, tmp_path: Path) -> None:
    box = FootageBox(tmp_path / "box", 1)
    clip = box.keep(noise(1000))
    note_carriage(box.folder, clip.sha256, Carriage(url="/gateway/v1/uploads/1"))
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers={"Upload-Offset": offset}))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as client:
        with pytest.raises(UplinkUnavailableError):
            await carrier_to(client).carry(box.folder, clip)
    assert box.carriage(clip).confirmed_at is None


async def test_another_clips_confirmation_is_none(tmp_path: Path) -> None:
    box = FootageBox(tmp_path / "box", 1)
    clip, other = box.keep(noise(1000)), clip_of("recorder-1", noise(9, 1))
    note_carriage(box.folder, clip.sha256, Carriage(url="/gateway/v1/uploads/1"))
    answer = {"Upload-Offset": "1000", "Upload-Footage": other.sha256}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=answer))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as client:
        state = await carrier_to(client).carry(box.folder, clip)
    assert state.confirmed_at is None


def test_chunks_grow_on_a_good_line_and_shrink_when_it_breaks() -> None:
    pace = Pace()
    sizes = []
    for _ in range(60):
        sizes.append(pace.chunk)
        pace.arrived(pace.chunk, 0.01)
    assert sizes[0] == SMALLEST
    assert sizes == sorted(sizes)
    assert sizes[-1] == LARGEST
    pace.broke()
    assert pace.chunk == SMALLEST


def test_chunks_stay_small_on_a_slow_line() -> None:
    pace = Pace()
    for _ in range(200):
        pace.arrived(pace.chunk, pace.chunk / 40_000)
    assert pace.chunk <= 40_000 * 5


async def test_the_limit_holds_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)

    monkeypatch.setattr("edge.upload_pace.asyncio.sleep", sleep)
    valve = Valve(100_000, clock)
    sent = 0
    async for piece in valve.pieces(noise(1_000_000)):
        sent += len(piece)
    assert sent == 1_000_000
    assert clock.monotonic() == pytest.approx(10, abs=0.5)
