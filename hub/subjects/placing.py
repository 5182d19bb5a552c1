"""Putting subjects into grids: each lies in the grid that its coordinates are in."""

from collections import defaultdict
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.grids.index import GridIndex
from hub.subjects import repository
from protocol.clock import Clock


async def place_all(session: AsyncSession, clock: Clock, index: GridIndex) -> int:
    """Put every subject that has coordinates into its grid of `index`; return how many moved.

    Each move is a line in the subject's archive. The caller commits.
    """
    placed = await repository.placed(session)
    if not placed:
        return 0
    grids = index.locate_many([row[1] for row in placed], [row[2] for row in placed])
    moved: dict[str | None, list[UUID]] = defaultdict(list)
    entries = []
    now = clock.now()
    for (subject_id, _, _, before), after in zip(placed, grids, strict=True):
        if after != before:
            moved[after].append(subject_id)
            entries.append(
                {
                    "subject_id": subject_id,
                    "at": now,
                    "kind": "subject.grid_changed",
                    "summary": f"所属网格变更: {before or '无'} → {after or '无'}",
                    "ref": str(clock.new_id()),
                    "data": {"from": before, "to": after},
                    "written_at": now,
                }
            )
    for grid_id, subject_ids in moved.items():
        await repository.move(session, subject_ids, grid_id)
    await repository.add_entries(session, entries)
    return len(entries)
