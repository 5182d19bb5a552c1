"""All SQL of the legal register."""

from datetime import date

from sqlalchemy import ColumnElement, and_, exists, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.devices.model import Device
from hub.registers.duties import RECORDING
from hub.registers.model import Register
from hub.subjects.model import Subject


async def find(session: AsyncSession, gateway: str, device: str) -> Register | None:
    """Return what is registered of a device."""
    return await session.get(Register, (gateway, device))


def needing(today: date, *, complete: bool) -> ColumnElement[bool]:
    """Return the condition on devices that record: their register is complete today, or is not."""
    records = or_(*(Device.driver.startswith(kind) for kind in RECORDING))
    late = and_(Register.filing_due_on.is_not(None), Register.filing_due_on < today)
    mine = and_(Register.gateway == Device.gateway, Register.device == Device.device)
    good = exists().where(mine, Register.open_items == 0, not_(late))
    return and_(records, good if complete else not_(good))


async def in_public_places(session: AsyncSession) -> list[tuple[Register, Device, Subject | None]]:
    """Return what is registered of devices in public places, with device and subject, by gateway and device."""
    wanted = (
        select(Register, Device, Subject)
        .join(Device, and_(Device.gateway == Register.gateway, Device.device == Register.device))
        .outerjoin(Subject, Subject.id == Device.subject_id)
        .where(Register.public_place)
        .order_by(Register.gateway, Register.device)
    )
    return [(row[0], row[1], row[2]) for row in await session.execute(wanted)]
