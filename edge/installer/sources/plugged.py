"""What is plugged into the box's USB: printers, cameras and scanners, as the kernel shows them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from drivers.lines import hidraw
from edge.installer.found import Found
from firmware_configs.printers import PRINTERS
from protocol.errors import DeviceUnreachableError

_SHOWN: Final = 64
_SCANNER_PAGE: Final = 0x8C
"""Of usages (HID Point of Sale Usage Tables): what has one of these is a scanner in HID-POS mode."""
_KEYBOARD: Final = 0x01_0006
_NAMED_SCANNER: Final = ("scan", "barcode", "bar code")


def printers(dev: Path = Path("/dev"), sys: Path = Path("/sys")) -> Iterator[Found]:
    """Yield the printers of the kernel's printer class, named as they name themselves (IEEE 1284)."""
    for device in sorted((dev / "usb").glob("lp*")):
        named = dict(
            part.split(":", 1)
            for part in _text(sys / "class/usbmisc" / device.name / "device/ieee1284_id").split(";")
            if ":" in part
        )
        maker, model = named.get("MFG", named.get("MANUFACTURER", "")), named.get("MDL", named.get("MODEL", ""))
        yield Found(
            kind="printer",
            title=f"{maker} {model}".strip() or device.name,
            place=str(device),
            plausible=True,
            why="usb_printer",
            driver="printer",
            options={"line": {"kind": "usb", "path": str(device)}},
            profiles=PRINTERS.names(),
            wants=("profile",),
        )


def cameras(dev: Path = Path("/dev"), sys: Path = Path("/sys")) -> Iterator[Found]:
    """Yield the cameras; a camera has further nodes for what is no picture, which are passed over."""
    for device in sorted(dev.glob("video[0-9]*")):
        about = sys / "class/video4linux" / device.name
        if _text(about / "index") not in {"", "0"}:
            continue
        yield Found(
            kind="camera",
            title=_text(about / "name") or device.name,
            place=str(device),
            plausible=True,
            why="usb_camera",
            driver="camera",
            options={"url": f"usb:{device}"},
        )


def scanners(dev: Path = Path("/dev"), sys: Path = Path("/sys")) -> Iterator[Found]:
    """Yield the scanners in HID-POS mode, and behind them those that still type like a keyboard."""
    lasting = {link.resolve(): link for link in sorted((dev / "diwang").glob("*"))}
    for node in sorted(dev.glob("hidraw[0-9]*")):
        try:
            said = hidraw.describe(str(node), sys)
        except DeviceUnreachableError:  # what it says of itself makes no sense
            continue
        title = _hid_name(sys / "class/hidraw" / node.name / "device/uevent") or node.name
        in_mode = said is not None and any(usage >> 16 == _SCANNER_PAGE for usage in said.applications)
        types = said is not None and _KEYBOARD in said.applications
        if not in_mode and not (types and any(word in title.lower() for word in _NAMED_SCANNER)):
            continue
        path = str(lasting.get(node.resolve(), node))
        yield Found(
            kind="scanner",
            title=title,
            place=path,
            plausible=in_mode,
            why="hid_scanner" if in_mode else "hid_keyboard",
            driver="scanner",
            options={"source": {"kind": "hid", "path": path}},
        )


def _hid_name(uevent: Path) -> str:
    """Return what a device calls itself, as one printable line."""
    try:
        lines = uevent.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    named = next((line.removeprefix("HID_NAME=") for line in lines if line.startswith("HID_NAME=")), "")
    return _printable(named)


def _text(file: Path) -> str:
    """Return what a file of the kernel says, as one printable line; nothing for one that is not there."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return _printable(text)


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:_SHOWN].strip()
