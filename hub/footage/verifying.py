"""Checking a clip, a bundle or a deletion certificate offline, down to the last byte."""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from hub.custody import documents
from hub.custody.documents import Leaf, ProofDocument
from hub.custody.verifying import Finding, Trust, broken, entries_of, examine, holds
from hub.footage.bundle import CLIPS, DESCRIPTION, LEAFLET, PROOFS
from hub.uploads.digests import Digests

LARGEST_TEXT: Final = 1024 * 1024
_PIECE: Final = 1024 * 1024


def verify_document(payload: bytes, trust: Trust) -> Iterator[Finding]:
    """Yield what is found of a proof document alone: the history of evidence that is not at hand, or deleted."""
    document = _read(payload)
    if isinstance(document, Finding):
        yield document
        return
    yield from examine(document, trust)
    yield from _of_one_item(document)
    deleted = [leaf for leaf in _leaves(document) if leaf.kind == "footage.deleted"]
    if deleted:
        yield holds("deleted", item=deleted[-1].item, at=deleted[-1].at, article=deleted[-1].data.get("article", ""))


def verify_clip(clip: Path, payload: bytes, trust: Trust) -> Iterator[Finding]:
    """Yield what is found of a clip with its proof document. Raises OSError."""
    document = _read(payload)
    if isinstance(document, Finding):
        yield document
        return
    yield from examine(document, trust)
    yield from _of_one_item(document)
    with clip.open("rb") as file:
        yield _bytes(file, document)


def verify_bundle(file: Path, trust: Trust) -> Iterator[Finding]:
    """Yield what is found of an exported bundle. Raises OSError."""
    try:
        with zipfile.ZipFile(file) as bundle:
            yield from _bundle(bundle, trust)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, RuntimeError, ValueError) as error:
        yield broken("bundle_broken", reason=error)


def _bundle(bundle: zipfile.ZipFile, trust: Trust) -> Iterator[Finding]:
    names = sorted(bundle.namelist())
    clips = [name for name in names if name.startswith(CLIPS)]
    if len(clips) != 1 or names != sorted([DESCRIPTION, LEAFLET, PROOFS, *clips]):
        yield broken("bundle_other_files")
        return
    document = _read(_text(bundle, PROOFS, documents.LONGEST))
    if isinstance(document, Finding):
        yield document
        return
    yield from examine(document, trust)
    yield from _of_one_item(document)
    with bundle.open(clips[0]) as clip:
        yield _bytes(clip, document)
    if clips[0] != CLIPS + document_item(document):
        yield broken("bundle_other_files")
    yield from _described(bundle, document)


def _described(bundle: zipfile.ZipFile, document: ProofDocument) -> Iterator[Finding]:
    """The texts beside the clip are those that one of its exports committed to."""
    texts = {name: _text(bundle, name, LARGEST_TEXT) for name in (DESCRIPTION, LEAFLET)}
    found = {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    exports = [leaf.data for leaf in _leaves(document) if leaf.kind == "footage.exported"]
    if any(export.get("files") == found for export in exports):
        yield holds("texts_hold")
        return
    for name, digest in found.items():
        if not any(_committed(export).get(name) == digest for export in exports):
            yield broken("text_broken", name=name)
    yield broken("export_missing")


def _committed(export: dict[str, Any]) -> dict[str, Any]:
    files = export.get("files")
    return files if isinstance(files, dict) else {}


def _bytes(file: IO[bytes], document: ProofDocument) -> Finding:
    """The bytes are those that the hub received."""
    digests = Digests()
    while piece := file.read(_PIECE):
        digests.update(piece)
    sha256, sm3 = digests.hashes()
    for leaf in _leaves(document):
        same = leaf.item == sha256 and (leaf.data.get("sm3"), leaf.data.get("size")) == (sm3, digests.size)
        if leaf.kind == "footage.received" and same:
            return holds("clip_holds", sha256=sha256, at=leaf.at)
    return broken("clip_broken", sha256=sha256)


def _of_one_item(document: ProofDocument) -> Iterator[Finding]:
    if len({leaf.item for leaf in _leaves(document)}) > 1:
        yield broken("entries_mixed")


def document_item(document: ProofDocument) -> str:
    """Return the SHA-256 of the evidence that a document is about; empty when no entry can be read."""
    return next((leaf.item for leaf in _leaves(document)), "")


def _leaves(document: ProofDocument) -> list[Leaf]:
    """Return what the entries say; `examine` tells of those that cannot be read."""
    try:
        return entries_of(document)
    except msgspec.DecodeError:
        return []


def _read(payload: bytes) -> ProofDocument | Finding:
    try:
        return documents.read(payload)
    except ValueError as error:
        return broken("document_broken", reason=error)


def _text(bundle: zipfile.ZipFile, name: str, longest: int) -> bytes:
    with bundle.open(name) as file:
        text = file.read(longest + 1)
    if len(text) > longest:
        raise ValueError(f"{name} is too long")
    return text
