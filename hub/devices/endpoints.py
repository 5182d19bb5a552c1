"""Devices: list, look at, link to a business, an officer, a place."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.api.values import Level
from hub.device_models.model import DeviceModelRow
from hub.devices import repository
from hub.devices.gb28181 import Gb28181Id
from hub.devices.model import Device
from hub.devices.repository import DeviceKey
from hub.devices.schemas import DeviceChange, DeviceOut
from hub.organisation.model import Officer
from hub.parts import PartsHere
from hub.registers.repository import needing
from hub.subjects.model import Subject
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["devices"])

Reader = Annotated[Caller, caller_with(Scope.DEVICES_READ)]
_COLUMNS: Final = {"subject": "subject_id", "officer": "officer_id"}


@router.get("/devices")
async def list_devices(
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    gateway: Annotated[Level | None, Query(description="Only of this gateway")] = None,
    gb28181_id: Annotated[Gb28181Id | None, Query(description="The one with this GB/T 28181 number")] = None,
    register: Annotated[
        Literal["complete", "incomplete"] | None,
        Query(description="Only devices that record, by whether their legal register is complete today"),
    ] = None,
) -> Page[DeviceOut]:
    """Every device that ever spoke, by gateway and name."""
    wanted = repository.listed(gateway=gateway, gb28181_id=gb28181_id)
    if register is not None:
        wanted = wanted.where(needing(parts.clock.now().date(), complete=register == "complete"))
    async with parts.database.read() as session:
        return await paging.page(session, wanted, (Device.gateway, Device.device), DeviceOut.of)


@router.get("/devices/{gateway}/{device}", responses=problems(404))
async def get_device(
    gateway: Annotated[Level, Path()], device: Annotated[Level, Path()], parts: PartsHere, _: Reader, response: Response
) -> DeviceOut:
    """One device; its ETag is needed to change it."""
    async with parts.database.read() as session:
        row = await _found(session, DeviceKey(gateway, device))
    tag(response, row.version)
    return DeviceOut.of(row)


@router.patch("/devices/{gateway}/{device}", responses=problems(404, 409, 412, 428))
async def change_device(
    *,
    gateway: Annotated[Level, Path()],
    device: Annotated[Level, Path()],
    change: DeviceChange,
    parts: PartsHere,
    _: Annotated[Caller, caller_with(Scope.DEVICES_WRITE)],
    if_match: IfMatch,
    response: Response,
) -> DeviceOut:
    """Link a device to a business, an officer or a place, number it, or say how often it should speak."""
    async with parts.database.write() as session:
        row = await _found(session, DeviceKey(gateway, device))
        if_match.require(row.version)
        if change.subject is not None and await session.get(Subject, change.subject) is None:
            raise RefusedRequestError("devices.unknown_subject", f"no subject {change.subject}", status=422)
        if change.officer is not None and await session.get(Officer, change.officer) is None:
            raise RefusedRequestError("devices.unknown_officer", f"no officer {change.officer}", status=422)
        if change.model is not None and await session.get(DeviceModelRow, change.model) is None:
            raise RefusedRequestError("devices.unknown_model", f"no device model {change.model}", status=422)
        values = {_COLUMNS.get(name, name): getattr(change, name) for name in change.model_fields_set}
        await repository.change(session, row, values)
        await parts.stream.append(session, "device", {"gateway": gateway, "device": device, "changed": True})
    tag(response, row.version)
    return DeviceOut.of(row)


async def _found(session: AsyncSession, key: DeviceKey) -> Device:
    row = await repository.find(session, key)
    if row is None:
        raise RefusedRequestError("devices.unknown", f"no device {key.device} at gateway {key.gateway}", status=404)
    return row
