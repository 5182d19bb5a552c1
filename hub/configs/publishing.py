"""Making a configuration the one that a gateway is to run: checked, numbered, signed, and the gateway woken."""

import hashlib
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.commands import repository as commands
from hub.commands.model import IssuedCommand
from hub.configs import checking, repository
from hub.configs.keys import FOLDER, SigningKeys
from hub.configs.model import ConfigVersion, SignedTarget
from hub.configs.schemas import ConfigIn
from hub.configs.signing import Signing, Target
from hub.gateways import repository as gateways
from hub.parts import Parts
from protocol.errors import ConfigurationError, RefusedRequestError

CONFIGURE: Final = "configure"
WOKEN_WITHIN: Final = timedelta(minutes=10)
"""A gateway that is away for longer looks by itself when it is back."""

PROFILES: Final = "firmware_configs"


def signing_keys(parts: Parts) -> SigningKeys:
    """Return the keys of this hub."""
    return SigningKeys(parts.config.data / FOLDER)


async def publish(
    session: AsyncSession, parts: Parts, gateway: str, wanted: ConfigIn, *, after: int, author: str, issued_by: str
) -> ConfigVersion:
    """Write the version that follows `after`, sign it with the profiles that it names, and wake the gateway.

    Raises RefusedRequestError: those of `checking`; configs.unknown_release; configs.cannot_sign (503).
    """
    tree = checking.parsed(wanted.content)
    files = {f"{PROFILES}/{name}": content for name, content in checking.profiles(tree).items()}
    content = wanted.content.encode()
    number = after + 1
    row = ConfigVersion(
        gateway=gateway,
        version=number,
        bundle=f"{number}-{hashlib.sha256(content).hexdigest()[:12]}",
        content=wanted.content,
        release=wanted.release,
        author=author,
        reason=wanted.reason,
        created_at=parts.clock.now(),
    )
    session.add(row)
    facts = {"bundle": row.bundle, "version": number, "release": row.release, "profiles": sorted(files)}
    targets = {f"{gateway}/config.toml": Target(content, facts)}
    targets |= {path: Target(profile, {}) for path, profile in files.items()}
    try:
        signing = await Signing.begun(session, signing_keys(parts), parts.clock)
        if wanted.release and not signing.knows_release(wanted.release):
            detail = f"no release {wanted.release} is signed; known: {', '.join(signing.releases()) or 'none'}"
            raise RefusedRequestError("configs.unknown_release", detail, status=422)
        await signing.put(targets)
    except ConfigurationError as error:
        raise RefusedRequestError("configs.cannot_sign", str(error), status=503) from error
    for path, target in targets.items():
        digest = hashlib.sha256(target.content).hexdigest()
        if await repository.target(session, path, digest) is None:
            session.add(SignedTarget(path=path, sha256=digest, content=target.content))
    _wake(session, parts, gateway, row.bundle, issued_by)
    await parts.stream.append(session, "config", {"gateway": gateway, "desired": row.bundle})
    await session.flush()
    return row


async def require_gateway(session: AsyncSession, gateway: str) -> None:
    """Raise RefusedRequestError (404) unless the gateway is registered and not revoked."""
    row = await gateways.find(session, gateway)
    if row is None or row.revoked_at is not None:
        raise RefusedRequestError("gateways.unknown", f"no gateway {gateway}", status=404)


def _wake(session: AsyncSession, parts: Parts, gateway: str, bundle: str, issued_by: str) -> None:
    now = parts.clock.now()
    session.add(
        IssuedCommand(
            id=parts.clock.new_id(),
            gateway=gateway,
            device=None,
            name=CONFIGURE,
            args={"bundle": bundle},
            issued_by=issued_by,
            issued_at=now,
            expires_at=now + WOKEN_WITHIN,
            state=commands.PENDING,
        )
    )
