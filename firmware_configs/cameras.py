"""Cameras by brand: where their streams are, and what their ONVIF service wants.

Templates hold `{host}`, `{port}` and `{channel}`; never a user or a password, which the camera driver takes apart.
"""

from string import Formatter
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from firmware_configs.schema import Family, Line, Profile

Port = Annotated[int, Meta(ge=1, le=65_535)]
_FIELDS: Final = frozenset({"host", "port", "channel"})

Quirk = Literal["own_users", "off_by_default", "wrong_host_in_uri", "clock_must_agree", "digest_only"]
"""What to mind about a brand's ONVIF service.

own_users         ONVIF has users of its own, made in the camera's web page
off_by_default    ONVIF must be switched on in the camera's web page
wrong_host_in_uri a stream address names a host that the box cannot reach: the host that was asked is put in its place
clock_must_agree  WS-Security is refused unless the time stamp agrees with the camera's clock: ask for it and adjust
digest_only       HTTP Digest instead of WS-Security
"""


class Camera(Profile, frozen=True, kw_only=True):
    """A brand's cameras. `main` is the full picture, `sub` the smaller stream that is analysed.

    `scopes` are texts in the WS-Discovery scopes or in the manufacturer's name by which the brand is recognised, in
    lower case. `first_channel` is how the first lens is numbered.
    """

    scopes: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=16)]
    rtsp_port: Port = 554
    http_port: Port = 80
    first_channel: Annotated[int, Meta(ge=0, le=999)] = 1
    main: Line
    sub: Line
    snapshot: Line | None = None
    onvif_ports: Annotated[tuple[Port, ...], Meta(min_length=1, max_length=8)] = (80,)
    onvif_path: Line = "/onvif/device_service"
    quirks: Annotated[tuple[Quirk, ...], Meta(max_length=8)] = ()

    def __post_init__(self) -> None:
        """Refuse templates that make no address."""
        for name, template, scheme in (
            ("main", self.main, "rtsp"),
            ("sub", self.sub, "rtsp"),
            ("snapshot", self.snapshot, "http"),
        ):
            if template is not None:
                _check(name, template, scheme)

    def stream(self, host: str, *, sub: bool = False, channel: int | None = None) -> str:
        """Return the address of a stream, the first lens' unless told otherwise."""
        number = self.first_channel if channel is None else channel
        return (self.sub if sub else self.main).format(host=_bracketed(host), port=self.rtsp_port, channel=number)

    def still(self, host: str, *, channel: int | None = None) -> str | None:
        """Return the address of a still picture, None for a brand that has none."""
        number = self.first_channel if channel is None else channel
        return self.snapshot and self.snapshot.format(host=_bracketed(host), port=self.http_port, channel=number)

    def onvif(self, host: str) -> tuple[str, ...]:
        """Return the addresses at which the ONVIF service may be, the likeliest first."""
        return tuple(f"http://{_bracketed(host)}:{port}{self.onvif_path}" for port in self.onvif_ports)

    def is_named_in(self, text: str) -> bool:
        """Tell whether a text, such as the scopes of a discovered camera, names this brand."""
        lowered = text.lower()
        return any(scope in lowered for scope in self.scopes)


CAMERAS: Final = Family("cameras", Camera)


def _check(name: str, template: str, scheme: str) -> None:
    try:
        fields = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from error
    if unknown := fields - _FIELDS:
        raise ValueError(f"`{name}` has {', '.join(sorted(unknown))}; known: {', '.join(sorted(_FIELDS))}")
    if "host" not in fields:
        raise ValueError(f"`{name}` has no {{host}}")
    url = urlsplit(template.format(host="192.0.2.1", port=554, channel=1))
    if url.scheme != scheme or url.hostname != "192.0.2.1" or url.username or url.password:
        raise ValueError(f"`{name}` is no {scheme} address without user and password")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
