"""Making API keys and sessions. The secret is returned once; only its hash is stored."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import ApiKeyRow, SessionRow
from hub.accounts.scopes import Scope
from protocol.clock import Clock

SESSION_LIFE: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key with its secret, which nobody can read again."""

    row: ApiKeyRow
    secret: str = field(repr=False)


def digest(secret: str) -> bytes:
    """Return what is stored of a secret: its SHA-256."""
    return hashlib.sha256(secret.encode()).digest()


def issue_key(
    session: AsyncSession, clock: Clock, name: str, scopes: Iterable[Scope], expires_at: datetime | None = None
) -> IssuedKey:
    """Add a key `dw_<id>_<256 random bits>`. The caller commits, then shows the secret once."""
    key_id = secrets.token_hex(6)
    secret = f"dw_{key_id}_{secrets.token_hex(32)}"
    row = ApiKeyRow(
        id=key_id,
        name=name,
        digest=digest(secret),
        scopes=sorted(set(scopes)),
        created_at=clock.now(),
        expires_at=expires_at,
    )
    session.add(row)
    return IssuedKey(row, secret)


def open_session(session: AsyncSession, clock: Clock, key_id: str) -> str:
    """Add a session of a key and return its cookie, 256 random bits."""
    cookie = secrets.token_urlsafe(32)
    now = clock.now()
    session.add(SessionRow(digest=digest(cookie), key_id=key_id, opened_at=now, expires_at=now + SESSION_LIFE))
    return cookie
