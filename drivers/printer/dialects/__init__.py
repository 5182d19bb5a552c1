"""The languages that printers speak, by name."""

from collections.abc import Callable
from typing import Final

from drivers.printer.contract import Dialect
from drivers.printer.dialects.cpcl import Cpcl
from drivers.printer.dialects.escpos import EscPos
from drivers.printer.dialects.tspl import Tspl
from drivers.printer.dialects.zpl import Zpl
from firmware_configs.printers import Printer

_DIALECTS: Final[dict[str, Callable[[Printer], Dialect]]] = {
    "escpos": lambda printer: EscPos(printer.width, dpi=printer.dpi, cutter=printer.cutter, answers=printer.answers),
    "tspl": lambda printer: Tspl(printer.width, dots_per_mm=printer.dots_per_mm, answers=printer.answers),
    "cpcl": lambda printer: Cpcl(printer.width, dots_per_mm=printer.dots_per_mm, answers=printer.answers),
    "zpl": lambda printer: Zpl(printer.width, dots_per_mm=printer.dots_per_mm, answers=printer.answers),
}


def dialect_of(printer: Printer) -> Dialect:
    """Return the language of a printer, for its width, and with those queries that it answers."""
    return _DIALECTS[printer.dialect](printer)
