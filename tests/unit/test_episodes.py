"""Events keep their id across crashes, and nothing that was told is told anew."""

import random
from pathlib import Path

import pytest

from drivers.episodes import Episodes
from protocol.clock import ManualClock
from protocol.messages import Event, EventState, Severity

BEGAN, ONGOING, ENDED, INSTANT = EventState.BEGAN, EventState.ONGOING, EventState.ENDED, EventState.INSTANT


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def opened(folder: Path, clock: ManualClock) -> Episodes:
    return Episodes(folder / "episodes.json", "cam-1", clock)


def happened(episodes: Episodes, clock: ManualClock, state: EventState, kind: str = "camera.dark") -> Event:
    event = episodes.happened(kind, state, Severity.MINOR, clock.now())
    assert event is not None
    return event


def test_one_happening_has_one_id(tmp_path: Path, clock: ManualClock) -> None:
    episodes = opened(tmp_path, clock)
    began = happened(episodes, clock, BEGAN)
    clock.advance(60)
    again = happened(episodes, clock, BEGAN)
    ended = happened(episodes, clock, ENDED)
    assert [event.state for event in (began, again, ended)] == [BEGAN, ONGOING, ENDED]
    assert began.id == again.id == ended.id
    assert ended.at > began.at
    assert happened(episodes, clock, BEGAN).id != began.id


def test_an_end_without_a_beginning_is_nothing(tmp_path: Path, clock: ManualClock) -> None:
    assert opened(tmp_path, clock).happened("camera.dark", ENDED, Severity.MINOR, clock.now()) is None


def test_what_happens_in_an_instant_is_never_open(tmp_path: Path, clock: ManualClock) -> None:
    episodes = opened(tmp_path, clock)
    assert happened(episodes, clock, INSTANT).id != happened(episodes, clock, INSTANT).id
    assert episodes.open_types == frozenset()


def test_what_was_safe_goes_on_quietly_after_a_crash(tmp_path: Path, clock: ManualClock) -> None:
    before = opened(tmp_path, clock)
    began = happened(before, clock, BEGAN)
    before.settle(began)
    after = opened(tmp_path, clock)
    assert after.untold() == []
    assert after.open_types == {"camera.dark"}
    ended = happened(after, clock, ENDED)
    assert ended.id == began.id
    after.settle(ended)
    assert opened(tmp_path, clock).open_types == frozenset()


def test_what_was_not_safe_is_told_again(tmp_path: Path, clock: ManualClock) -> None:
    before = opened(tmp_path, clock)
    began = happened(before, clock, BEGAN)
    clock.advance(5)
    assert opened(tmp_path, clock).untold() == [began]
    ended = happened(before, clock, ENDED)
    assert opened(tmp_path, clock).untold() == [began, ended]
    for event in opened(tmp_path, clock).untold():
        before.settle(event)
    assert opened(tmp_path, clock).untold() == []


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_file_is_an_empty_one(seed: int, tmp_path: Path, clock: ManualClock) -> None:
    happened(opened(tmp_path, clock), clock, BEGAN)
    file = tmp_path / "episodes.json"
    body = bytearray(file.read_bytes())
    chance = random.Random(seed)
    file.write_bytes(body[: chance.randrange(len(body) - 1)])
    assert opened(tmp_path, clock).open_types == frozenset()


def test_a_folder_that_cannot_be_written_costs_no_event(tmp_path: Path, clock: ManualClock) -> None:
    episodes = opened(tmp_path / "gone", clock)
    assert happened(episodes, clock, BEGAN).state is BEGAN
    assert happened(episodes, clock, ENDED).state is ENDED
