"""All SQL of device models."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.device_models.model import DeviceModelRow
from hub.device_models.schemas import DeviceModelIn
from hub.storage.upsert import insert_new
from protocol.errors import RefusedRequestError


async def find(session: AsyncSession, model: str) -> DeviceModelRow:
    """Return a model. Raises RefusedRequestError (404)."""
    row = await session.get(DeviceModelRow, model)
    if row is None:
        raise RefusedRequestError("device-models.unknown", f"no device model {model}", status=404)
    return row


async def held(session: AsyncSession, models: Sequence[str]) -> dict[str, DeviceModelRow]:
    """Return these models by name, held until the transaction ends."""
    wanted = select(DeviceModelRow).where(DeviceModelRow.model.in_(models)).order_by(DeviceModelRow.model)
    return {row.model: row for row in await session.scalars(wanted.with_for_update())}


async def add_new(session: AsyncSession, row: dict[str, Any]) -> bool:
    """Add a model, unless there is one of that name; tell whether it is new."""
    return await insert_new(session, DeviceModelRow, [row]) == 1


async def every(session: AsyncSession) -> list[DeviceModelIn]:
    """Return all models."""
    documents = await session.scalars(select(DeviceModelRow.document).order_by(DeviceModelRow.model))
    return [DeviceModelIn.model_validate(document) for document in documents]
