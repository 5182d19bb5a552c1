"""What a site says about the place where its recorders dock."""

from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from msgspec import Meta

from drivers.passwords import PasswordOptions

SCHEMES: Final = ("mount", "folder", "ftp")
_FTP_PORT: Final = 21
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Bytes = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class RecorderOptions(PasswordOptions, frozen=True, kw_only=True):
    """Options of the driver `recorder`.

    `url` is where footage comes from. `mount:/media/docks`: recorders appear as folders below this one, each a medium
    that was mounted there (with `mounted` false, any folder counts). `folder:/srv/station`: a vendor station's folder,
    into which files are being written. `ftp://host:21/path`: the same over FTP; the user name is given beside it, the
    password in the file or the environment variable that is named. `profile` names a file of
    `firmware_configs/recorders`.

    The place is looked at every `look_every_s`. A file of a station is taken once two looks found it unchanged.
    `reserve_bytes` of the box's disk are left free for everything else; a file above `largest_bytes` is not footage.

    Between two clips of one unit, more than `gap_tolerance_s` without footage is a gap, more than `shift_break_s` is
    another shift.
    """

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    profile: Annotated[str, Meta(min_length=1, max_length=64)] = "zfy"
    username: Annotated[str, Meta(max_length=256)] = "anonymous"
    mounted: bool = True
    look_every_s: Seconds = 5.0
    reserve_bytes: Bytes = 2 << 30
    largest_bytes: Bytes = 64 << 30
    gap_tolerance_s: Seconds = 5.0
    shift_break_s: Seconds = 4 * 3600.0

    def __post_init__(self) -> None:
        """Refuse what no dock can mean; the messages never repeat an address, it might hold a secret."""
        super().__post_init__()
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("`url` is no address") from None
        if parts.scheme not in SCHEMES:
            raise ValueError(f"`url` must start with one of {', '.join(f'{scheme}:' for scheme in SCHEMES)}")
        if parts.username is not None or parts.password is not None:
            raise ValueError("`url` holds a name or a password; give `username` and `password_file` instead")
        if parts.scheme == "ftp" and not host:
            raise ValueError("`url` names no host")
        if parts.scheme != "ftp" and not parts.path.startswith("/"):
            raise ValueError("`url` names no absolute folder, for example mount:/media/docks")

    @property
    def scheme(self) -> str:
        """One of SCHEMES."""
        return urlsplit(self.url).scheme

    @property
    def path(self) -> str:
        """The folder, on this box or on the FTP server."""
        return unquote(urlsplit(self.url).path)

    @property
    def server(self) -> tuple[str, int]:
        """Host and port of the FTP server."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or _FTP_PORT
