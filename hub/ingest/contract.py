"""What ingest hands on inside its relational transaction."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from hub.telemetry.contract import Arrival


class Consumer(Protocol):
    """A part of the hub that makes something of what gateways report.

    Consumers run one after the other, in a listed order, inside the one relational transaction of a group of batches,
    after telemetry has been committed and before anything is acknowledged. Each batch reaches them exactly once: a
    batch that was taken before is not among `arrivals`.
    """

    async def take(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        """Do what these batches cause; raise to have nothing of the group happen."""
        ...
