"""All SQL of gateways."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.gateways.model import Gateway


async def credentials(
    session: AsyncSession, since: datetime | None, gateway: str | None = None
) -> dict[str, str | None]:
    """Return the password digest of each gateway added, changed or revoked since then; None is for a revoked one."""
    wanted = select(Gateway.gateway, Gateway.password_digest, Gateway.revoked_at)
    if since is not None:
        wanted = wanted.where(or_(Gateway.credentials_at >= since, Gateway.revoked_at >= since))
    if gateway is not None:
        wanted = wanted.where(Gateway.gateway == gateway)
    rows = await session.execute(wanted)
    return {name: None if revoked_at else digest for name, digest, revoked_at in rows}


async def find(session: AsyncSession, gateway: str) -> Gateway | None:
    """Return a gateway, revoked or not."""
    return await session.get(Gateway, gateway)


async def among(session: AsyncSession, gateways: Collection[str]) -> dict[str, Gateway]:
    """Return these gateways by name."""
    rows = await session.scalars(select(Gateway).where(Gateway.gateway.in_(gateways)))
    return {row.gateway: row for row in rows}


async def online(session: AsyncSession) -> Sequence[Gateway]:
    """Return the gateways that are believed to be online."""
    return (await session.scalars(select(Gateway).where(Gateway.online))).all()


_SEEN = (
    update(Gateway.__table__)  # type: ignore[arg-type]  # a mapped class's table is a Table
    .where(
        Gateway.gateway == bindparam("seen"),
        or_(
            Gateway.last_seen_at.is_(None), Gateway.last_seen_at < bindparam("seen_at", type_=Gateway.last_seen_at.type)
        ),
    )
    .values(last_seen_at=bindparam("seen_at"))
)


async def note_seen(session: AsyncSession, seen: Mapping[str, datetime]) -> None:
    """Move the last sign of life of gateways forward, never back. In order, as for devices."""
    rows: list[dict[str, Any]] = [{"seen": name, "seen_at": at} for name, at in sorted(seen.items())]
    if rows:
        await (await session.connection()).execute(_SEEN, rows)
