"""What the GPS driver costs and finds: sentences per second, agreement with gpsd, error against a survey, thinning.

    python -m tests.bench.bench_gps

Prints tables with ratios; nothing passes or fails on seconds. What must hold is asserted in tests/contract.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pynmea2

from drivers.gps.framing import Framer
from drivers.gps.languages import Nmea
from drivers.gps.sentences import decode
from edge.thinning import Thinner
from protocol.messages import Position
from tests.bench import tables
from tests.simulators import gps_recordings as recordings

BOX = datetime(2030, 1, 1, tzinfo=UTC)
ROUNDS = 3
PIECE = 4_096


def pieces(stream: bytes) -> list[bytes]:
    """Cut a stream as a socket would."""
    return [stream[start : start + PIECE] for start in range(0, len(stream), PIECE)]


def per_second(count: int, work: Callable[[], object]) -> float:
    """Return the best of some rounds, in things per second of processor time."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return count / min(spent)


def parsed_by_pynmea2(lines: Iterable[str]) -> int:
    """What it reads of lines that are known to be good; it cannot find them in a stream itself."""
    return sum(pynmea2.parse(line, check=True) is not None for line in lines)


def speed() -> None:
    """Print how many sentences of the drive each stage takes in a second."""
    stream = pieces(recordings.DRIVE.read_bytes())
    sentences = Framer().feed(b"".join(stream))
    lines = [sentence.decode() for sentence in sentences]
    rates = {
        "pynmea2 alone, good lines given": per_second(len(lines), lambda: parsed_by_pynmea2(lines)),
        "our framer": per_second(len(sentences), lambda: framed(stream)),
        "our framer and decoder": per_second(len(sentences), lambda: decoded(stream)),
        "whole driver, bytes to positions": per_second(len(sentences), lambda: whole(stream)),
    }
    reference = rates["pynmea2 alone, good lines given"]
    tables.note(
        f"{len(sentences):,} sentences of a u-blox F9K, processor time, best of {ROUNDS}. To hold: >= 100,000 "
        "sentences/s in the framer."
    )
    rows = [(name, f"{rate:,.0f}", f"{rate / reference:.2f}") for name, rate in rates.items()]
    tables.table(("", "sentences/s", "x pynmea2"), rows)


def framed(stream: Iterable[bytes]) -> int:
    framer = Framer()
    return sum(len(framer.feed(piece)) for piece in stream)


def decoded(stream: Iterable[bytes]) -> int:
    framer = Framer()
    return sum(decode(sentence) is not None for piece in stream for sentence in framer.feed(piece))


def whole(stream: Iterable[bytes]) -> list[Position]:
    return recordings.positions_of(Nmea(), stream, BOX)[0]


def agreement() -> None:
    """Print how the fixes of each receiver compare with gpsd's."""
    rows: list[tuple[object, ...]] = []
    totals = [0, 0, 0, 0]
    for name in recordings.ALL:
        positions, counts = recordings.positions_of(Nmea(), pieces(recordings.bytes_of(name)), BOX)
        fixes = recordings.gpsd_fixes(name)
        shifted = {at - recordings.WEEKS_BEGAN_AGAIN: fix for at, fix in fixes.items()}
        pairs = [(one, fix) for one in positions if (fix := fixes.get(one.at) or shifted.get(one.at))]
        near = sum(recordings.metres(one, fix) <= 1.0 for one, fix in pairs)
        row = [len(fixes), len(pairs), near, len(positions) - len(pairs)]
        totals = [total + value for total, value in zip(totals, row, strict=True)]
        refused = ", ".join(f"{key} {value}" for key, value in counts.items() if value and key != "sentences")
        rows.append((name, *(f"{value:,}" for value in row), refused))
    rows.append(
        ("all", f"{totals[0]:,}", f"{totals[1] / totals[0]:.1%}", f"{totals[2] / totals[1]:.1%}", totals[3], "")
    )
    tables.note(
        "Fixes against what gpsd makes of the same bytes. To hold: >= 99.8 % of its fix times, >= 98.5 % of them "
        "within 1 m, none invented. What was refused is counted by reason."
    )
    tables.table(("receiver", "gpsd", "found", "within 1 m", "invented", "refused"), rows)


def survey() -> None:
    """Print the error of the drive against its survey, and what thinning leaves of it."""
    positions = whole(pieces(recordings.DRIVE.read_bytes()))
    errors = recordings.drive_errors_m(positions)
    shares = [errors[len(errors) * share // 100] for share in (50, 67, 95)]
    thinner = Thinner()
    took = per_second(len(positions), lambda: [thinner.take(position) for position in positions])
    thinner = Thinner()
    sent = sum(len(thinner.take(position)) for position in positions) + len(thinner.flush())
    tables.note(
        f"The drive against its survey, {len(errors):,} instants, and what thinning to 10 m, 30 degrees, 5 s moving "
        "and 60 s at rest leaves of it."
    )
    error = " / ".join(f"{value:.2f}" for value in (*shares, errors[-1]))
    tables.table(
        ("", "figure"),
        [
            ("error, 50 / 67 / 95 / 100 % below, m", error),
            ("fixes sent of those found", f"{sent:,} of {len(positions):,} ({sent / len(positions):.0%})"),
            ("thinning, fixes/s", f"{took:,.0f}"),
        ],
    )


def main() -> None:
    tables.heading("GPS driver")
    speed()
    agreement()
    survey()


if __name__ == "__main__":
    main()
