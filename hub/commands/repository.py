"""All SQL of commands."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.commands.model import IssuedCommand
from hub.gateways.model import Gateway
from protocol.messages import Reply

PENDING = "pending"
EXPIRED = "expired"


async def find(session: AsyncSession, command_id: UUID) -> IssuedCommand | None:
    """Return a command."""
    return await session.get(IssuedCommand, command_id)


async def to_send(session: AsyncSession, limit: int) -> Sequence[IssuedCommand]:
    """Return pending commands to gateways that are online: those never sent first, then those sent longest ago.

    So a gateway that answers nothing does not stand before the others.
    """
    wanted = (
        select(IssuedCommand)
        .join(Gateway, Gateway.gateway == IssuedCommand.gateway)
        .where(IssuedCommand.state == PENDING, Gateway.online, Gateway.revoked_at.is_(None))
        .order_by(IssuedCommand.sent_at.nulls_first(), IssuedCommand.issued_at, IssuedCommand.id)
        .limit(limit)
    )
    return (await session.scalars(wanted)).all()


async def note_sent(session: AsyncSession, commands: Collection[UUID], at: datetime) -> None:
    """Count one more sending."""
    sent = update(IssuedCommand).where(IssuedCommand.id.in_(commands))
    await session.execute(sent.values(sent_at=at, times_sent=IssuedCommand.times_sent + 1))


async def expire(session: AsyncSession, now: datetime) -> Sequence[UUID]:
    """End the pending commands whose time is over; return them."""
    late = update(IssuedCommand).where(IssuedCommand.state == PENDING, IssuedCommand.expires_at <= now)
    return (await session.scalars(late.values(state=EXPIRED).returning(IssuedCommand.id))).all()


async def any_late(session: AsyncSession, now: datetime) -> bool:
    """Tell whether a pending command's time is over."""
    late = select(IssuedCommand.id).where(IssuedCommand.state == PENDING, IssuedCommand.expires_at <= now)
    return await session.scalar(late.limit(1)) is not None


async def settle(session: AsyncSession, gateway: str, reply: Reply, at: datetime) -> bool:
    """Write down the first reply to a command; tell whether the gateway has such a command.

    A reply that was under way when the hub let the command expire still counts.
    """
    open_still = or_(IssuedCommand.state == PENDING, IssuedCommand.replied_at.is_(None))
    settled = await session.scalar(
        update(IssuedCommand)
        .where(IssuedCommand.id == reply.id, IssuedCommand.gateway == gateway, open_still)
        .values(state=reply.result.value, data=reply.data, replied_at=at)
        .returning(IssuedCommand.id)
    )
    if settled is not None:
        return True
    command = await find(session, reply.id)
    return command is not None and command.gateway == gateway
