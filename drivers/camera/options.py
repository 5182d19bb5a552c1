"""What a site says about a camera."""

from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from drivers.camera.addresses import FINGERPRINT, check_service
from drivers.passwords import PasswordOptions
from protocol.errors import ConfigurationError

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Place = Annotated[str, Meta(min_length=1, max_length=2048)]
Share = Annotated[float, Meta(ge=0, le=1)]
Mask = tuple[Share, Share, Share, Share]
"""A rectangle of the picture: left, top, width, height, as shares of its width and height."""

SCHEMES = ("rtsp", "rtsps", "http", "https", "usb", "file")


class CameraOptions(PasswordOptions, frozen=True, kw_only=True):
    """Options of the driver `camera`.

    `url` is `rtsp://…` (taken over TCP), `http://…` (MJPEG), `usb:/dev/video0` or `file:recording.mp4`, the latter
    played at its own pace, again and again with `loop`. `sub_stream` is a second, smaller stream of the same camera: if
    given it is what is analysed, and `url` serves snapshots on command. Names and passwords never stand in an
    address: `username` is given beside it, the password in the file or the environment variable that is named.

    `service` is where the camera is asked by ONVIF what it is (command `describe`), `http://…` or `https://…`. Over
    HTTPS it must show the `certificate` of this fingerprint (SHA-256), or for want of one that which it showed first.

    `masks` are parts of the picture that nobody may see (视频条例 Art. 8): they are black in every picture that is
    analysed, kept or sent, from the camera's own process on.

    `analyses` are names of the entry-point group `diwang.analyses`, `analysis_options` their own options by name, and
    `analysed_per_s` the pictures that they are shown in a second.

    A connection that shows no picture for `first_picture_s`, or none for `silence_s` after the first, is dropped and
    made again; without pictures for `offline_after_s` the camera is offline, until they have come for
    `recovered_after_s` on end.
    """

    url: Place
    sub_stream: Place | None = None
    service: Place | None = None
    certificate: Annotated[str, Meta(pattern=FINGERPRINT)] | None = None
    username: Annotated[str, Meta(max_length=256)] | None = None
    loop: bool = False
    masks: Annotated[tuple[Mask, ...], Meta(max_length=32)] = ()
    analyses: Annotated[tuple[str, ...], Meta(max_length=16)] = ("health",)
    analysis_options: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    analysed_per_s: Annotated[float, Meta(gt=0, le=30)] = 5.0
    first_picture_s: Seconds = 20.0
    silence_s: Seconds = 10.0
    offline_after_s: Seconds = 30.0
    recovered_after_s: Seconds = 10.0

    def __post_init__(self) -> None:
        """Refuse what no camera can mean; the messages never repeat an address, it might hold a secret."""
        super().__post_init__()
        for name, place in (("url", self.url), ("sub_stream", self.sub_stream)):
            if place is not None:
                _check_place(name, place)
        if self.service is not None or self.certificate is not None:
            _check_service(self.service, self.certificate)
        if (self.password_file or self.password_env) and not self.username:
            raise ValueError("a password needs a `username`")


def _check_service(service: str | None, certificate: str | None) -> None:
    if service is None:
        raise ValueError("`certificate` is of no use without a `service`")
    try:
        check_service(service, certificate)
    except ConfigurationError as error:
        raise ValueError(f"`service`: {error}") from None


def _check_place(name: str, place: str) -> None:
    try:
        parts = urlsplit(place)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"`{name}` is no address") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"`{name}` must start with one of {', '.join(f'{scheme}:' for scheme in SCHEMES)}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"`{name}` holds a name or a password; give `username` and `password_file` instead")
    if parts.scheme in {"usb", "file"}:
        if not parts.path:
            raise ValueError(f"`{name}` names no {'device' if parts.scheme == 'usb' else 'file'}")
    elif not host:
        raise ValueError(f"`{name}` names no host")
