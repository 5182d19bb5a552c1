"""Where things are at the HTTP border: WGS-84 degrees, and both of them or none."""

from typing import Annotated, Final, Protocol, TypeVar

from pydantic import Field

Latitude = Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False, description="WGS-84 degrees")]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False, description="WGS-84 degrees")]

_BOTH: Final = frozenset({"latitude", "longitude"})


class _Placed(Protocol):
    latitude: float | None
    longitude: float | None

    @property
    def model_fields_set(self) -> set[str]: ...


Placed = TypeVar("Placed", bound=_Placed)


def placed(shape: Placed) -> Placed:
    """Return a shape that sends both coordinates or neither, both as numbers or both as null; else raise ValueError.

    For shapes to take in: `_placed = model_validator(mode="after")(placed)`.
    """
    one_sent = len(shape.model_fields_set & _BOTH) == 1
    if one_sent or (shape.latitude is None) != (shape.longitude is None):
        raise ValueError("latitude and longitude come together")
    return shape
