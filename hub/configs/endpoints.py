"""Configurations over HTTP: what each gateway is to run, what it says it runs, and in what these differ."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from sqlalchemy import select

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.api.values import Level
from hub.configs import repository
from hub.configs.model import ConfigVersion
from hub.configs.publishing import publish, require_gateway
from hub.configs.schemas import ConfigIn, ConfigOut, ConfigStanding, ConfigVersionOut
from hub.gateways.model import Gateway
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["configs"])

Reader = Annotated[Caller, caller_with(Scope.DEVICES_READ)]
Writer = Annotated[Caller, caller_with(Scope.DEVICES_WRITE)]
GatewayName = Annotated[Level, Path()]

LOOKED_BACK: Final = 10
"""How many versions are searched for when a difference was asked for first."""


@router.get("/configs")
async def list_configs(parts: PartsHere, _: Reader, paging: PagingHere) -> Page[ConfigStanding]:
    """Whether each gateway runs what it is to run, by name."""
    registered = select(Gateway).where(Gateway.revoked_at.is_(None))
    async with parts.database.read() as session:
        page = await paging.page(session, registered, (Gateway.gateway,), lambda row: row.gateway)
        desired = await repository.newest_among(session, page.items)
        reports = await repository.reports_among(session, page.items)
    items = [ConfigStanding.of(name, desired.get(name), reports.get(name)) for name in page.items]
    return Page(items=items, next=page.next)


@router.get("/configs/{gateway}", responses=problems(404))
async def get_config(gateway: GatewayName, parts: PartsHere, _: Reader, response: Response) -> ConfigOut:
    """What a gateway is to run and what it says it runs, with an ETag to change it by."""
    async with parts.database.read() as session:
        await require_gateway(session, gateway)
        history = await repository.recent(session, gateway, LOOKED_BACK)
        report = await repository.report(session, gateway)
    tag(response, history[0].version if history else 0)
    return ConfigOut.of(gateway, history, report)


@router.put("/configs/{gateway}", responses=problems(404, 409, 412, 428))
async def set_config(
    *, gateway: GatewayName, body: ConfigIn, parts: PartsHere, caller: Writer, if_match: IfMatch, response: Response
) -> ConfigOut:
    """Say what a gateway is to run. It is signed, and the gateway fetches it at once if it is online.

    The gateway itself checks it whole before it runs it; what it refuses, and why, stands in `reported`.
    """
    async with parts.database.write() as session:
        await require_gateway(session, gateway)
        history = await repository.recent(session, gateway, LOOKED_BACK)
        number = history[0].version if history else 0
        if_match.require(number)
        desired = await publish(
            session, parts, gateway, body, after=number, author=caller.name, issued_by=caller.key_id
        )
        report = await repository.report(session, gateway)
    parts.wake_commands()
    tag(response, desired.version)
    return ConfigOut.of(gateway, [desired, *history], report)


@router.get("/configs/{gateway}/versions", responses=problems(404))
async def list_config_versions(
    gateway: GatewayName, parts: PartsHere, _: Reader, paging: PagingHere
) -> Page[ConfigVersionOut]:
    """Every version of what a gateway was to run, newest first."""
    async with parts.database.read() as session:
        await require_gateway(session, gateway)
        wanted = repository.versions(gateway)
        return await paging.page(session, wanted, (ConfigVersion.version.desc(),), ConfigVersionOut.of)


@router.get("/configs/{gateway}/versions/{version}", responses=problems(404))
async def get_config_version(
    gateway: GatewayName, version: Annotated[int, Path(ge=1, le=2**31 - 1)], parts: PartsHere, _: Reader
) -> ConfigVersionOut:
    """One version of what a gateway was to run."""
    async with parts.database.read() as session:
        row = await repository.version(session, gateway, version)
    if row is None:
        raise RefusedRequestError("configs.unknown_version", f"{gateway} has no version {version}", status=404)
    return ConfigVersionOut.of(row)
