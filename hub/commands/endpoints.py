"""Commands: issue, list, look at."""

import json
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.problems import problems
from hub.api.values import Level
from hub.commands import repository
from hub.commands.model import IssuedCommand
from hub.commands.schemas import CommandIn, CommandOut
from hub.gateways import repository as gateways
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["commands"])

GIVEN: Final = timedelta(minutes=5)
LONGEST: Final = timedelta(days=30)
MAX_ARGS_BYTES: Final = 64 * 1024

Reader = Annotated[Caller, caller_with(Scope.DEVICES_READ)]


@router.post("/commands", status_code=201, response_model=CommandOut, responses=problems(404))
async def issue_command(body: CommandIn, creation: Annotated[Creation, creation_with(Scope.COMMANDS_SEND)]) -> Response:
    """Issue a command. It is sent, and sent again, until it is answered or too late, and executed at most once."""
    parts = creation.parts
    now = parts.clock.now()
    expires_at = body.expires_at or now + GIVEN
    if not now < expires_at <= now + LONGEST:
        raise RefusedRequestError("commands.expiry", "`expires_at` lies within the next 30 days", status=422)
    if len(json.dumps(body.args, ensure_ascii=False).encode()) > MAX_ARGS_BYTES:
        raise RefusedRequestError("commands.args_too_long", "`args` are at most 64 KiB", status=422)

    async def act(session: AsyncSession) -> CommandOut:
        gateway = await gateways.find(session, body.gateway)
        if gateway is None or gateway.revoked_at is not None:
            raise RefusedRequestError("gateways.unknown", f"no gateway {body.gateway}", status=404)
        row = IssuedCommand(
            id=parts.clock.new_id(),
            gateway=body.gateway,
            device=body.device,
            name=body.name,
            args=body.args,
            issued_by=creation.caller.key_id,
            issued_at=now,
            expires_at=expires_at,
            state=repository.PENDING,
        )
        session.add(row)
        return CommandOut.of(row)

    answer = await creation.once(act, location=lambda made: f"/api/v1/commands/{made.id}")
    parts.wake_commands()
    return answer


@router.get("/commands")
async def list_commands(
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    gateway: Annotated[Level | None, Query(description="Only to this gateway")] = None,
) -> Page[CommandOut]:
    """Every command, newest first."""
    wanted = select(IssuedCommand) if gateway is None else select(IssuedCommand).where(IssuedCommand.gateway == gateway)
    order = (IssuedCommand.issued_at.desc(), IssuedCommand.id.desc())
    async with parts.database.read() as session:
        return await paging.page(session, wanted, order, CommandOut.of)


@router.get("/commands/{command_id}", responses=problems(404))
async def get_command(command_id: UUID, parts: PartsHere, _: Reader) -> CommandOut:
    """One command and what became of it."""
    async with parts.database.read() as session:
        row = await repository.find(session, command_id)
    if row is None:
        raise RefusedRequestError("commands.unknown", f"no command {command_id}", status=404)
    return CommandOut.of(row)
