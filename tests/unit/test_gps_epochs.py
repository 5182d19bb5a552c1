import operator
from datetime import UTC, datetime
from functools import reduce

import pytest

from drivers.gps.epochs import Grouper
from drivers.gps.languages import Nmea
from drivers.gps.positions import Positions
from protocol.messages import Position

BOX = datetime(2026, 11, 24, 8, tzinfo=UTC)
RMC = "GNRMC,080000.00,A,2434.20000,N,11806.00000,E,1.0,45.0,241126,,,A"
GGA = "GNGGA,080000.00,2434.20000,N,11806.00000,E,1,09,1.5,18.4,M,12.0,M,,"


def stream(*bodies: str) -> bytes:
    return b"".join(b"$%s*%02X\r\n" % (body.encode(), reduce(operator.xor, body.encode())) for body in bodies)


def read(*bodies: str) -> tuple[list[Position], Positions]:
    language, grouper, positions = Nmea(), Grouper(), Positions("van-7")
    ended = [grouper.add(*sentence) for sentence in language.feed(stream(*bodies))]
    found = [fix for epoch in [*ended, grouper.close()] if epoch and (fix := positions.of(epoch, BOX))]
    return found, positions


def test_the_sentences_of_one_second_make_one_fix_with_everything_they_say() -> None:
    fixes, _ = read(
        RMC,
        "GNVTG,44.0,T,,M,9.0,N,9.9,K,A",
        GGA,
        "GNGSA,A,3,05,12,,,,,,,,,,,1.52,0.86,1.25,1",
        "GNGST,080000.00,4.1,2.3,2.0,41.0,3.0,4.0,4.6",
        "GPGSV,1,1,02,05,67,031,44,12,12,292,30,1",
        "GPGSV,1,1,01,05,67,031,40,8",
        "GNGLL,2434.20000,N,11806.00000,E,080000.00,A,A",
        "GNZDA,080000.00,24,11,2026,00,00",
    )
    assert fixes == [
        Position(
            device="van-7",
            at=BOX,
            latitude=24.57,
            longitude=118.1,
            altitude_m=18.4,
            speed_mps=1852 / 3600,
            course_deg=45.0,
            hdop=1.5,
            satellites=9,
            quality=1,
            sigma_m=5.0,
            cn0_mean_db=37.0,
            cn0_spread_db=7.0,
        )
    ]


@pytest.mark.parametrize(("hdop", "sigma_m"), [("0.5", 3.0), ("1.5", 6.0), ("", None)])
def test_without_gst_sigma_comes_from_hdop_but_is_never_below_three_metres(hdop: str, sigma_m: float | None) -> None:
    fixes, _ = read(RMC, GGA.replace("1.5,18.4", f"{hdop},18.4"))
    assert [fix.sigma_m for fix in fixes] == [sigma_m]


@pytest.mark.parametrize(
    "denial",
    [
        "GNRMC,080000.00,V,2434.20000,N,11806.00000,E,1.0,45.0,241126,,,A",
        "GNGGA,080000.00,2434.20000,N,11806.00000,E,0,00,,,M,,M,,",
        "GNGGA,080000.00,2434.20000,N,11806.00000,E,8,09,1.5,18.4,M,12.0,M,,",
        "GNGLL,2434.20000,N,11806.00000,E,080000.00,V,N",
        "GNGNS,080000.00,,,,,NN,00,,,,,",
        "GNVTG,,T,,M,,N,,K,N",
        "GNGSA,A,1,,,,,,,,,,,,,99.9,99.9,99.9",
    ],
)
def test_one_denial_in_the_epoch_is_enough(denial: str) -> None:
    fixes, positions = read(RMC, GGA, denial)
    assert fixes == []
    assert positions.refused["no_fix"] == 1
    assert positions.reason


def test_a_constellation_without_a_fix_does_not_deny_that_of_the_others() -> None:
    fixes, _ = read(RMC, "GPGSA,A,3,05,12,13,,,,,,,,,,1.5,0.9,1.3", "GLGSA,A,1,,,,,,,,,,,,,,,")
    assert len(fixes) == 1


def test_two_places_in_one_epoch_are_no_fix() -> None:
    fixes, positions = read(RMC, GGA.replace("2434.2", "2435.2"))
    assert (fixes, positions.refused["contradictory"]) == ([], 1)


def test_the_sentence_with_the_most_digits_is_believed() -> None:
    fixes, _ = read(RMC.replace("2434.20000", "2434.20"), GGA.replace("2434.20000", "2434.20123"))
    assert fixes[0].latitude == pytest.approx(24 + 34.20123 / 60)


def test_sentences_without_time_join_the_epoch_that_is_open() -> None:
    fixes, _ = read(RMC, "GPGSV,1,1,01,05,67,031,44", RMC.replace("0000.00,A", "0001.00,A"))
    assert [fix.cn0_mean_db for fix in fixes] == [44.0, None]


def test_a_receiver_without_time_denies_only_its_own_epoch() -> None:
    fixes, positions = read("GNRMC,,V,,,,,,,,,,N", "GNRMC,,V,,,,,,,,,,N", RMC)
    assert (len(fixes), positions.refused["no_fix"]) == (1, 2)


def test_a_null_island_is_never_made_of_empty_fields() -> None:
    fixes, _ = read("GNRMC,080000.00,A,,,,,1.0,45.0,241126,,,A", "GNGGA,080000.00,,,,,1,09,1.5,18.4,M,12.0,M,,")
    assert fixes == []


def test_what_comes_twice_and_from_the_past_is_counted() -> None:
    later = RMC.replace("080000", "080005")
    fixes, positions = read(RMC, later, RMC, later, RMC.replace("080000", "080006"))
    assert [fix.at.second for fix in fixes] == [0, 5, 6]
    assert (positions.refused["backwards"], positions.refused["duplicates"]) == (1, 1)


def test_a_clock_that_was_set_back_is_followed_and_flagged() -> None:
    seconds = [RMC.replace("080000", f"0700{second:02d}") for second in range(5)]
    fixes, _ = read(RMC, *seconds)
    assert [(fix.at.second, fix.flags) for fix in fixes[1:]] == [(2, ("time_reset",)), (3, ()), (4, ())]


def test_an_epoch_that_never_ends_is_ended() -> None:
    grouper = Grouper()
    epochs = [grouper.add(b"$GPTXT,1*00", None) for _ in range(2_000)]
    assert sum(epoch is not None for epoch in epochs) == 3


def test_raw_is_what_came() -> None:
    grouper = Grouper()
    for sentence in Nmea().feed(stream(RMC, "PSTMVER,1", GGA)):
        grouper.add(*sentence)
    epoch = grouper.close()
    assert epoch is not None
    assert epoch.raw == stream(RMC, "PSTMVER,1", GGA)
