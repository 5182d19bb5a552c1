"""API keys made on the spot: for the operator of the machine, whether the hub runs or not."""

from collections.abc import Sequence
from datetime import timedelta

from hub.accounts import repository
from hub.accounts.issuing import issue_key
from hub.accounts.scopes import Scope
from hub.config import HubConfig
from hub.offline import writing
from protocol.clock import Clock
from protocol.errors import ConfigurationError


async def create(config: HubConfig, clock: Clock, name: str, scopes: Sequence[str], life: timedelta | None) -> str:
    """Make a key and return its secret, which is shown this once. Raises ConfigurationError for an unknown scope."""
    unknown = sorted(set(scopes) - set(Scope))
    if unknown:
        raise ConfigurationError(f"there is no scope {', '.join(unknown)}; there are {', '.join(Scope)}")
    expires_at = clock.now() + life if life is not None else None
    async with writing(config) as session:
        return issue_key(session, clock, name, [Scope(scope) for scope in scopes], expires_at).secret


async def describe(config: HubConfig, clock: Clock) -> list[str]:
    """Return one line per key, newest first: id, state, last use, scopes, name."""
    lines = []
    async with writing(config) as session:
        for row in await repository.every(session):
            over = row.expires_at is not None and row.expires_at <= clock.now()
            state = "revoked" if row.revoked_at else "expired" if over else "valid"
            used = f"used {row.last_used_at:%Y-%m-%d %H:%M}Z" if row.last_used_at else "never used"
            lines.append(f"{row.id}  {state:7}  {used:22}  {','.join(row.scopes)}  {row.name}")
    return lines


async def revoke(config: HubConfig, clock: Clock, key_id: str) -> bool:
    """End a key, which a running hub refuses within five seconds; tell whether it was alive."""
    async with writing(config) as session:
        return await repository.revoke(session, key_id, clock.now())
