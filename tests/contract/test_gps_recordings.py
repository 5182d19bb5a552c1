"""Our reading of real receivers against gpsd's of the same bytes, and of a real drive against its survey."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from drivers.gps.framing import Framer
from drivers.gps.gpsd_json import GpsdJson
from drivers.gps.languages import Nmea
from drivers.gps.sentences import TALKERS, MalformedSentenceError, decode
from protocol.messages import Position
from tests.simulators import gps_recordings as recordings

# A day on which no recording looks like one of exactly 1024 weeks before.
BOX = datetime(2030, 1, 1, tzinfo=UTC)
CORE = {"GGA", "RMC", "GNS", "GLL", "GSA", "GST", "GSV", "VTG", "ZDA"}
# Sentences whose checksum is good and whose content is not: a receiver that printed the year -1.
NONSENSE = {b"$GPRMC,000231.099,A,4829.0005,N,00022.0015,E,0.15,212.28,2208-1,,,A*73"}


def ours(name: str, piece: int = 1_000) -> tuple[list[Position], dict[str, int]]:
    stream = recordings.bytes_of(name)
    pieces = (stream[start : start + piece] for start in range(0, len(stream), piece))
    return recordings.positions_of(Nmea(), pieces, BOX)


def matching(at: datetime, fixes: dict[datetime, recordings.Fix]) -> recordings.Fix | None:
    """Where gpsd guesses a roll-over it shifts the date; we do so only when the clock of the box says so."""
    return fixes.get(at) or fixes.get(at + recordings.WEEKS_BEGAN_AGAIN)


@pytest.mark.parametrize("name", [*recordings.ALL, "drive"])
def test_every_core_sentence_with_a_good_checksum_is_read(name: str) -> None:
    stream = recordings.DRIVE.read_bytes() if name == "drive" else recordings.bytes_of(name)
    read = 0
    for sentence in Framer().feed(stream):
        if sentence[1:3].decode() in TALKERS and sentence[3:6].decode() in CORE:
            if sentence in NONSENSE:
                with pytest.raises(MalformedSentenceError):
                    decode(sentence)
                continue
            statement = decode(sentence)
            assert statement is not None
            assert statement.kind == sentence[3:6].decode()
            read += 1
    assert read or name == "bu303-nofix"


def test_fixes_are_those_of_gpsd() -> None:
    expected = found = near = 0
    for name in recordings.ALL:
        by_time = {position.at: position for position in ours(name)[0]}
        fixes = recordings.gpsd_fixes(name)
        pairs = [(position, fix) for at, position in by_time.items() if (fix := matching(at, fixes))]
        expected += len(fixes)
        found += len(pairs)
        near += sum(recordings.metres(position, fix) <= 1.0 for position, fix in pairs)
    assert expected == 260
    assert found >= 0.998 * expected
    assert near >= 0.985 * found


@pytest.mark.parametrize("name", recordings.ALL)
def test_no_fix_is_invented(name: str) -> None:
    fixes = recordings.gpsd_fixes(name)
    assert [position.at for position in ours(name)[0] if not matching(position.at, fixes)] == []


def test_a_receiver_without_a_fix_gives_none_although_it_speaks() -> None:
    positions, counts = ours("bu303-nofix")
    assert positions == []
    assert (counts["sentences"], counts["no_fix"]) == (14, 7)


@pytest.mark.parametrize("name", recordings.ALL)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_how_the_bytes_arrive_changes_nothing(name: str, piece: int) -> None:
    assert ours(name, piece) == ours(name)


@pytest.mark.parametrize("name", recordings.ALL)
def test_gpsds_json_gives_the_same_fixes_as_its_nmea(name: str) -> None:
    stream = recordings.gpsd_lines(name)
    positions, counts = recordings.positions_of(GpsdJson(), [stream], BOX)
    fixes = recordings.gpsd_fixes(name)
    assert {position.at: recordings.Fix(position.latitude, position.longitude) for position in positions} == fixes
    assert counts["malformed"] == 0


def test_the_day_after_the_weeks_began_again_is_put_right() -> None:
    made = datetime(2019, 4, 7, 0, 30, tzinfo=UTC)
    positions, counts = recordings.positions_of(Nmea(), [recordings.bytes_of("april6_2019")], made)
    [position] = positions
    assert position.at == datetime(2019, 4, 7, 0, 2, 31, 420_000, tzinfo=UTC)
    assert position.flags == ("date_rollover",)
    assert (counts["malformed"], counts["no_fix"]) == (1, 1)


def test_a_real_drive_is_where_its_survey_says() -> None:
    stream = recordings.DRIVE.read_bytes()
    positions, counts = recordings.positions_of(Nmea(), [stream], BOX)
    errors = recordings.drive_errors_m(positions)
    assert len(positions) == 1_654
    assert (counts["sentences"], counts["bad_checksum"], counts["malformed"]) == (45_485, 13, 0)
    assert len(errors) == 1_628
    assert errors[len(errors) // 2] <= 0.50
    assert errors[int(len(errors) * 0.95)] <= 0.84
    assert errors[-1] <= 1.10
    assert all(one.at < after.at for one, after in pairwise(positions))


def test_every_truncation_of_a_real_stream_gives_no_fix_of_its_own() -> None:
    lines = recordings.bytes_of("navika-100-fix").splitlines()[6:15]
    whole, _ = recordings.positions_of(Nmea(), [b"\r\n".join(lines)], BOX)
    for line in lines:
        for length in range(len(line)):
            cut, _ = recordings.positions_of(Nmea(), [line[:length] + b"\r\n"], BOX)
            assert cut == []
    assert len(whole) == 1
