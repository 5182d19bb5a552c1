"""Putting the certificates of a time stamp into the order that DER asks for (X.690 section 11.6).

OpenSSL, and so many authorities, write them as they come. No signature covers their order (RFC 5652 section 5.4), but a
strict reader refuses the stamp for it. The elements are only permuted: no length changes, nothing else is touched.
"""

from typing import Final, NamedTuple

_SEQUENCE: Final = 0x30
_CONTEXT_0: Final = 0xA0
_LONGEST_LENGTH: Final = 4
_LONG_FORM: Final = 0x80


class Element(NamedTuple):
    """An element of a DER encoding: its tag, where it starts, where its content does, and where both end."""

    tag: int
    start: int
    content: int
    end: int


def in_order(stamp: bytes) -> bytes:
    """Return a TimeStampResp (RFC 3161 section 2.4.2) with its certificates in order; others are returned as they are.

    Raises ValueError for what is no definite encoding.
    """
    response = _element(stamp, 0, len(stamp))
    token = _nth(stamp, response, 1)
    wrapped = _nth(stamp, token, 1) if token is not None else None
    signed = _nth(stamp, wrapped, 0) if wrapped is not None and wrapped.tag == _CONTEXT_0 else None
    certificates = _nth(stamp, signed, 3) if signed is not None and signed.tag == _SEQUENCE else None
    if certificates is None or certificates.tag != _CONTEXT_0:
        return stamp
    sorted_ones = sorted(stamp[each.start : each.end] for each in _within(stamp, certificates))
    return stamp[: certificates.content] + b"".join(sorted_ones) + stamp[certificates.end :]


def _nth(encoding: bytes, parent: Element, place: int) -> Element | None:
    elements = _within(encoding, parent)
    return elements[place] if place < len(elements) else None


def _within(encoding: bytes, parent: Element) -> list[Element]:
    elements = []
    at = parent.content
    while at < parent.end:
        elements.append(_element(encoding, at, parent.end))
        at = elements[-1].end
    return elements


def _element(encoding: bytes, at: int, limit: int) -> Element:
    if at + 2 > limit:
        raise ValueError("the encoding is cut off")
    first, content = encoding[at + 1], at + 2
    length = first
    if first & _LONG_FORM:
        count = first & ~_LONG_FORM
        if not 1 <= count <= _LONGEST_LENGTH or content + count > limit:
            raise ValueError("a length is not one of DER")
        length = int.from_bytes(encoding[content : content + count], "big")
        content += count
    if content + length > limit:
        raise ValueError("an element is longer than what holds it")
    return Element(encoding[at], at, content, content + length)
