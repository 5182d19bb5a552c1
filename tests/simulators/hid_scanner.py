"""A scanner in HID-POS mode as hidraw shows it: a node that gives one report a read, and its descriptor below /sys.

The node is a pipe in packet mode (pipe(2), O_DIRECT), which keeps the borders between reports as hidraw does. The
descriptor and the reports are written out from the tables, without the driver's code.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# HID Point of Sale Usage Tables 1.02, appendix A: a scanned data report of 64 bytes.
DESCRIPTOR = bytes.fromhex(
    "058c 0902 a101"  # usage page Bar Code Scanner, usage Bar Code Scanner, application collection
    "0912 a102 8502"  # Scanned Data Report, logical collection, report id 2
    "1500 26ff00 7508 9501 0501 093b 8102"  # 0..255, 8 bits, one: Byte Count
    "058c 09fb 09fc 09fd 9503 8102"  # Symbology Identifier 1 to 3
    "9538 09fe 820201"  # 56 buffered bytes: Decoded Data
    "9502 0666ff 0904 0900 8102"  # two of the maker's
    "058c 2501 7501 9501 09ff 8102"  # one bit: Decode Data Continued
    "7507 8103"  # seven of no meaning
    "c0"
    "0914 a102 8504 7508 9501 0900 8102 c0"  # another report, id 4
    "c0"
)
# HID 1.11, appendix B.1: the boot keyboard's.
KEYBOARD = bytes.fromhex(
    "05010906a101050719e029e715002501750195088102950175088103950575010508190129059102950175039103"
    "95067508150025650507190029658100c0"
)
PIECE = 56


def report(piece: bytes, symbology: bytes = b"", *, goes_on: bool = False, number: int = 2) -> bytes:
    """One report after appendix A."""
    return (
        bytes((number, len(piece)))
        + symbology.ljust(3, b"\0")
        + piece.ljust(PIECE, b"\0")
        + b"\0\0"
        + bytes((goes_on,))
    )


def reports(scan: bytes, symbology: bytes = b"") -> list[bytes]:
    """A scan in as many reports as it needs."""
    pieces = [scan[at : at + PIECE] for at in range(0, len(scan), PIECE)] or [b""]
    return [report(piece, symbology, goes_on=piece is not pieces[-1]) for piece in pieces]


def describe(sys: Path, node: str, descriptor: bytes, name: str = "") -> None:
    """Write down what the kernel shows of a node."""
    device = sys / "class/hidraw" / node / "device"
    device.mkdir(parents=True)
    (device / "report_descriptor").write_bytes(descriptor)
    (device / "uevent").write_text(f"DRIVER=hid-generic\nHID_ID=0003:00000C2E:00000B81\nHID_NAME={name}\n")


@contextmanager
def plugged(node: Path) -> Iterator[int]:
    """Make the node; each write to the descriptor that is given is a report there. Closing it pulls the plug."""
    os.mkfifo(node)
    unit = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(unit, fcntl.F_SETFL, fcntl.fcntl(unit, fcntl.F_GETFL) | os.O_DIRECT)
    try:
        yield unit
    finally:
        with suppress(OSError):  # it was pulled out
            os.close(unit)
