"""Documents to print, and what their paper must look like."""

from typing import Any

import msgspec
import zxingcpp
from PIL import Image

from drivers.printer.contract import Bitmap
from drivers.printer.fonts import find_fonts
from drivers.printer.layout import lay_out
from protocol.documents import Check, Checklist, Document, DocumentType, Paragraph, Qr, Rule, Title, Verdict

LOG = "log-20261124-0001"
ADDRESS = f"https://hub.example/l/{LOG}"


def record(lines: int = 4) -> Document:
    """A short record of an inspection, with its QR code."""
    return Document(
        type=DocumentType.RECORD,
        log=LOG,
        blocks=(
            Title(text="现场检查记录"),
            *(Paragraph(text=f"{number}．冷藏柜温度 8.5℃，高于 5℃ 的要求；") for number in range(1, lines + 1)),
            Rule(),
            Checklist(
                items=(Check(item="从业人员健康证明", verdict=Verdict.NOT_CONFORM, article="食品安全法第四十五条"),)
            ),
            Qr(text=ADDRESS, caption="扫码核验"),
        ),
    )


def order(document: Document | None = None, **more: Any) -> dict[str, Any]:
    """The arguments of a `print` command."""
    args: dict[str, Any] = {"document": msgspec.to_builtins(document or record()), **more}
    return args


def picture_of(document: Document, width: int = 384) -> Bitmap:
    """What the document is to look like."""
    return lay_out(document, find_fonts(), width=width).picture


def read_code(picture: Bitmap) -> str:
    """Read the last QR code on a paper."""
    image = Image.frombytes("1", (picture.width, picture.height), bytes(255 - byte for byte in picture.rows))
    codes = zxingcpp.read_barcodes(image.convert("L"))
    assert codes, "no code can be read"
    return max(codes, key=lambda code: code.position.top_left.y).text


def is_whole(paper: list[bytes], picture: Bitmap, *, breaks: int = 0) -> bool:
    """Whether a paper shows every row of a picture, in their order, and nothing else.

    It may have broken off so often: there a row may be cut short and white follow, and the paper go on with any row
    that was due or shown before, as a line that is written again.
    """
    needed = [picture.band(row, 1) for row in range(picture.height)]
    needed, paper = _trimmed(needed), _trimmed(paper)
    # For each number of breaks: the rows that may come next, and those that were due where it may have broken off.
    going: list[set[int]] = [{0}, *(set() for _ in range(breaks))]
    broken: list[set[int]] = [set() for _ in range(breaks + 1)]
    for row in paper:
        for used in range(breaks):
            broken[used + 1] |= going[used]
        follows = [{due + 1 for due in dues if due < len(needed) and needed[due] == row} for dues in going]
        for used in range(1, breaks + 1):
            furthest = max(broken[used], default=-1)
            follows[used] |= {due + 1 for due in range(min(furthest + 1, len(needed))) if needed[due] == row}
            broken[used] = {due for due in broken[used] if _is_cut(row, needed[due] if due < len(needed) else b"")}
        going = follows
    return any(len(needed) in dues for dues in going)


def _is_cut(row: bytes, whole: bytes) -> bool:
    """Whether this is what a row looks like whose rest never came."""
    return whole.startswith(row.rstrip(b"\0"))


def _trimmed(rows: list[bytes]) -> list[bytes]:
    """Leave out the white at the end."""
    end = len(rows)
    while end and not any(rows[end - 1]):
        end -= 1
    return rows[:end]
