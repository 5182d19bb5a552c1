"""What a search around the box brings: devices that may be, and sources that could not be asked."""

from typing import Any, Literal

from msgspec import Struct

Kind = Literal["camera", "printer", "thermometer", "gps", "scanner"]
Wish = Literal["user", "profile", "bind_key", "limits"]
"""What only a person knows of a device.

user      a name and a password; without them the brand's own addresses are taken
profile   the model, one of `Found.profiles`
bind_key  the key of an encrypted sensor
limits    between which values the label of the cabinet says that it must stay
"""


class Found(Struct, frozen=True, kw_only=True):
    """A device that may be configured.

    `why` names the words that say how it was found, `place` is where it is (a host, an address, a path), and `options`
    what its driver is to be told of it, short of what it `wants`. `service` is the ONVIF service of a camera.
    """

    kind: Kind
    title: str
    place: str
    plausible: bool
    why: str
    driver: str
    options: dict[str, Any]
    profiles: tuple[str, ...] = ()
    wants: tuple[Wish, ...] = ()
    service: str = ""


class Trouble(Struct, frozen=True, kw_only=True):
    """A source that could not be asked, and why; the others were."""

    source: str
    reason: str


Said = Found | Trouble
