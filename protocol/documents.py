"""Documents for paper: what a `print` command carries. Content only; how it looks is the printer driver's.

A document is refused whole when any part of it is not of this version: a record from which a line is missing would be
another record. Sizes are bounded so that the longest document still is a ticket of a few metres.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from protocol.errors import UndecodableMessageError
from protocol.messages import MAX_MESSAGE_BYTES

MAX_BLOCKS: Final = 400
MAX_CHARACTERS: Final = 20_000
"""Of all texts of a document together; a line feed counts as a line of 16."""
MAX_QR_BYTES: Final = 400
"""In UTF-8: as much as fits the narrowest paper at error correction M with modules that a phone reads."""
MAX_SIGNATURE_DOTS: Final = (1_200, 600)

_HALF: Final = re.compile("[\ud800-\udfff]")
Line = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*(?!\n)$", description="Text of one line")]
Prose = Annotated[
    str,
    Meta(
        max_length=4_096,
        pattern=r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$",
        description="Text; a line feed begins a new line",
    ),
]
Png = Annotated[bytes, Meta(min_length=33, max_length=32 * 1024, description="PNG of 1-bit grey, black is ink")]


class Align(StrEnum):
    """Where a text stands between the margins."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


class Size(StrEnum):
    """How large a text is, relative to the body of the document."""

    SMALL = "small"
    NORMAL = "normal"
    LARGE = "large"


class Verdict(StrEnum):
    """What was found for one item of a checklist."""

    CONFORM = "conform"
    NOT_CONFORM = "not_conform"
    NOT_APPLICABLE = "not_applicable"


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What documents are made of."""


class _Block(_Part, frozen=True, kw_only=True, tag_field="kind"):
    """A part that stands across the paper."""


class Title(_Block, frozen=True, kw_only=True, tag="title"):
    """The name of the document (level 1, centred) or of a section (level 2)."""

    text: Line
    level: Literal[1, 2] = 1


class Paragraph(_Block, frozen=True, kw_only=True, tag="paragraph"):
    """Running text."""

    text: Prose
    align: Align = Align.LEFT
    size: Size = Size.NORMAL
    bold: bool = False


class Column(_Part, frozen=True, kw_only=True):
    """One column of a table. `share` is its part of the width beside the others'; 0 makes it as wide as its text."""

    heading: Line = ""
    share: Annotated[int, Meta(ge=0, le=100)] = 1
    align: Align = Align.LEFT


class Table(_Block, frozen=True, kw_only=True, tag="table"):
    """Rows of cells, one for each column. Without a heading in any column there is no row of headings, and no rules."""

    columns: Annotated[tuple[Column, ...], Meta(min_length=1, max_length=6)]
    rows: Annotated[tuple[tuple[Prose, ...], ...], Meta(max_length=200)]

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells for {len(self.columns)} columns")


class Check(_Part, frozen=True, kw_only=True):
    """One item of a checklist: its text, what was found, and the article on which it rests. A `key` item is marked."""

    number: Line = ""
    item: Prose
    verdict: Verdict
    article: Prose = ""
    note: Prose = ""
    key: bool = False


class Checklist(_Block, frozen=True, kw_only=True, tag="checklist"):
    """Results of an inspection, item by item."""

    items: Annotated[tuple[Check, ...], Meta(min_length=1, max_length=200)]


class Qr(_Block, frozen=True, kw_only=True, tag="qr"):
    """A QR code (ISO/IEC 18004) with its caption."""

    text: Annotated[str, Meta(min_length=1, max_length=MAX_QR_BYTES)]
    caption: Prose = ""

    def __post_init__(self) -> None:
        size = len(self.text.encode(errors="replace"))
        if size > MAX_QR_BYTES:
            raise ValueError(f"a QR code of {size} bytes, at most {MAX_QR_BYTES} are read by every phone")


