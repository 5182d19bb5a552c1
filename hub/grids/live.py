"""The index of the live grids, rebuilt when they change."""

import asyncio
from typing import Final

from shapely.geometry import shape

from hub.grids import repository
from hub.grids.index import GridIndex
from hub.storage.database import Database
from protocol.clock import Clock

TRUSTED_FOR_S: Final = 2.0
"""Grids changed by another process are seen within this time; those changed by this one at once."""


class LiveGrids:
    """The grids of one hub process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._index = GridIndex(())
        self._serial = -1
        self._checked = float("-inf")
        self._turn = asyncio.Lock()

    async def current(self) -> GridIndex:
        """Return the index of the grids that are. Cheap: mostly it asks nobody.

        Raises StoreUnavailableError when the database must be asked and is away.
        """
        if self._fresh():
            return self._index
        async with self._turn:
            if not self._fresh():
                await self._refresh()
        return self._index

    def forget(self) -> None:
        """Ask the database next time: grids were changed."""
        self._checked = float("-inf")

    def _fresh(self) -> bool:
        return self._clock.monotonic() - self._checked < TRUSTED_FOR_S

    async def _refresh(self) -> None:
        asked = self._clock.monotonic()
        async with self._database.read() as session:
            serial = await repository.serial(session)
            if serial != self._serial:
                rows = [(grid.id, grid.geometry) for grid in await repository.live(session)]
                self._index = await asyncio.to_thread(_built, rows)
                self._serial = serial
        self._checked = asked


def _built(rows: list[tuple[str, dict[str, object]]]) -> GridIndex:
    return GridIndex((grid_id, shape(geometry)) for grid_id, geometry in rows)
