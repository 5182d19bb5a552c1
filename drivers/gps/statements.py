"""What one sentence of a receiver claims, whatever language it came in. Everything but the kind may be missing."""

from datetime import date, timedelta

from msgspec import Struct


class Place(Struct, frozen=True):
    """WGS-84 degrees."""

    latitude: float
    longitude: float


class Signal(Struct, frozen=True):
    """How strongly one satellite is heard: `satellite` names constellation and number, C/N0 in dB-Hz."""

    satellite: str
    cn0_db: float


class Statement(Struct, frozen=True):
    """One sentence, decoded.

    `since_midnight` and `day` are UTC. `no_fix` says why the receiver itself does not vouch for a position ("status
    V"). `quality` is on the scale of GGA, `dimensions` 1 (none), 2 or 3, `sigma_m` the distance root mean square of the
    horizontal error as the receiver estimates it. A statement that `supersedes` replaces earlier ones of its kind in
    the same epoch.
    """

    kind: str
    since_midnight: timedelta | None = None
    day: date | None = None
    place: Place | None = None
    no_fix: str | None = None
    quality: int | None = None
    dimensions: int | None = None
    altitude_m: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    hdop: float | None = None
    satellites: int | None = None
    sigma_m: float | None = None
    signals: tuple[Signal, ...] = ()
    supersedes: bool = False
