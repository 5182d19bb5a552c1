import operator
from datetime import date, timedelta
from functools import reduce

import pytest

from drivers.gps.sentences import TALKERS, MalformedSentenceError, decode
from drivers.gps.statements import Place, Signal, Statement


def said(body: str) -> Statement | None:
    return decode(b"$%s*%02X" % (body.encode(), reduce(operator.xor, body.encode())))


GGA = "GGA,021417.00,3725.58362,N,12205.61915,W,5,12,0.76,4.4,M,-30.0,M,0.0,2000"


@pytest.mark.parametrize("talker", sorted(TALKERS))
def test_every_satellite_talker_is_heard(talker: str) -> None:
    statement = said(talker + GGA)
    assert statement is not None
    assert statement.place == Place(37 + 25.58362 / 60, -122 - 5.61915 / 60)
    assert (statement.quality, statement.hdop, statement.satellites, statement.altitude_m) == (5, 0.76, 12, 4.4)
    assert statement.since_midnight == timedelta(hours=2, minutes=14, seconds=17)


def test_rmc_gives_speed_in_metres_per_second_and_the_date() -> None:
    statement = said("GNRMC,135806.000,A,4723.00484,N,00045.88150,E,0.5,120.9,210325,,,A,C")
    assert statement is not None
    assert statement.day == date(2025, 3, 21)
    assert statement.speed_mps == pytest.approx(0.25722, abs=1e-5)
    assert statement.course_deg == 120.9


def test_gst_is_the_root_of_both_axes_and_vtg_prefers_kilometres() -> None:
    gst, vtg = said("GNGST,135806.000,6.1,4.0,4.0,61.0,3.0,4.0,4.8"), said("GNVTG,120.9,T,,M,0.5,N,3.6,K,A")
    assert gst is not None
    assert gst.sigma_m == pytest.approx(5)
    assert vtg is not None
    assert (vtg.speed_mps, vtg.course_deg) == (1.0, 120.9)


def test_gsv_with_a_signal_id_and_empty_places_counts_only_what_is_heard() -> None:
    statement = said("GPGSV,3,3,09,15,05,057,32,16,71,196,,,,,,,,,,1")
    assert statement is not None
    assert statement.signals == (Signal("GP15", 32),)
    shorter = said("GPGSV,3,3,09,15,05,057,32,16,71,196,28,1")
    assert shorter is not None
    assert shorter.signals == (Signal("GP15", 32), Signal("GP16", 28))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("GPGGA,201019.00,3249.2,N,11700.1,W,0,00,,,M,,M,,", "quality 0: no fix"),
        ("GPGGA,201019.00,3249.2,N,11700.1,W,6,04,1.0,2.0,M,,M,,", "quality 6: estimated"),
        ("GPGGA,201019.00,3249.2,N,11700.1,W,7,04,1.0,2.0,M,,M,,", "quality 7: set by hand"),
        ("GPGGA,201019.00,3249.2,N,11700.1,W,8,04,1.0,2.0,M,,M,,", "quality 8: simulator"),
        ("GPGGA,201019.00,,,,,,00,,,M,,M,,", "quality None: no fix"),
        ("GPRMC,201019.00,V,3249.2,N,11700.1,W,0.1,2.0,090605,,,A", "status V"),
        ("GPRMC,201019.00,A,3249.2,N,11700.1,W,0.1,2.0,090605,,,S", "mode S: simulator"),
        ("GPRMC,,V,,,,,,,,,,N", "status V"),
        ("GPGLL,3249.2,N,11700.1,W,201019.00,V", "status V"),
        ("GPGLL,3249.2,N,11700.1,W,201019.00,A,E", "mode E: estimated"),
        ("GNGNS,201019.00,3249.2,N,11700.1,W,NN,00,,,,,", "mode NN: no fix"),
        ("GNGNS,201019.00,3249.2,N,11700.1,W,AM,08,1.0,2.0,,,", "mode AM: set by hand"),
        ("GPVTG,,T,,M,0.1,N,0.2,K,N", "mode N: no fix"),
    ],
)
def test_what_the_receiver_does_not_vouch_for_has_no_place(body: str, reason: str) -> None:
    statement = said(body)
    assert statement is not None
    assert statement.no_fix == reason
    assert statement.place is None


@pytest.mark.parametrize(
    "body",
    [
        "GPGGA,201019.00,3249.20458,N,1,-25.6,M,,",  # seen in the field, with a good checksum
        "GPGGA,201019.00,3249.2,,11700.1,W,1,04,1.0,2.0,M,,M,,",
        "GPGGA,201019.00,3249.2,E,11700.1,W,1,04,1.0,2.0,M,,M,,",
        "GPGGA,201019.00,,N,11700.1,W,1,04,1.0,2.0,M,,M,,",
        "GPGGA,201019.00,3269.2,N,11700.1,W,1,04,1.0,2.0,M,,M,,",
        "GPGGA,201019.00,9100.0,N,11700.1,W,1,04,1.0,2.0,M,,M,,",
        "GPGGA,201019.00,3249.2,N,18100.1,W,1,04,1.0,2.0,M,,M,,",
        "GPGGA,251019.00,3249.2,N,11700.1,W,1,04,1.0,2.0,M,,M,,",
        "GPGGA,201019.00,3249.2,N,11700.1,W,1,04,nan,2.0,M,,M,,",
        "GPGGA,201019.00,3249.2,N,11700.1,W,1,04,-1.0,2.0,M,,M,,",
        "GPGGA,201019.00,3249.2,N,11700.1,W,1,04,1.0,1e9,M,,M,,",
        "GPRMC,000231.099,A,4829.0005,N,00022.0015,E,0.15,212.28,2208-1,,,A",
        "GPRMC,000231.099,A,4829.0005,N,00022.0015,E,0.15,212.28,310299,,,A",
        "GPRMC,000231.099,A,4829.0005,N,00022.0015,E,0.15,412.28,220899,,,A",
        "GPZDA,193223.00,31,02,2007,00,00",
        "GPZDA,193223.00,23,12,9999,00,00",
    ],
)
def test_a_good_checksum_does_not_make_sense_of_nonsense(body: str) -> None:
    with pytest.raises(MalformedSentenceError):
        said(body)


@pytest.mark.parametrize("body", ["GPTXT,01,01,01,ANTENNA OK", "PMTK001,314,3", "AIVDM,1", "GPXYZ,1", "CCGPQ,GGA"])
def test_what_says_nothing_of_position_is_no_error(body: str) -> None:
    assert said(body) is None


def test_truncations_are_refused_whatever_they_leave() -> None:
    whole = b"$GNRMC,021417.00,A,3725.58362,N,12205.61915,W,0.028,65.13,070220,13.06,E,F,V*4A"
    assert decode(whole) is not None
    for length in range(1, len(whole)):
        with pytest.raises(MalformedSentenceError):
            decode(whole[:length])
