"""The legal register of recording devices over HTTP."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.api.values import Level
from hub.devices import repository as devices
from hub.devices.model import Device
from hub.devices.repository import DeviceKey
from hub.parts import PartsHere
from hub.registers import filings, registering, repository
from hub.registers.duties import ZONES, missing
from hub.registers.schemas import Filings, RegisterIn, RegisterOut, ZoneOut
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["registers"])

Reader = Annotated[Caller, caller_with(Scope.DEVICES_READ)]
Name = Annotated[Level, Path()]


class Format(StrEnum):
    """How the filing is written."""

    JSON = "json"
    CSV = "csv"


@router.get("/devices/{gateway}/{device}/register", responses=problems(404))
async def get_register(gateway: Name, device: Name, parts: PartsHere, _: Reader, response: Response) -> RegisterOut:
    """What is registered of a device, and what is missing. Its ETag is needed to write it, also the first time."""
    async with parts.database.read() as session:
        await _device(session, gateway, device)
        row = await repository.find(session, gateway, device)
    tag(response, row.version if row else 0)
    gaps = missing(RegisterIn.of_row(row).entry(), parts.clock.now().date())
    return RegisterOut.shaped(gateway, device, row, gaps)


@router.put("/devices/{gateway}/{device}/register", responses=problems(404, 412, 428))
async def put_register(
    *,
    gateway: Name,
    device: Name,
    body: RegisterIn,
    parts: PartsHere,
    caller: Annotated[Caller, caller_with(Scope.DEVICES_WRITE)],
    if_match: IfMatch,
    response: Response,
) -> RegisterOut:
    """Write what is registered of a device, whole. What is missing by law is told, and does not keep from writing."""
    async with parts.database.write() as session:
        row = await _device(session, gateway, device)
        before = await repository.find(session, gateway, device)
        if_match.require(before.version if before else 0)
        register = await registering.write(session, parts.clock, row, body, by=caller.name)
    tag(response, register.version)
    return RegisterOut.shaped(gateway, device, register, missing(body.entry(), parts.clock.now().date()))


@router.get("/registers/zones")
async def list_forbidden_zones(_: Reader) -> list[ZoneOut]:
    """The zones in which nothing may be recorded, to be checked at each installation."""
    return [ZoneOut(id=zone.id, article=zone.article, zh=zone.zh, en=zone.en) for zone in ZONES.values()]


@router.get("/registers/filings", response_model=Filings, responses={200: {"content": {"text/csv": {}}}})
async def export_filings(
    parts: PartsHere,
    _: Reader,
    format: Annotated[Format, Query()] = Format.JSON,  # noqa: A002 - the parameter's name in the address
) -> Response:
    """Everything that is to be filed with the police or was: one line a device in a public place."""
    async with parts.database.read() as session:
        found = filings.lines(await repository.in_public_places(session))
    if format is Format.CSV:
        headers = {"Content-Disposition": 'attachment; filename="filings.csv"'}
        return Response(filings.as_csv(found), headers=headers, media_type=filings.CSV)
    return Response(Filings(items=found).model_dump_json(), media_type="application/json")


async def _device(session: AsyncSession, gateway: str, device: str) -> Device:
    row = await devices.find(session, DeviceKey(gateway, device))
    if row is None:
        raise RefusedRequestError("devices.unknown", f"no device {device} at gateway {gateway}", status=404)
    return row
