"""What is plugged into the box's USB: printers and cameras, as the kernel shows them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge.installer.found import Found
from firmware_configs.printers import PRINTERS

_SHOWN: Final = 64


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


def _text(file: Path) -> str:
    """Return what a file of the kernel says, as one printable line; nothing for one that is not there."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "".join(letter for letter in text if letter.isprintable())[:_SHOWN].strip()
