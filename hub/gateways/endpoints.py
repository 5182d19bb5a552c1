"""Gateways: register, list, look at, revoke."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.problems import problems
from hub.api.values import Level
from hub.gateways import repository
from hub.gateways.model import Gateway
from hub.gateways.registry import digest_of
from hub.gateways.revoking import revoke
from hub.gateways.schemas import GatewayCreated, GatewayDetail, GatewayIn, GatewayOut
from hub.ingest import repository as ingest
from hub.ingest.sequences import gaps
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["gateways"])

Reader = Annotated[Caller, caller_with(Scope.DEVICES_READ)]
GatewayName = Annotated[Level, Path()]


@router.post("/gateways", status_code=201, response_model=GatewayCreated, responses=problems(409))
async def register_gateway(
    body: GatewayIn, creation: Annotated[Creation, creation_with(Scope.DEVICES_WRITE)]
) -> Response:
    """Register a gateway, or give a revoked one a new password. The password is in this answer and nowhere else."""
    parts = creation.parts

    async def act(session: AsyncSession) -> GatewayCreated:
        password = secrets.token_urlsafe(32)
        await _register(session, body.gateway, digest_of(password))
        return GatewayCreated(
            gateway=body.gateway, username=body.gateway, password=password, broker=parts.broker_address
        )

    async def _register(session: AsyncSession, name: str, digest: str) -> None:
        known = await repository.find(session, name)
        if known is None:
            now = parts.clock.now()
            session.add(Gateway(gateway=name, password_digest=digest, credentials_at=now, created_at=now))
        elif known.revoked_at is None:
            raise RefusedRequestError("gateways.exists", f"the gateway {name} is registered; revoke it first")
        else:
            known.password_digest, known.credentials_at, known.revoked_at = digest, parts.clock.now(), None

    return await creation.once(act, location=lambda made: f"/api/v1/gateways/{made.gateway}")


@router.get("/gateways")
async def list_gateways(parts: PartsHere, _: Reader, paging: PagingHere) -> Page[GatewayOut]:
    """Every gateway that was ever registered, by name."""
    async with parts.database.read() as session:
        return await paging.page(session, select(Gateway), (Gateway.gateway,), GatewayOut.of)


@router.get("/gateways/{gateway}", responses=problems(404))
async def get_gateway(gateway: GatewayName, parts: PartsHere, _: Reader) -> GatewayDetail:
    """One gateway, with the sequence numbers that are missing of its current enrolment."""
    async with parts.database.read() as session:
        row = await _found(session, gateway)
        shape = GatewayDetail.of(row)
        if row.epoch is None:
            return shape
        several = await ingest.runs_of(session, ingest.Enrolment(gateway, row.epoch))
        return shape.with_gaps(row.epoch, gaps(several))


@router.delete("/gateways/{gateway}", status_code=204, responses=problems(404))
async def revoke_gateway(
    gateway: GatewayName, parts: PartsHere, _: Annotated[Caller, caller_with(Scope.DEVICES_WRITE)]
) -> None:
    """End a gateway's right to connect; a live connection is cut within five seconds. What it reported stays."""
    async with parts.database.write() as session:
        row = await _found(session, gateway)
        await revoke(session, parts, row)


async def _found(session: AsyncSession, gateway: str) -> Gateway:
    row = await repository.find(session, gateway)
    if row is None:
        raise RefusedRequestError("gateways.unknown", f"no gateway {gateway}", status=404)
    return row
