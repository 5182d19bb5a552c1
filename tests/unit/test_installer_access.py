"""Who gets in, and the mean of a box that stands still."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from edge.installer.access import WAIT_S, Access, new_password
from edge.installer.positioning import ENOUGH, Mean, mean_of
from edge.installer.scanning import places
from edge.installer.words import LANGUAGES, catalogue
from protocol.clock import ManualClock
from protocol.messages import Position

AT = datetime(2026, 11, 25, tzinfo=UTC)
METRE = 1 / 111_320


def access(password: str = "abcd-efgh-jkmn") -> tuple[Access, ManualClock]:  # noqa: S107 - of this test
    clock = ManualClock()
    return Access(password, clock), clock


def test_passwords_are_long_readable_and_never_the_same() -> None:
    passwords = {new_password() for _ in range(200)}
    assert len(passwords) == 200
    assert all(len(password) == 14 and not set("01ilo") & set(password) for password in passwords)


def test_the_password_opens_and_its_case_does_not_matter() -> None:
    way, _ = access()
    session = way.enter(" ABCD-efgh-JKMN ")
    assert session is not None
    assert way.knows(session)
    assert not way.knows("")
    assert not way.knows(session + "x")


def test_after_five_wrong_tries_nobody_gets_in_for_a_minute() -> None:
    way, clock = access()
    assert [way.enter(f"wrong-{number}") for number in range(5)] == [None] * 5
    assert way.wait_s == WAIT_S
    assert way.enter("abcd-efgh-jkmn") is None
    clock.advance(WAIT_S + 1)
    assert way.wait_s == 0
    assert way.enter("abcd-efgh-jkmn") is not None


def test_wrong_tries_go_on_being_counted_after_the_wait() -> None:
    way, clock = access()
    for _ in range(3):
        for _ in range(5):
            way.enter("wrong")
        assert way.wait_s > 0
        clock.advance(WAIT_S + 1)


def test_a_password_that_is_no_ascii_is_only_wrong() -> None:
    way, _ = access()
    assert way.enter("密码\ud800".encode("utf-8", "replace").decode()) is None


def fixes(*offsets_m: tuple[float, float], sigma_m: float | None = None) -> list[Position]:
    return [
        Position(
            device="gps-1",
            at=AT + timedelta(seconds=second),
            latitude=north * METRE,
            longitude=120 + east * METRE,
            sigma_m=sigma_m,
        )
        for second, (north, east) in enumerate(offsets_m)
    ]


def test_a_few_fixes_are_no_mean() -> None:
    assert mean_of(fixes(*[(0.0, 0.0)] * (ENOUGH - 1))) is None


def test_fixes_that_fell_out_are_left_out() -> None:
    chance = random.Random(7)
    scattered = [(chance.gauss(0, 1.5), chance.gauss(0, 1.5)) for _ in range(30)]
    mean = mean_of(fixes(*scattered, (900.0, 0.0), (0.0, -5_000.0)))
    assert mean is not None
    assert (mean.fixes, mean.left_out) == (30, 2)
    assert abs(mean.latitude / METRE) < 1
    assert abs((mean.longitude - 120) / METRE) < 1


def test_the_radius_is_never_better_than_gps_promises_nor_than_the_receiver_says() -> None:
    still = [(0.0, 0.0)] * 20
    assert mean_of(fixes(*still)) == Mean(latitude=0.0, longitude=120.0, accuracy_m=8.0, fixes=20)
    doubtful = mean_of(fixes(*still, sigma_m=30.0))
    assert doubtful is not None
    assert doubtful.accuracy_m == 60.0
    wide = mean_of(fixes(*[(20.0 * (-1) ** second, 0.0) for second in range(20)]))
    assert wide is not None
    assert wide.accuracy_m == pytest.approx(40.0, abs=0.2)


def test_both_languages_say_the_same_things_with_the_same_facts() -> None:
    chinese, english = (catalogue(language) for language in LANGUAGES)
    assert chinese.keys() == english.keys()
    facts = {
        code: [sorted(part for part in text.split("{")[1:]) for text in (chinese[code], english[code])]
        for code in chinese
    }
    named = {code: [{part.split("}")[0] for part in parts} for parts in both] for code, both in facts.items()}
    assert {code: both for code, both in named.items() if both[0] != both[1]} == {}


def test_the_places_of_a_configured_device_are_known() -> None:
    options = {
        "url": "rtsp://192.168.1.64:554/main",
        "line": {"kind": "ble", "address": "F0:F1:F2:F3:F4:F5"},
        "usb": "usb:/dev/video0",
        "number": 5,
    }
    assert {"192.168.1.64", "F0:F1:F2:F3:F4:F5", "/dev/video0"} <= places(options)
