"""What is known of printers: every profile makes sense, and what contradicts itself is refused by name."""

from typing import Any

import pytest

from firmware_configs.printers import PRINTERS
from protocol.errors import ConfigurationError

PLAIN = """
maker = "x"
model = "x"
summary = "x"
sources = ["x"]
dialect = "escpos"
paper_mm = 58
width = 384
tcp_port = 9100
"""


def test_there_are_printers_for_both_papers_and_in_every_language() -> None:
    printers = [PRINTERS.load(name) for name in PRINTERS.names()]
    assert {printer.dialect for printer in printers} == {"escpos", "tspl", "cpcl", "zpl"}
    assert {384, 576} <= {printer.width for printer in printers}
    assert all(printer.pace.lead_bytes < printer.buffer_bytes for printer in printers)
    assert all(printer.pace.bytes_per_second <= 10_000 for printer in printers if printer.bluetooth)


def test_a_printer_that_is_asked_over_bluetooth_has_a_way_to_answer() -> None:
    for printer in map(PRINTERS.load, PRINTERS.names()):
        assert not printer.answers or all(gatt.notify for gatt in printer.bluetooth)


def test_what_is_not_said_has_sound_defaults() -> None:
    printer = PRINTERS.parse(PLAIN.encode(), "plain")
    assert (printer.dpi, printer.dots_per_mm, printer.cutter, printer.answers) == (203, 8, False, ())
    assert (printer.pace.bytes_per_second, printer.pace.lead_bytes, printer.pace.fence_every) == (10_000, 3_000, 16)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"width": 390}, "multiple of 8"),
        ({"width": 480}, "wider than 58 mm"),
        ({"dialect": '"epl"'}, "epl"),
        ({"tcp_port": None}, "is reached by"),
        ({"dialect": '"tspl"', "answers": '["announcements"]'}, "only ESC/POS"),
        ({"answers": '["everything"]'}, "everything"),
        ({"speed": 9}, "speed"),
        ({"pace": "{ bytes_per_second = 1 }"}, "bytes_per_second"),
        ({"bluetooth": '[{ service = "18F0", write = "2af1" }]'}, "bluetooth"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, Any], reason: str) -> None:
    lines = dict(line.split(" = ", 1) for line in PLAIN.split("\n") if line)
    text = "\n".join(f"{key} = {value}" for key, value in (lines | changes).items() if value is not None)
    with pytest.raises(ConfigurationError, match=reason):
        PRINTERS.parse(text.encode(), "contrary")
