"""The end of a gateway's right to connect: its password, and every certificate that it has."""

from sqlalchemy.ext.asyncio import AsyncSession

from hub.certificates import repository as certificates
from hub.certificates.model import Ended
from hub.gateways.model import Gateway
from hub.parts import Parts


async def revoke(session: AsyncSession, parts: Parts, row: Gateway) -> None:
    """End it; a live connection is cut within five seconds of the commit. What the gateway reported stays."""
    if row.revoked_at is not None:
        return
    now = parts.clock.now()
    row.revoked_at, row.online = now, False
    await certificates.end_all(session, row.gateway, Ended.REVOKED, now)
    await parts.stream.append(session, "gateway", {"gateway": row.gateway, "status": "revoked"})
