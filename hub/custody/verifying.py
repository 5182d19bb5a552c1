"""Checking a proof document offline: whatever the hub says and whoever holds its tables, what was sealed stays so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from enum import Enum
from typing import Final

from cryptography import x509

from hub.custody import stamping, tree
from hub.custody.documents import Leaf, ProofDocument, leaf_of
from hub.custody.notes import BadNoteError, Checkpoint, VerifierKey, opened


class Outcome(Enum):
    """What came of one check."""

    HOLDS = "holds"
    OPEN = "open"
    """It could not be decided with what was given."""

    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: a word of the catalogue under `verify`, and the facts in it."""

    outcome: Outcome
    word: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trust:
    """What the one who checks knows beforehand: the log's key, and the roots of time-stamping authorities."""

    key: VerifierKey | None = None
    roots: Sequence[x509.Certificate] = ()


NOTHING: Final = Trust()


def holds(word: str, **facts: object) -> Finding:
    """Return a check that held."""
    return Finding(Outcome.HOLDS, word, {name: str(value) for name, value in facts.items()})


def undecided(word: str, **facts: object) -> Finding:
    """Return a check that needs more than was given."""
    return Finding(Outcome.OPEN, word, {name: str(value) for name, value in facts.items()})


def broken(word: str, **facts: object) -> Finding:
    """Return a check that failed: something was changed."""
    return Finding(Outcome.BROKEN, word, {name: str(value) for name, value in facts.items()})


def verdict(findings: Sequence[Finding]) -> Outcome:
    """Return the worst of what was found; nothing found proves nothing."""
    outcomes = {each.outcome for each in findings}
    if Outcome.BROKEN in outcomes or not outcomes:
        return Outcome.BROKEN
    return Outcome.OPEN if Outcome.OPEN in outcomes else Outcome.HOLDS


def entries_of(document: ProofDocument) -> list[Leaf]:
    """Return what the entries say. Raises ValueError for one that is not an entry."""
    return [leaf_of(entry) for entry in document.entries]


def examine(document: ProofDocument, trust: Trust = NOTHING) -> Iterator[Finding]:
    """Yield a finding for the key, the checkpoint, every entry and the time stamp."""
    try:
        key = VerifierKey.parsed(document.key)
        sealed = opened(document.checkpoint, trust.key or key)
    except BadNoteError as error:
        yield broken("checkpoint_broken", reason=error)
        return
    yield from _whose(key, trust)
    yield holds("checkpoint_holds", size=sealed.size, log=sealed.origin)
    yield from _entries(document, sealed)
    yield _stamp(document, trust)


def _whose(key: VerifierKey, trust: Trust) -> Iterator[Finding]:
    if trust.key is None:
        yield undecided("key_unknown", fingerprint=key.fingerprint)
    elif trust.key == key:
        yield holds("key_known", log=key.name)
    else:
        yield broken("key_other", fingerprint=key.fingerprint)


def _entries(document: ProofDocument, sealed: Checkpoint) -> Iterator[Finding]:
    numbers = [entry.number for entry in document.entries]
    if numbers != sorted(set(numbers)):
        yield broken("entries_disordered")
    for entry in document.entries:
        leaf = tree.leaf_hash(entry.leaf.encode())
        if not tree.includes(leaf, entry.number, sealed.size, entry.path, sealed.root):
            yield broken("entry_broken", number=entry.number)
            continue
        try:
            said = leaf_of(entry)
        except ValueError as error:
            yield broken("entry_unreadable", number=entry.number, reason=error)
        else:
            yield holds("entry_holds", number=entry.number, at=said.at, kind=said.kind, by=said.by)


def _stamp(document: ProofDocument, trust: Trust) -> Finding:
    if document.stamp is None:
        return undecided("stamp_missing")
    try:
        at = stamping.checked(document.stamp, document.checkpoint, trust.roots)
    except stamping.BadStampError as error:
        return broken("stamp_broken", reason=error)
    written = at.astimezone(UTC).isoformat()
    return holds("stamp_holds", at=written) if trust.roots else undecided("stamp_unchecked", at=written)
