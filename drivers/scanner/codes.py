"""What a scanned code stands for: GS1 element strings, GS1 digital links, EAN and UPC numbers, or plain text.

Symbology identifiers are those of ISO/IEC 15424, application identifiers those of the GS1 General Specifications, read
by the library biip. A wrong check digit or date is kept and named among the flaws, for a misprint is a finding too.
Nothing here raises, whatever was scanned.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Any, Final

import msgspec
from biip import ParseConfig, ParseError
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementString
from biip.gs1_messages import GS1Message
from biip.gtin import Gtin
from biip.sscc import Sscc

_SYMBOLOGY: Final = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_GS1: Final = ("]C1", "]e0", "]e1", "]e2", "]d2", "]Q3", "]J1")
_FNC1: Final = "\x1d"
_PRINTED: Final = re.compile(r"(?:\(\d{2,4}\)[^(]+)+")
_GTIN_LENGTHS: Final = (8, 12, 13, 14)
_SSCC_LENGTH: Final = 18
_GTIN_FIRST: Final = re.compile(r"01\d{14}")
_LONGEST_TEXT: Final = 4_096
# Dates that are none are kept and marked by ourselves, where the library would drop the whole message.
_READING: Final = ParseConfig(gs1_element_strings_verify_date=False)
_DATES: Final = {"11": "produced", "15": "best_before", "17": "expiry"}
_TEXTS: Final = {"10": "batch", "21": "serial", "422": "origin"}
_UNREADABLE: Final = (ParseError, ValueError, ArithmeticError, LookupError)
"""Beside its own error the library lets those of Python through on input that fits a pattern but makes no sense."""


class Code(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A scanned code. `gtin` has 14 digits, shorter numbers filled up with zeros; dates are ISO 8601.

    `format` is gs1, digital-link, gtin, sscc or text; `elements` maps each application identifier to its value.
    """

    raw: str
    format: str
    symbology: str | None = None
    gtin: str | None = None
    sscc: str | None = None
    batch: str | None = None
    serial: str | None = None
    origin: str | None = None
    produced: str | None = None
    best_before: str | None = None
    expiry: str | None = None
    net_weight_kg: float | None = None
    elements: dict[str, str] = {}
    flaws: tuple[str, ...] = ()


def read(scan: bytes) -> Code:
    """Return what the bytes of one scan stand for."""
    text, flaws = _decoded(scan)
    found = _SYMBOLOGY.match(text)
    symbology = found[0] if found else None
    content = (text[found.end() :] if found else text).strip(_FNC1 + " ")
    known = _understood(symbology, content)
    return Code(
        raw=text[:_LONGEST_TEXT],
        symbology=symbology,
        **{**known, "flaws": (*flaws, *known.get("flaws", ()))},
    )


def _decoded(scan: bytes) -> tuple[str, tuple[str, ...]]:
    """Read the bytes as UTF-8, else as GB 18030, else byte by byte."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return scan.decode(encoding), ()
        except UnicodeDecodeError:
            continue
    return scan.decode("latin-1"), ("encoding",)


def _understood(symbology: str | None, content: str) -> dict[str, Any]:
    found: dict[str, Any] | None = None
    digits = content.isascii() and content.isdigit()
    promised = symbology in _GS1
    if content.startswith(("http://", "https://")):
        found, promised = _digital_link(content), False
    elif promised:
        found = _message(content)
    elif _PRINTED.fullmatch(content):
        found = _printed(content)
    elif digits and len(content) in _GTIN_LENGTHS:
        found = _gtin(content)
    elif digits and len(content) == _SSCC_LENGTH and not _GTIN_FIRST.match(content):
        found = _sscc(content)
    elif _FNC1 in content or _GTIN_FIRST.match(content):
        found = _message(content)
    return found or {"format": "text", "flaws": ("gs1",) if promised else ()}


def _message(content: str) -> dict[str, Any] | None:
    if not content.isascii():
        return None
    try:
        message = GS1Message.parse(content, config=_READING)
    except _UNREADABLE:
        return None
    return {"format": "gs1", **_elements(message.element_strings)}


def _printed(content: str) -> dict[str, Any] | None:
    """Read what stands below a bar code: (01)06901234567892(10)A7."""
    if not content.isascii():
        return None
    try:
        message = GS1Message.parse_hri(content, config=_READING)
    except _UNREADABLE:
        return None
    return {"format": "gs1", **_elements(message.element_strings)}


def _digital_link(content: str) -> dict[str, Any] | None:
    try:
        link = GS1DigitalLinkURI.parse(content, config=_READING)
    except _UNREADABLE:
        return None
    return {"format": "digital-link", **_elements(link.element_strings)}


def _elements(strings: Iterable[GS1ElementString]) -> dict[str, Any]:
    found: dict[str, Any] = {"elements": {}}
    flaws: list[str] = []
    for each in strings:
        ai, value = each.ai.ai, each.value
        found["elements"].setdefault(ai, value)
        if ai == "01":
            found.setdefault("gtin", value)
            flaws += ["gtin"] if each.gtin is None else []
        elif ai == "00":
            found.setdefault("sscc", value)
            flaws += ["sscc"] if each.sscc is None else []
        elif ai in _TEXTS:
            found.setdefault(_TEXTS[ai], value)
        elif ai in _DATES:
            if isinstance(each.date, date):
                found.setdefault(_DATES[ai], each.date.isoformat())
            else:
                flaws.append(_DATES[ai])
        elif ai.startswith("310") and each.decimal is not None:
            found.setdefault("net_weight_kg", float(each.decimal))
    return {**found, "flaws": tuple(flaws)}


def _gtin(digits: str) -> dict[str, Any]:
    try:
        Gtin.parse(digits)
    except _UNREADABLE:
        return {"format": "gtin", "gtin": digits.zfill(14), "flaws": ("gtin",)}
    return {"format": "gtin", "gtin": digits.zfill(14)}


def _sscc(digits: str) -> dict[str, Any]:
    try:
        Sscc.parse(digits)
    except _UNREADABLE:
        return {"format": "text"}  # any number of eighteen digits: an identity card, for instance
    return {"format": "sscc", "sscc": digits}
