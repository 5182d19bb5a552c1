"""What the police are told of devices in public places (视频条例 Art. 14), as lines and as a CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from hub.devices.model import Device
from hub.registers.model import Register
from hub.registers.schemas import FilingLine, RegisterIn
from hub.subjects.model import Subject

CSV: Final = "text/csv; charset=utf-8"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def lines(found: Iterable[tuple[Register, Device, Subject | None]]) -> list[FilingLine]:
    """Return one line for each device."""
    return [_line(*each) for each in found]


def as_csv(filings: Sequence[FilingLine]) -> bytes:
    """Return the lines as CSV with a heading, and with the mark by which spreadsheets know UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(FilingLine.model_fields)
    writer.writerows([_cell(value) for value in line.model_dump(mode="json").values()] for line in filings)
    return text.getvalue().encode("utf-8-sig")


def _line(register: Register, device: Device, subject: Subject | None) -> FilingLine:
    filing = RegisterIn.of_row(register).filing
    return FilingLine(
        gateway=register.gateway,
        device=register.device,
        gb28181_id=device.gb28181_id,
        subject=subject.name if subject else None,
        uscc=subject.uscc if subject else None,
        address=subject.address if subject else None,
        latitude=device.latitude if device.latitude is not None or subject is None else subject.latitude,
        longitude=device.longitude if device.longitude is not None or subject is None else subject.longitude,
        purpose=register.purpose,
        in_use_since=register.in_use_since,
        retention_days=register.retention_days,
        due_on=register.filing_due_on,
        filed_on=filing.filed_on if filing else None,
        office=filing.office if filing else None,
        number=filing.number if filing else None,
    )


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is shown as what it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
