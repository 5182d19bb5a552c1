import pytest

from drivers.contract import Health
from drivers.gps.options import GpsOptions, Recording, Tcp
from drivers.gps.vigil import QUIET_S, Vigil
from protocol.clock import ManualClock
from protocol.messages import DeviceState

OPTIONS = GpsOptions(source=Tcp(host="127.0.0.1", port=1), silent_after_s=15, no_fix_after_s=30, counters_every_s=100)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_it_waits_for_what_is_due_first(clock: ManualClock) -> None:
    vigil = Vigil(OPTIONS, clock)
    assert vigil.wait_s(epoch_open=True) == QUIET_S
    assert vigil.wait_s(epoch_open=False) == 15
    clock.advance(10)
    vigil.heard()
    assert vigil.wait_s(epoch_open=False) == 15
    clock.advance(14)
    vigil.heard()
    assert vigil.wait_s(epoch_open=False) == 6
    clock.advance(60)
    assert vigil.wait_s(epoch_open=False) == 0


def test_silence_is_measured_from_the_last_byte(clock: ManualClock) -> None:
    vigil = Vigil(OPTIONS, clock)
    clock.advance(14.5)
    assert not vigil.silent()
    vigil.heard()
    clock.advance(15)
    assert vigil.silent()


def test_a_recording_may_pause_as_it_likes(clock: ManualClock) -> None:
    vigil = Vigil(GpsOptions(source=Recording(path="round.nmea")), clock)
    clock.advance(86_400)
    assert not vigil.silent()


def test_degraded_and_well_again_are_each_said_once(clock: ManualClock) -> None:
    vigil = Vigil(OPTIONS, clock)
    assert vigil.fixed() is None
    clock.advance(29)
    assert vigil.overdue("status V", 4) is None
    clock.advance(1)
    assert vigil.overdue("status V", 4) == Health(
        DeviceState.DEGRADED, "no valid fix for 30 s (status V); 4 satellites heard"
    )
    clock.advance(100)
    assert vigil.overdue("status V", 4) is None
    assert vigil.fixed() == Health(DeviceState.OK)
    assert vigil.fixed() is None
    clock.advance(30)
    news = vigil.overdue("", 0)
    assert news is not None
    assert news.detail == "no valid fix for 30 s; no satellite heard"


def test_a_step_of_the_wall_clock_changes_nothing(clock: ManualClock) -> None:
    vigil = Vigil(OPTIONS, clock)
    clock.step(86_400)
    assert not vigil.silent()
    assert vigil.overdue("", 0) is None
    assert not vigil.counters_due()


def test_counters_are_due_once_a_period(clock: ManualClock) -> None:
    vigil = Vigil(OPTIONS, clock)
    due = []
    for _ in range(25):
        clock.advance(10)
        due.append(vigil.counters_due())
    assert [number for number, yes in enumerate(due) if yes] == [9, 19]
