"""From the console's token to the first administrator's key: once, within an hour, and only while there is none."""

import hmac
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.issuing import IssuedKey, digest, issue_key
from hub.accounts.scopes import Scope
from hub.setup import repository
from hub.setup.model import SetupToken
from protocol import logs
from protocol.clock import Clock
from protocol.enrolment import grouped, new_code, read_code
from protocol.errors import RefusedRequestError, UndecodableMessageError

VALID_FOR: Final = timedelta(hours=1)

log = logs.get(__name__)


async def new_token(session: AsyncSession, clock: Clock) -> str | None:
    """Add a token and return it as people read it; None when there is an administrator.

    Tokens that were shown before are void. The caller commits, then shows it on the console, and nowhere else.
    """
    now = clock.now()
    if await repository.has_administrator(session, now):
        return None
    await repository.void_all(session, now)
    token = new_code()
    session.add(SetupToken(digest=digest(token), created_at=now, expires_at=now + VALID_FOR))
    return grouped(token)


async def exchange(session: AsyncSession, clock: Clock, written: str, name: str) -> IssuedKey:
    """Use up a token and make the first administrator's key. The caller commits, then shows the key once.

    Raises RefusedRequestError: 403 for what is no token, 410 for one that is used, void, too old, or not needed.
    """
    try:
        offered = digest(read_code(written))
    except UndecodableMessageError as error:
        raise _unknown() from error
    row = await repository.find(session, offered)
    # The row was found by its digest already; compared once more in a time that says nothing.
    if row is None or not hmac.compare_digest(row.digest, offered):
        raise _unknown()
    now = clock.now()
    if row.voided_at is not None:
        raise _gone("void", "a newer set-up token was issued after this one; look at the console again")
    if row.used_at is None and now >= row.expires_at:
        raise _gone("expired", "this set-up token is too old; `diwang hub setup-token` or a restart shows a new one")
    if row.used_at is None and await repository.has_administrator(session, now):
        raise _gone("not_needed", "this hub has an administrator already")
    if not await repository.use(session, offered, now):
        raise _gone("used", "this set-up token has been used")
    issued = issue_key(session, clock, name, [Scope.ADMIN])
    log.info("hub_set_up", key=issued.row.id, name=name)
    return issued


def _unknown() -> RefusedRequestError:
    return RefusedRequestError("setup.wrong_token", "this is no set-up token; is it typed as it stands?", status=403)


def _gone(why: str, detail: str) -> RefusedRequestError:
    return RefusedRequestError(f"setup.{why}", detail, status=410)