class Signature(_Block, frozen=True, kw_only=True, tag="signature"):
    """Who signs, with the signature that was drawn on a screen, or room for a pen where there is none."""

    label: Line
    image: Png | None = None

    def __post_init__(self) -> None:
        if self.image is not None and (flaw := _flaw_of_png(self.image)):
            raise ValueError(flaw)


class Rule(_Block, frozen=True, kw_only=True, tag="line"):
    """A line across the paper."""

    dashed: bool = False


class Spacer(_Block, frozen=True, kw_only=True, tag="spacer"):
    """White paper."""

    millimetres: Annotated[int, Meta(ge=1, le=50)]


Block = Title | Paragraph | Table | Checklist | Qr | Signature | Rule | Spacer


class DocumentType(StrEnum):
    """What a document is before the law."""

    RECORD = "record"
    NOTICE = "notice"
    CERTIFICATE = "certificate"
    OTHER = "other"


class Document(_Part, frozen=True, kw_only=True):
    """Something to print, in one language.

    The written result of an inspection, a `record` (Measures for Supervision and Inspection of Food Production and
    Trading, SAMR Order 49, article 35), names its supervision log and carries a QR code with that id, by which anyone
    verifies it: without both it is no record.
    """

    type: DocumentType = DocumentType.OTHER
    language: Literal["zh", "en"] = "zh"
    log: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]*(?!\n)$")] | None = None
    blocks: Annotated[tuple[Block, ...], Meta(min_length=1, max_length=MAX_BLOCKS)]

    def __post_init__(self) -> None:
        if self.type is DocumentType.RECORD and self.log is None:
            raise ValueError("a record names the `log` that it belongs to")
        codes = [block.text for block in self.blocks if isinstance(block, Qr)]
        if self.log is not None and not any(self.log in code for code in codes):
            raise ValueError(f"no QR code of this document verifies its log {self.log!r}")
        texts = _texts(self.blocks)
        if any(_HALF.search(text) for text in texts):
            raise ValueError("half of a character in a text")
        characters = sum(len(text) + 15 * text.count("\n") for text in texts)
        if characters > MAX_CHARACTERS:
            raise ValueError(f"a document of {characters} characters, at most {MAX_CHARACTERS} are printed")


class PrintOrder(Struct, frozen=True, kw_only=True):
    """The arguments of a `print` command."""

    document: Document
    copies: Annotated[int, Meta(ge=1, le=5)] = 1


_documents: Final = msgspec.json.Decoder(Document)


def decode_document(payload: bytes) -> Document:
    """Read a document from JSON; raise UndecodableMessageError for one that is not wholly of this version."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise UndecodableMessageError(f"{len(payload)} bytes, at most {MAX_MESSAGE_BYTES} are allowed", payload)
    try:
        return _documents.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableMessageError(str(error), payload) from error


def decode_order(args: dict[str, Any]) -> PrintOrder:
    """Read the arguments of a `print` command; raise UndecodableMessageError as `decode_document` does."""
    try:
        return msgspec.convert(args, PrintOrder)
    except msgspec.ValidationError as error:
        raise UndecodableMessageError(str(error), b"") from error


def _texts(value: object) -> list[str]:
    """Return every text to be set, of a block, a part of one, or many of them."""
    if type(value) is str:
        return [value]
    if isinstance(value, tuple):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, _Part):
        return [text for name in value.__struct_fields__ for text in _texts(getattr(value, name))]
    return []


def _flaw_of_png(image: bytes) -> str | None:
    """Return why these bytes are no signature (ISO/IEC 15948, clause 11.2.2), None when their header is one's."""
    if image[:16] != b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR":
        return "a signature is a PNG"
    width, height = int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")
    if tuple(image[24:28]) != (1, 0, 0, 0):
        return "a signature is a PNG of 1-bit grey"
    if not (0 < width <= MAX_SIGNATURE_DOTS[0] and 0 < height <= MAX_SIGNATURE_DOTS[1]):
        return f"a signature of {width} x {height} dots, at most {MAX_SIGNATURE_DOTS[0]} x {MAX_SIGNATURE_DOTS[1]}"
    return None
