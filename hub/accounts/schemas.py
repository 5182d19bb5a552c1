"""Shapes of API keys and logins at the HTTP border."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.accounts.issuing import IssuedKey
from hub.accounts.model import ApiKeyRow
from hub.accounts.scopes import Scope
from hub.api.times import Instant
from hub.api.values import Line


class ApiKeyIn(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: Line = Field(description="Who or what uses it")
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    expires_at: Instant | None = Field(default=None, description="When it ends by itself; never when left out")


class ApiKeyOut(BaseModel):
    """A key, without its secret."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: ApiKeyRow) -> Self:
        """Return the shape of a row."""
        return cls(
            id=row.id,
            name=row.name,
            scopes=row.scopes,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
        )


class ApiKeyCreated(BaseModel):
    """A new key with its secret, which is shown this once."""

    id: str
    name: str
    scopes: list[str]
    key: str = Field(description="Send it as `Authorization: Bearer <key>`")

    @classmethod
    def of(cls, issued: IssuedKey) -> Self:
        """Return the shape of a key that was just made."""
        return cls(id=issued.row.id, name=issued.row.name, scopes=issued.row.scopes, key=issued.secret)


class Login(BaseModel):
    """The key that opens a browser's session."""

    model_config = ConfigDict(extra="forbid")

    key: SecretStr = Field(max_length=200)


class WhoAmI(BaseModel):
    """Who the caller is and what it may do."""

    key_id: str
    name: str
    scopes: list[str]
