"""The paper of a record: how long it takes to set and to write in each language, and how many bytes it is."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import zxingcpp
from PIL import Image

from drivers.printer.dialects import dialect_of
from drivers.printer.layout import lay_out
from firmware_configs.printers import PRINTERS, Printer
from tests.bench import tables
from tests.simulators import tickets
from tests.simulators.paper import Paper, UnreadableError, as_printed

ROUNDS = 5
PROFILES = (
    "generic-58",
    "generic-80",
    "marklife-p50",
    "tsc-alpha-3r",
    "zebra-zq320-cpcl",
    "zebra-zq520-zpl",
)
LOST_BYTES = 200
Made = TypeVar("Made")


def timed(work: Callable[[], Made]) -> tuple[Made, float]:
    """Return what the work made, and the milliseconds of the best of some rounds."""
    spent = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        made = work()
        spent.append(1_000 * (time.perf_counter() - began))
    return made, min(spent)


def seen(printer: Printer, payload: bytes) -> int:
    """Return at how many of 200 places a lost byte is seen on paper, or by a printer that does not understand."""
    whole = Paper(printer.dialect, printer.width, dpi=printer.dpi)
    whole.feed(payload)
    found = 0
    for at in random.Random(7).sample(range(len(payload)), LOST_BYTES):
        paper = Paper(printer.dialect, printer.width, dpi=printer.dpi)
        try:
            paper.feed(payload[:at] + payload[at + 1 :])
            paper.close()
        except UnreadableError:
            found += 1
        else:
            found += paper.picture() != whole.picture()
    return found


def main() -> None:
    tables.heading("Paper of the printer")
    tables.note(
        "A full record: particulars, five items of a checklist with articles, an order, two signatures and a QR code. "
        "To hold: at most 10 s at the profile's pace, what comes out of a strict printer equal to the layout dot for "
        f"dot, the code read back, a lost byte seen at {LOST_BYTES} of {LOST_BYTES} places."
    )
    rows = []
    for name in PROFILES:
        printer = PRINTERS.load(name)
        sheet, set_ms = timed(
            partial(lay_out, tickets.record(), tickets.fonts(), width=printer.width, dots_per_mm=printer.dots_per_mm)
        )
        picture = sheet.picture
        ticket, encode_ms = timed(partial(dialect_of(printer).encode, picture))
        payload = ticket.from_band()
        paper = Paper(printer.dialect, printer.width, dpi=printer.dpi)
        paper.feed(payload)
        paper.close()
        printed = paper.picture()
        image = Image.frombytes("1", (printed.width, printed.height), bytes(0xFF - byte for byte in printed.rows))
        codes = [code.text for code in zxingcpp.read_barcodes(image)]
        rows.append(
            (
                f"{name} ({printer.dialect}, {printer.width} dots)",
                f"{picture.height:,}",
                f"{set_ms:.0f}",
                f"{encode_ms:.1f}",
                f"{len(payload):,}",
                f"{len(payload) / printer.pace.bytes_per_second:.1f}",
                "yes" if printed == as_printed(picture, ticket) else "NO",
                "yes" if codes == [tickets.VERIFIED_AT] else "NO",
                f"{seen(printer, payload)}",
            )
        )
    tables.table(("", "rows", "set, ms", "encode, ms", "bytes", "s at pace", "equal", "code", "lost bytes seen"), rows)


if __name__ == "__main__":
    main()
