"""All SQL of set-up tokens."""

from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import ApiKeyRow
from hub.accounts.scopes import Scope
from hub.setup.model import SetupToken


async def has_administrator(session: AsyncSession, now: datetime) -> bool:
    """Tell whether a key with every right stands."""
    stands = select(ApiKeyRow.scopes).where(
        ApiKeyRow.revoked_at.is_(None), or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now)
    )
    return any(Scope.ADMIN in scopes for scopes in await session.scalars(stands))


async def find(session: AsyncSession, digest: bytes) -> SetupToken | None:
    """Return a token, open or not."""
    return await session.get(SetupToken, digest)


async def void_all(session: AsyncSession, now: datetime) -> None:
    """End every token that nobody has used."""
    unused = (SetupToken.used_at.is_(None), SetupToken.voided_at.is_(None))
    await session.execute(update(SetupToken).where(*unused).values(voided_at=now))


async def use(session: AsyncSession, digest: bytes, now: datetime) -> bool:
    """Use up a token; tell whether it was this use that did."""
    used = await session.scalar(
        update(SetupToken)
        .where(SetupToken.digest == digest, SetupToken.used_at.is_(None), SetupToken.voided_at.is_(None))
        .values(used_at=now)
        .returning(SetupToken.digest)
    )
    return used is not None
