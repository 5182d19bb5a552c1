"""From what a site says about a camera to what FFmpeg needs to open it."""

from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class Source:
    """Something that FFmpeg can open. `url` may hold the password and is never shown; `shown` may be.

    `paced` says that pictures come as fast as they are read, and must be held back to their own time.
    """

    url: str = field(repr=False)
    shown: str
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    paced: bool = False


def source_of(place: str, username: str | None = None, password: str | None = None) -> Source:
    """Read a place as the options spell it (see CameraOptions)."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        path = place.removeprefix("file://").removeprefix("file:")
        return Source(url=path, shown=place, paced=True)
    if parts.scheme == "usb":
        return Source(url=parts.path, shown=place, format="v4l2")
    shown = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))  # a query may hold a token
    url = place
    if username is not None:
        login = quote(username, safe="") + (f":{quote(password, safe='')}" if password else "")
        url = urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))
    if parts.scheme in {"rtsp", "rtsps"}:
        # UDP loses packets on a busy kitchen network and then smears the picture, which looks like a covered lens.
        return Source(url=url, shown=shown, options={"rtsp_transport": "tcp"})
    return Source(url=url, shown=shown)
