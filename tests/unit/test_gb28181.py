"""The twenty digits of GB/T 28181."""

import pytest
from pydantic import TypeAdapter, ValidationError

from hub.devices.gb28181 import Gb28181Id

NUMBER: TypeAdapter[str] = TypeAdapter(Gb28181Id)


@pytest.mark.parametrize("number", ["34020000001320000101", "35020300011110000001", "35020300011990000001"])
def test_numbers_of_devices_pass(number: str) -> None:
    assert NUMBER.validate_python(number) == number


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("34020000002000000001", "digits 11 to 13 are 200"),  # a signalling server
        ("34020000003000000001", "digits 11 to 13 are 300"),  # a user
        ("34020000001100000001", "digits 11 to 13 are 110"),
        ("3402000000132000010", "twenty digits"),
        ("340200000013200001011", "twenty digits"),
        ("3402000000132000010a", "twenty digits"),
        ("34020000001320000１01", "twenty digits"),
        ("34020000001320000101\n", "twenty digits"),
    ],
)
def test_other_numbers_say_why_not(number: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        NUMBER.validate_python(number)
