"""Writing into the custody log, in the transaction of the act that it tells of.

await recording.append(session, clock, kind="footage.received", item=sha256, by="gateway:g1", data={"size": 42})
"""

import json
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from hub.custody import repository, tree
from hub.custody.model import CustodyEntry
from protocol.clock import Clock


async def append(
    session: AsyncSession, clock: Clock, *, kind: str, item: str, by: str, data: dict[str, Any]
) -> CustodyEntry:
    """Append an entry as the last act of the caller's transaction, which others wait for from here on.

    `item` is the SHA-256 of the evidence; `by` names who acted: `gateway:<id>`, `key:<id>` or `hub`. `data` is JSON
    without floating-point numbers, so that there is one way to write it.
    """
    number = await repository.take_place(session)
    at = clock.now()
    leaf = canonical({"at": at.isoformat(), "by": by, "data": data, "item": item, "kind": kind})
    siblings = tree.completed_by(number)
    known = await repository.hashes(session, siblings)
    nodes = tree.grown(number, tree.leaf_hash(leaf.encode()), [known[each] for each in siblings])
    entry = CustodyEntry(number=number, at=at, kind=kind, item=item, leaf=leaf)
    await repository.add(session, entry, nodes)
    return entry


def canonical(value: dict[str, Any]) -> str:
    """Return the one way to write an object: names sorted, no blanks, text as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
