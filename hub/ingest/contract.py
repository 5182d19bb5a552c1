"""What ingest hands on inside its relational transaction."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class Listener(Protocol):
    """A consumer that also needs to know who speaks, whatever is said.

    It hears of every batch of a group in the same transaction, of batches of readings alone as well, and of a repeated
    batch again.
    """

    async def hear(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        """Note who spoke; hearing the same again must change nothing."""
        ...
