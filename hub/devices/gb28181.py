"""The number by which video platforms know a device: GB/T 28181-2016, annex D.

Twenty digits: the centre (8, of which six are the division of GB/T 2260), the industry (2), the type (3), the network
(1) and a sequence number (6). Divisions change, so the first eight are not looked up.
"""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

_NUMBER: Final = re.compile(r"[0-9]{20}")
_TYPE: Final = slice(10, 13)
_DEVICES: Final = range(111, 200)
"""Types 111 to 130 are main front-end devices (118 a recorder), 131 to 199 peripherals (131 and 132 cameras, 134 an
alarm input); from 200 on come platforms, users and servers."""


def _checked(number: str) -> str:
    if not _NUMBER.fullmatch(number):
        raise ValueError("a GB/T 28181 number has twenty digits")
    kind = number[_TYPE]
    if int(kind) not in _DEVICES:
        raise ValueError(f"digits 11 to 13 are {kind}: the type of a device is from 111 to 199")
    return number


Gb28181Id = Annotated[
    str,
    AfterValidator(_checked),
    Field(json_schema_extra={"pattern": "^[0-9]{10}1[1-9][0-9]{8}$"}, examples=["34020000001320000101"]),
]
