"""Printers: documents onto paper, by Bluetooth, network or cable.

The way of a document: `layout` makes a picture of it, one of the `dialects` a ticket of bytes; `press` brings the
ticket onto paper by a `conversation` over one of the `transports`, no faster than `pacing` allows, and knows by
`progress` where to begin again; `journal` keeps what became of each job, `driver` tells it.
"""

from drivers.contract import DriverSpec
from drivers.printer.driver import open_printer
from drivers.printer.options import PrinterOptions

SPEC = DriverSpec(
    name="printer",
    summary="Ticket and label printers: Bluetooth LE and Classic, TCP 9100, USB; ESC/POS, TSPL, CPCL, ZPL",
    options=PrinterOptions,
    open=open_printer,
)
