import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gps.epochs import Grouper
from drivers.gps.gpsd_json import GpsdJson, watch
from drivers.gps.positions import Positions
from drivers.gps.statements import Place
from protocol.messages import Position

BOX = datetime(2026, 11, 24, 8, tzinfo=UTC)


def line(**members: Any) -> bytes:
    return json.dumps({"class" if key == "kind" else key: value for key, value in members.items()}).encode() + b"\n"


def tpv(second: int = 0, **members: Any) -> bytes:
    time = f"2026-11-24T08:00:{second:02d}.000Z"
    return line(**{"kind": "TPV", "mode": 3, "time": time, "lat": 24.57, "lon": 118.1, "altMSL": 18.4, **members})


def read(*lines: bytes) -> tuple[list[Position], GpsdJson, Positions]:
    language, grouper, positions = GpsdJson(), Grouper(), Positions("van-7")
    ended = [grouper.add(*sentence) for sentence in language.feed(b"".join(lines))]
    found = [fix for epoch in [*ended, grouper.close()] if epoch and (fix := positions.of(epoch, BOX))]
    return found, language, positions


def test_tpv_sky_and_gst_make_one_fix() -> None:
    satellites = [{"PRN": 5, "gnssid": 0, "ss": 44.0}, {"PRN": 12, "gnssid": 0, "ss": 30.0}, {"PRN": 9, "ss": 0.0}]
    fixes, _, _ = read(
        line(kind="VERSION", release="3.25", proto_major=3),
        tpv(status=2, speed=1.5, track=90.0),
        line(kind="SKY", hdop=0.9, uSat=8, satellites=satellites),
        line(kind="SKY", hdop=0.9),
        line(kind="GST", lat=3.0, lon=4.0),
    )
    [fix] = fixes
    assert (fix.at, fix.latitude, fix.longitude, fix.altitude_m) == (BOX, 24.57, 118.1, 18.4)
    assert (fix.speed_mps, fix.course_deg, fix.hdop, fix.satellites, fix.quality) == (1.5, 90.0, 0.9, 8, 2)
    assert (fix.sigma_m, fix.cn0_mean_db, fix.cn0_spread_db) == (5.0, 37.0, 7.0)


def test_a_later_tpv_of_the_same_instant_replaces_the_one_before() -> None:
    fixes, _, _ = read(tpv(mode=1), tpv(lat=24.58), tpv(1, mode=1))
    assert [(fix.at.second, fix.latitude) for fix in fixes] == [(0, 24.58)]


@pytest.mark.parametrize(
    "members", [{"mode": 1}, {"mode": 0}, {"lat": None}, {"status": 5}, {"status": 7}, {"status": 8}]
)
def test_what_gpsd_does_not_vouch_for_is_no_fix(members: dict[str, Any]) -> None:
    fixes, _, positions = read(tpv(**members))
    assert (fixes, positions.refused["no_fix"]) == ([], 1)


@pytest.mark.parametrize(
    "bad",
    [
        b"{\n",
        b"[]\n",
        b'{"no":"class"}\n',
        tpv(lat=91.0),
        tpv(lon="118"),
        tpv(time="soon"),
        tpv(time="0001-01-01T00:00:00+14:00"),
        tpv(time="9999-12-31T23:59:59-14:00"),
        b"\xff\xfe\n",
        b"[" * 5_000 + b"\n",
    ],
)
def test_nonsense_is_counted_and_the_next_line_is_read(bad: bytes) -> None:
    fixes, language, _ = read(bad, tpv())
    assert len(fixes) == 1
    assert language.counts()["malformed"] == 1


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    language = GpsdJson()
    for _ in range(100):
        assert list(language.feed(b"x" * 10_000)) == []
    assert len(language._rest) <= 64 * 1024
    assert len(list(language.feed(b"\n" + tpv()))) == 1
    assert language.counts()["malformed"] == 1


def test_one_receiver_is_listened_to() -> None:
    fixes, language, _ = read(
        tpv(0, device="/dev/ttyS0"), tpv(1, device="/dev/ttyS1", lat=50.0), tpv(2, device="/dev/ttyS0")
    )
    assert [fix.latitude for fix in fixes] == [24.57, 24.57]
    assert language.counts()["other_receivers"] == 1


@given(places=st.lists(st.integers(0, 600), max_size=6))
def test_it_does_not_matter_how_the_stream_is_cut(places: list[int]) -> None:
    stream = tpv(0) + line(kind="SKY", hdop=1.0) + tpv(1)
    edges = sorted({min(place, len(stream)) for place in places} | {0, len(stream)})
    language = GpsdJson()
    said = [one for start, end in pairwise(edges) for one in language.feed(stream[start:end])]
    assert said == list(GpsdJson().feed(stream))
    assert said[0][1] is not None
    assert (said[0][1].day, said[0][1].since_midnight) == (date(2026, 11, 24), timedelta(hours=8))
    assert said[0][1].place == Place(24.57, 118.1)


def test_the_request_names_the_receiver_that_was_chosen() -> None:
    assert watch(None) == b'?WATCH={"enable":true,"json":true,"scaled":true};\n'
    assert json.loads(watch("/dev/ttyS0").removeprefix(b"?WATCH=").rstrip(b";\n"))["device"] == "/dev/ttyS0"
