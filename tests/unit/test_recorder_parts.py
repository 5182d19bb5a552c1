"""The pure parts of the recorder: names, clocks, coverage, profiles."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.recorder.coverage import Flaw, Stretch, flaws
from drivers.recorder.names import LONGEST_SHOWN, Claims, claims, is_footage, shown
from drivers.recorder.unit_clock import Trust, measure, said_by
from firmware_configs.recorders import RECORDERS, ClockFile, Recorder
from protocol.errors import ConfigurationError

START = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)


def stretch(name: str, began_s: float, ended_s: float) -> Stretch:
    return Stretch(START + timedelta(seconds=began_s), START + timedelta(seconds=ended_s), name)


def found(*stretches: Stretch) -> list[tuple[Flaw, str, str, float]]:
    between = flaws(stretches, tolerance_s=5, shift_break_s=3600)
    return [(each.flaw, each.before, each.after, each.seconds) for each in between]


@pytest.mark.parametrize(
    ("profile", "name", "said"),
    [
        ("zfy", b"1234567_035012_20261124083000_0001.MP4", Claims("1234567", "035012", START, 1)),
        ("zfy", b"A1234567-035012-20261124083000.mp4", Claims("A1234567", "035012", START, None)),
        ("zfy", b"035012_20261124083000_12.avi", Claims(None, "035012", START, 12)),
        ("zfy", b"1234567_035012_20261324083000_0001.MP4", Claims("1234567", "035012", None, 1)),
        ("zfy", b"1234567_035012_20261124083000_0001.MP4.exe", Claims(None, None, None, None)),
        ("zfy", "１２３４５６７_035012_20261124083000.mp4".encode(), Claims(None, None, None, None)),
        ("novatek", b"2026_1124_083000_001.MP4", Claims(None, None, START, 1)),
        ("novatek", b"9999_1231_235959_001.MP4", Claims(None, None, None, 1)),
        ("android", b"VID_20261124_083000.mp4", Claims(None, None, START, None)),
        ("dcf", b"MOVI0042.MP4", Claims(None, None, None, 42)),
        ("dcf", b"", Claims(None, None, None, None)),
    ],
)
def test_names_claim_what_the_profile_reads(profile: str, name: bytes, said: Claims) -> None:
    assert claims(name, RECORDERS.load(profile)) == said


@given(name=st.binary(max_size=255))
def test_a_name_of_any_bytes_can_be_shown_and_read(name: bytes) -> None:
    text = shown(name)
    assert text.isprintable()
    assert len(text) <= LONGEST_SHOWN
    for profile in RECORDERS.names():
        claims(name, RECORDERS.load(profile))
        is_footage(name, RECORDERS.load(profile))


def test_a_name_in_gbk_is_read() -> None:
    assert shown("执法记录".encode("gbk")) == shown("执法记录".encode()) == "执法记录"
    assert shown(b"\xff\xfe") == "\\xff\\xfe"
    assert shown("a\u202eb".encode()) == "a\\x202eb"


@pytest.mark.parametrize("name", RECORDERS.names())
def test_every_profile_can_be_loaded(name: str) -> None:
    assert RECORDERS.load(name).endings


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('names = ["("]', "no regular expression"),
        ('names = ["(?P<rank>.)"]', "no such groups: rank"),
        ('names = []\ntime_format = "%Y"', "does not say the whole time"),
        ('names = []\nfolders = ["../up/"]', "folders"),
        ('names = []\nendings = ["mp4"]', "endings"),
        ('names = []\n[clock_file]\npath = "T.TXT"\npattern = "x"', "lacks the group at"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused(line: str, message: str) -> None:
    text = f'maker = "m"\nmodel = "m"\nsummary = "s"\nsources = ["s"]\n{line}\n'
    with pytest.raises(ConfigurationError, match=message):
        RECORDERS.parse(text.encode(), "test")


def test_gaps_and_overlaps() -> None:
    assert found() == []
    assert found(stretch("a", 0, 300), stretch("b", 300, 600)) == []
    assert found(stretch("a", 0, 300), stretch("b", 304, 600)) == []
    assert found(stretch("b", 400, 600), stretch("a", 0, 300)) == [(Flaw.GAP, "a", "b", 100)]
    assert found(stretch("a", 0, 300), stretch("b", 200, 500)) == [(Flaw.OVERLAP, "a", "b", 100)]
    assert found(stretch("a", 0, 300), stretch("b", 4000, 4100)) == []
    # The gap begins where the longest footage ends, not where the last one does.
    assert found(stretch("a", 0, 300), stretch("b", 10, 20), stretch("c", 310, 400)) == [
        (Flaw.OVERLAP, "a", "b", 10),
        (Flaw.GAP, "a", "c", 10),
    ]


@given(
    spans=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 900)), max_size=12),
    tolerance=st.integers(0, 60),
)
def test_gaps_are_where_no_clip_is(spans: list[tuple[int, int]], tolerance: int) -> None:
    stretches = [stretch(str(number), began, began + lasted) for number, (began, lasted) in enumerate(spans)]
    for between in flaws(stretches, tolerance_s=tolerance, shift_break_s=10**9):
        assert between.seconds > tolerance
        middle = between.since + (between.until - between.since) / 2
        covering = [each for each in stretches if each.began_at <= middle <= each.ended_at]
        assert len(covering) >= 2 if between.flaw is Flaw.OVERLAP else covering == []


def test_the_clock_is_judged_by_what_there_is() -> None:
    newest = START - timedelta(hours=1)
    assert measure(START, None, None).trust is Trust.UNMEASURED
    assert measure(START, None, newest).trust is Trust.UNMEASURED
    assert measure(START, None, datetime(1970, 1, 1, tzinfo=UTC)).trust is Trust.UNSET
    ahead = measure(START, None, START + timedelta(hours=8))
    assert (ahead.trust, ahead.offset_s) == (Trust.AHEAD, 8 * 3600)
    said = measure(START, START - timedelta(seconds=90), newest)
    assert (said.trust, said.offset_s) == (Trust.CLOCK_FILE, -90)
    assert said.corrected(newest) == newest + timedelta(seconds=90)
    assert said.corrected(None) is None
    assert ahead.corrected(datetime(1970, 1, 2, tzinfo=UTC)) is None
    never = measure(START, datetime(1970, 1, 1, tzinfo=UTC), newest)
    assert never.corrected(datetime(1970, 1, 1, tzinfo=UTC)) == START


@pytest.mark.parametrize("content", [None, b"", b"no time here", b"2026-13-40 99:99:99", b"\xff" * 4096])
def test_a_clock_file_without_a_time_says_nothing(content: bytes | None) -> None:
    profile = RECORDERS.load("zfy")
    assert isinstance(profile, Recorder)
    assert isinstance(profile.clock_file, ClockFile)
    assert said_by(content, profile.clock_file, profile) is None
    assert said_by(b"now 2026-11-24 08:30:00\r\n", profile.clock_file, profile) == START
