"""API keys: make, list, revoke. And the caller's own name."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import repository
from hub.accounts.issuing import issue_key
from hub.accounts.keyring import Caller
from hub.accounts.model import ApiKeyRow
from hub.accounts.schemas import ApiKeyCreated, ApiKeyIn, ApiKeyOut, WhoAmI
from hub.accounts.scopes import Scope
from hub.api.access import caller_with, identified
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.problems import problems
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["accounts"])


@router.post("/api-keys", status_code=201, response_model=ApiKeyCreated)
async def create_api_key(body: ApiKeyIn, creation: Annotated[Creation, creation_with(Scope.KEYS_MANAGE)]) -> Response:
    """Make a key. Its secret is in this answer and nowhere else. Nobody gives a scope that they do not have."""
    for scope in body.scopes:
        if not creation.caller.may(scope):
            detail = f"a key without the scope {scope.value!r} cannot give it"
            raise RefusedRequestError("keys.scope_not_held", detail, status=403)

    async def act(session: AsyncSession) -> ApiKeyCreated:
        return ApiKeyCreated.of(issue_key(session, creation.parts.clock, body.name, body.scopes, body.expires_at))

    return await creation.once(act)


@router.get("/api-keys")
async def list_api_keys(
    parts: PartsHere, _: Annotated[Caller, caller_with(Scope.KEYS_MANAGE)], paging: PagingHere
) -> Page[ApiKeyOut]:
    """Every key that was ever made, newest first, without secrets."""
    async with parts.database.read() as session:
        order = (ApiKeyRow.created_at.desc(), ApiKeyRow.id)
        return await paging.page(session, select(ApiKeyRow), order, ApiKeyOut.of)


@router.delete("/api-keys/{key_id}", status_code=204, responses=problems(404))
async def revoke_api_key(
    key_id: Annotated[str, Path(pattern="^[0-9a-f]{12}$")],
    parts: PartsHere,
    _: Annotated[Caller, caller_with(Scope.KEYS_MANAGE)],
) -> None:
    """End a key and every session opened with it, everywhere within five seconds. It stays in the list."""
    async with parts.database.write() as session:
        if await repository.find(session, key_id) is None:
            raise RefusedRequestError("keys.unknown", f"no key {key_id}", status=404)
        await repository.revoke(session, key_id, parts.clock.now())
    parts.keys.forget()


@router.get("/whoami")
async def whoami(caller: Annotated[Caller, Depends(identified)]) -> WhoAmI:
    """Who calls, and with which scopes."""
    return WhoAmI(key_id=caller.key_id, name=caller.name, scopes=sorted(caller.scopes))
