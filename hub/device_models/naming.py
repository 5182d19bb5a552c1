"""What the readings of devices are called, and their units."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncSession

from hub.device_models import fitting, repository
from hub.device_models.schemas import DeviceModelIn, NamedReading
from hub.devices import repository as devices
from hub.devices.model import Device
from hub.devices.repository import DeviceKey
from hub.telemetry.contract import LastValue


async def named(session: AsyncSession, values: Collection[LastValue]) -> list[NamedReading]:
    """Return those of these values that the models of their devices name, in their order."""
    models = await repository.every(session)
    keys = sorted({DeviceKey(value.gateway, value.device) for value in values})
    rows = await devices.among(session, keys)
    of = {key: model_of(models, key, rows.get(key)) for key in keys}
    return [
        NamedReading(
            **value._asdict(), unit=reading.unit, label=reading.label.model_dump(by_alias=True), model=model.model
        )
        for value in values
        if (model := of[DeviceKey(value.gateway, value.device)]) and (reading := model.readings.get(value.name))
    ]


def model_of(models: Collection[DeviceModelIn], key: DeviceKey, row: Device | None) -> DeviceModelIn | None:
    """Return the model of a device, which may be unknown yet."""
    driver, chosen = (row.driver, row.model) if row is not None else ("", None)
    return fitting.model_of(models, device=key.device, driver=driver, chosen=chosen)
