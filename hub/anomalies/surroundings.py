"""Reading what tracks are judged against: which officer carries a device and the roster, or its registered site."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies import repository
from hub.anomalies.circumstances import Circumstances, Duties, Site
from hub.anomalies.repository import Key
from hub.devices.model import Device
from hub.grids.live import LiveGrids

_BARE = Circumstances()


async def surroundings(
    session: AsyncSession, grids: LiveGrids, devices: Mapping[Key, Device], since_us: int, until_us: int
) -> dict[Key, Circumstances]:
    """Return the circumstances of devices, good for fixes of that stretch of time. Devices that move have no site."""
    officers = {row.officer_id for row in devices.values() if row.officer_id is not None}
    shifts = await repository.shifts(session, officers, since_us, until_us)
    index = await grids.current()
    found: dict[Key, Circumstances] = {}
    for key, row in devices.items():
        if row.officer_id is not None:
            found[key] = Circumstances(duties=Duties(shifts[row.officer_id]), grids=index)
        elif row.latitude is not None and row.longitude is not None:
            found[key] = Circumstances(site=Site(row.latitude, row.longitude))
        else:
            found[key] = _BARE
    return found
