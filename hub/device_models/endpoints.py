"""Device models over HTTP."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.api.values import Level
from hub.device_models import repository
from hub.device_models.loading import API
from hub.device_models.model import DeviceModelRow
from hub.device_models.naming import named
from hub.device_models.schemas import DeviceModelIn, DeviceModelOut, NamedReading
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["device models"])

Reader = Annotated[Caller, caller_with(Scope.DEVICES_READ)]
ModelName = Annotated[Level, Path()]
_FIRST: Final = 1
_MOST_READINGS: Final = 5_000


@router.get("/device-models")
async def list_device_models(parts: PartsHere, _: Reader, paging: PagingHere) -> Page[DeviceModelOut]:
    """Every type of device that the hub knows, by name."""
    async with parts.database.read() as session:
        return await paging.page(session, select(DeviceModelRow), (DeviceModelRow.model,), DeviceModelOut.of)


@router.post("/device-models", status_code=201, response_model=DeviceModelOut, responses=problems(409))
async def create_device_model(
    body: DeviceModelIn, creation: Annotated[Creation, creation_with(Scope.DEVICES_WRITE)]
) -> Response:
    """Enter a type of device. What its devices report is checked and shown by it within seconds."""
    clock, by = creation.parts.clock, creation.caller.name

    async def act(session: AsyncSession) -> DeviceModelOut:
        row = {
            "model": body.model,
            "document": body.document(),
            "origin": API,
            "changed_at": clock.now(),
            "changed_by": by,
            "version": _FIRST,
        }
        if not await repository.add_new(session, row):
            raise RefusedRequestError("device-models.exists", f"there is a device model {body.model}; change that one")
        return DeviceModelOut.of(await repository.find(session, body.model))

    return await creation.once(act, location=lambda made: f"/api/v1/device-models/{made.model}")


@router.get("/device-models/{model}", responses=problems(404))
async def get_device_model(model: ModelName, parts: PartsHere, _: Reader, response: Response) -> DeviceModelOut:
    """One type of device; its ETag is needed to change it."""
    async with parts.database.read() as session:
        row = await repository.find(session, model)
    tag(response, row.version)
    return DeviceModelOut.of(row)


@router.put("/device-models/{model}", responses=problems(404, 409, 412, 428))
async def change_device_model(
    *,
    model: ModelName,
    body: DeviceModelIn,
    parts: PartsHere,
    caller: Annotated[Caller, caller_with(Scope.DEVICES_WRITE)],
    if_match: IfMatch,
    response: Response,
) -> DeviceModelOut:
    """Change a type of device, whole. Its name and the types of its readings stay for ever."""
    if body.model != model:
        detail = f"the body is of the model {body.model}, the address of {model}"
        raise RefusedRequestError("device-models.other-name", detail, status=422)
    async with parts.database.write() as session:
        row = await repository.find(session, model)
        if_match.require(row.version)
        _keep_types(DeviceModelIn.model_validate(row.document), body)
        row.document, row.origin = body.document(), API
        row.changed_at, row.changed_by = parts.clock.now(), caller.name
        row.version += 1
    tag(response, row.version)
    return DeviceModelOut.of(row)


@router.get("/readings")
async def list_readings(
    parts: PartsHere,
    _: Annotated[Caller, caller_with(Scope.TELEMETRY_READ)],
    gateway: Annotated[Level | None, Query()] = None,
    device: Annotated[Level | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST_READINGS, description="At most so many items")] = 1_000,
) -> Page[NamedReading]:
    """The newest values that device models name, with label and unit, by gateway, device and name.

    Values that no model names are among those of /telemetry/last.
    """
    values = sorted(await parts.telemetry.last(gateway, device), key=lambda value: value[:3])
    async with parts.database.read() as session:
        found = await named(session, values)
    return Page(items=found[:limit], next=None)


def _keep_types(before: DeviceModelIn, after: DeviceModelIn) -> None:
    """A series keeps its type for ever, so what was stored as numbers cannot become texts."""
    for name, reading in before.readings.items():
        if name in after.readings and after.readings[name].type is not reading.type:
            detail = f"{name} is a {reading.type} for ever; report another type under another name"
            raise RefusedRequestError("device-models.type-is-for-ever", detail)
