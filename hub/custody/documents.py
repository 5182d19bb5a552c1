"""The proof document: what goes with a piece of evidence so that anyone can check its history offline.

One JSON object, `custody.json` in a bundle. It holds entries of the log as they were committed to, a path for each
from its leaf to the root, the signed checkpoint with that root, and the authority's stamp over the checkpoint.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from hub.custody.notes import LONGEST_NOTE
from hub.custody.stamping import LONGEST_STAMP

FORMAT: Final = "diwang-custody-1"
LONGEST: Final = 64 * 1024 * 1024
LONGEST_LEAF: Final = 64 * 1024

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]


class ProvenEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry: its number, the text that the tree commits to, and its path to the root (RFC 6962 section 2.1.1)."""

    number: Annotated[int, Meta(ge=0)]
    leaf: Annotated[str, Meta(max_length=LONGEST_LEAF)]
    path: Annotated[tuple[Hash, ...], Meta(max_length=64)]


class ProofDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Entries and why they are to be believed. `key` says whose log it is; only a key known before proves that."""

    format: Literal["diwang-custody-1"] = FORMAT
    key: Annotated[str, Meta(max_length=300)]
    checkpoint: Annotated[str, Meta(max_length=LONGEST_NOTE)]
    stamp: Annotated[bytes, Meta(max_length=LONGEST_STAMP)] | None
    entries: Annotated[tuple[ProvenEntry, ...], Meta(min_length=1)]


class Leaf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an entry says: when, who, what, about which evidence (SHA-256)."""

    at: str
    by: str
    kind: str
    item: str
    data: dict[str, Any]


def written(document: ProofDocument) -> bytes:
    """Return the document as a file that people can also look into."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def read(payload: bytes) -> ProofDocument:
    """Read a document strictly. Raises ValueError that says what is wrong."""
    if len(payload) > LONGEST:
        raise ValueError("the proof document is too long")
    return msgspec.json.decode(payload, type=ProofDocument)


def leaf_of(entry: ProvenEntry) -> Leaf:
    """Read what an entry says. Raises ValueError."""
    return msgspec.json.decode(entry.leaf, type=Leaf)
