"""What a terminal's frames cost: framing, header, location and items, from the stream to a position.

    python -m tests.bench.bench_jt808

Prints frames per second of processor time; nothing passes or fails on seconds.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from drivers.terminal.jt808.framing import Framer
from drivers.terminal.jt808.location import read_batch, read_location
from drivers.terminal.jt808.messages import read
from tests.bench import tables
from tests.simulators import jt808_terminal as unit

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
FRAMES, ROUNDS, PIECE = 20_000, 3, 4_096
BATCH, BATCHES = 25, 1_000
ITEMS = unit.item(0x01, unit.double(123_456)) + unit.item(0x30, b"\x1f") + unit.item(0x31, b"\x0c")


def stream(year: int) -> bytes:
    """Locations second by second, as one terminal sends them."""
    return b"".join(
        unit.frame(
            0x0200,
            unit.location(START + timedelta(seconds=number), 24 + number / 1e5, items=ITEMS),
            phone="13912345678",
            serial=number & 0xFFFF,
            year=year,
        )
        for number in range(FRAMES)
    )


def positions(received: bytes) -> int:
    """Read a stream to its positions; return how many."""
    framer, found = Framer(), 0
    for start in range(0, len(received), PIECE):
        for raw in framer.feed(received[start : start + PIECE]):
            found += read_location(read(raw).body).position("van-7", ()).satellites == 12
    return found


def per_second(count: int, work: Callable[[], int]) -> float:
    """Return the best of some rounds, in things per second of processor time."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        assert work() == count
        spent.append(time.process_time() - began)
    return count / min(spent)


def main() -> None:
    """Print the table."""
    tables.heading("Terminals (JT/T 808)")
    rows = []
    for year in (2013, 2019):
        rate = per_second(FRAMES, partial(positions, stream(year)))
        rows.append((f"frame to position, edition of {year}", f"{rate:,.0f}"))
    body = unit.batch(*(unit.location(START + timedelta(seconds=number)) for number in range(BATCH)))
    (raw,) = Framer().feed(unit.frame(0x0704, body, phone="13912345678", serial=1))
    message = read(raw)
    rate = per_second(BATCH * BATCHES, lambda: sum(len(read_batch(message)) for _ in range(BATCHES)))
    rows.append((f"location of a batch of {BATCH}", f"{rate:,.0f}"))
    tables.note(f"{FRAMES:,} frames with three items each, cut as a socket would; processor time, best of {ROUNDS}.")
    tables.table(("", "per second"), rows)


if __name__ == "__main__":
    main()
