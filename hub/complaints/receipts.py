"""Receipt numbers: short enough to be read out over the telephone, with a digit that finds a slip of the pen."""

import re
import secrets
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from hub.subjects.identifiers import mod_11_10_check

PATTERN: Final = r"^[0-9]{6}-[0-9]{5}-[0-9]$"
_BEIJING: Final = ZoneInfo("Asia/Shanghai")
_A_DAY: Final = 100_000


def new_receipt(now: datetime) -> str:
    """Return a number such as 261125-04172-6: day in China, a random number, check digit (ISO 7064 MOD 11,10).

    Random, so that a number tells nothing of how many there were, nor of the next one.
    """
    day, number = f"{now.astimezone(_BEIJING):%y%m%d}", f"{secrets.randbelow(_A_DAY):05}"
    return f"{day}-{number}-{mod_11_10_check(day + number)}"


def is_receipt(text: str) -> bool:
    """Tell whether a text is such a number, its check digit included."""
    digits = text.replace("-", "")
    return re.fullmatch(PATTERN, text) is not None and mod_11_10_check(digits[:-1]) == digits[-1]
