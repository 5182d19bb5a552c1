"""All SQL of configurations, of what boxes report of theirs, and of signed metadata."""

from collections.abc import Collection

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.configs.model import ConfigReport, ConfigVersion, SignedMetadata, SignedTarget


async def version(session: AsyncSession, gateway: str, number: int) -> ConfigVersion | None:
    """Return one version of what a gateway was or is to run."""
    return await session.get(ConfigVersion, (gateway, number))


async def recent(session: AsyncSession, gateway: str, limit: int) -> list[ConfigVersion]:
    """Return the last `limit` versions of what a gateway is and was to run, newest first."""
    wanted = versions(gateway).order_by(ConfigVersion.version.desc()).limit(limit)
    return list(await session.scalars(wanted))


def versions(gateway: str) -> Select[ConfigVersion]:
    """Every version for a gateway."""
    return select(ConfigVersion).where(ConfigVersion.gateway == gateway)


async def newest_among(session: AsyncSession, gateways: Collection[str]) -> dict[str, ConfigVersion]:
    """Return what these gateways are to run, by gateway."""
    last = (
        select(ConfigVersion.gateway, func.max(ConfigVersion.version).label("version"))
        .where(ConfigVersion.gateway.in_(gateways))
        .group_by(ConfigVersion.gateway)
        .subquery()
    )
    same = (ConfigVersion.gateway == last.c.gateway) & (ConfigVersion.version == last.c.version)
    return {row.gateway: row for row in await session.scalars(select(ConfigVersion).join(last, same))}


async def reports_among(session: AsyncSession, gateways: Collection[str]) -> dict[str, ConfigReport]:
    """Return what these gateways last said of their configurations, by gateway."""
    rows = await session.scalars(select(ConfigReport).where(ConfigReport.gateway.in_(gateways)))
    return {row.gateway: row for row in rows}


async def report(session: AsyncSession, gateway: str) -> ConfigReport | None:
    """Return what a gateway last said of its configuration."""
    return await session.get(ConfigReport, gateway)


async def newest_metadata(session: AsyncSession, role: str, *, to_write: bool = False) -> SignedMetadata | None:
    """Return the newest metadata of a role. `to_write` keeps others from writing until this transaction ends."""
    wanted = select(SignedMetadata).where(SignedMetadata.role == role).order_by(SignedMetadata.version.desc()).limit(1)
    return await session.scalar(wanted.with_for_update() if to_write else wanted)


async def metadata(session: AsyncSession, role: str, number: int) -> SignedMetadata | None:
    """Return one version of a role's metadata."""
    return await session.get(SignedMetadata, (role, number))


async def forget_metadata(session: AsyncSession, role: str, before: int) -> None:
    """Forget versions of a role's metadata that no box can be in the midst of fetching."""
    await session.execute(delete(SignedMetadata).where(SignedMetadata.role == role, SignedMetadata.version < before))


async def target(session: AsyncSession, path: str, sha256: str) -> SignedTarget | None:
    """Return a small file that metadata names or named."""
    return await session.get(SignedTarget, (path, sha256))
