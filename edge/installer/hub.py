"""The hub, as the page asks it: the steps of this box's own installation."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import httpx
import msgspec
from msgspec import Meta, Struct

from edge import config as configuration
from edge.hub_http import hub_client
from protocol.enrolment import GATEWAY_API
from protocol.errors import RefusedRequestError, UplinkUnavailableError

_LARGEST: Final = 1 << 20
_INSTALLATION: Final = f"{GATEWAY_API}/installation"
View = Literal["clear", "masked", "seen"]
T = TypeVar("T")


class Installation(Struct, frozen=True, kw_only=True):
    """An installation as the hub has it."""

    installer: str
    state: str
    subject: str | None = None
    placed_at: str | None = None
    number: str | None = None
    printing: str | None = None


class Subject(Struct, frozen=True, kw_only=True):
    """A subject that the installer may mean."""

    id: str
    name: str
    licence: str | None = None
    address: str = ""


class Zone(Struct, frozen=True, kw_only=True):
    """A zone in which nothing may be recorded."""

    id: Annotated[str, Meta(pattern="^[a-z_]{1,40}$")]
    article: str
    zh: str
    en: str


class Missing(Struct, frozen=True, kw_only=True):
    """Something that the legal register of a device still lacks."""

    item: str
    zh: str = ""
    en: str = ""


class Sign(Struct, frozen=True, kw_only=True):
    """The sign that tells people of a camera."""

    posted_on: date
    photo: str | None = None


class Register(Struct, frozen=True, kw_only=True):
    """What the legal register of a device has."""

    zones: dict[str, View] = {}
    sign: Sign | None = None
    missing: tuple[Missing, ...] = ()
    changed_at: datetime | None = None
    changed_by: str = ""


class Item(Struct, frozen=True, kw_only=True):
    """One thing that was looked at; `device` is empty for the box itself."""

    code: str
    verdict: Literal["good", "bad", "waiting"]
    device: str = ""
    text: str = ""


class Check(Struct, frozen=True, kw_only=True):
    """What was found so far."""

    ready: bool
    items: tuple[Item, ...]


class Certificate(Struct, frozen=True, kw_only=True):
    """A certified installation; `printing` is the command that prints it."""

    number: str
    verify: str
    printing: str | None = None


class Finding(Struct, frozen=True, kw_only=True):
    """What was found good of a device; `device` is empty for the box itself."""

    device: str = ""
    text: str = ""


class Owner(Struct, frozen=True, kw_only=True):
    """Whose box it is, as the certificate says."""

    name: str


class Content(Struct, frozen=True, kw_only=True):
    """What a certificate says, as far as the page shows it."""

    subject: Owner


class LastCertificate(Struct, frozen=True, kw_only=True):
    """The certificate that the box got last; not `current` once another installation was begun."""

    number: str
    verify: str
    installer: str
    certified_at: datetime
    content: Content
    findings: tuple[Finding, ...]
    current: bool


class _Found(Struct, frozen=True, kw_only=True):
    items: tuple[Subject, ...]


class _Problem(Struct, frozen=True, kw_only=True):
    rule: str = ""
    detail: str = ""


class Hub:
    """The hub of the box of this file, which is read anew for each request: an enrolment may have changed it.

    Every method raises UplinkUnavailableError when the hub cannot be asked now, RefusedRequestError when it says no,
    and ConfigurationError when the file names no door of a hub.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    async def installation(self) -> Installation | None:
        """Return the open installation, None while there is none."""
        return await self._ask_for("", Installation)

    async def begin(self, installer: str) -> Installation:
        """Open the installation, or go on with the open one."""
        return await self._ask("PUT", "", Installation, json={"installer": installer})

    async def subjects(self, words: str) -> tuple[Subject, ...]:
        """Return up to ten subjects with this licence, or these words in their name or address."""
        return (await self._ask("GET", "/subjects", _Found, params={"q": words})).items

    async def place(self, subject: str, place: dict[str, float]) -> Installation:
        """Put the box at a subject and a place: latitude, longitude, accuracy_m, fixes."""
        return await self._ask("PUT", "/place", Installation, json={"subject": subject, **place})

    async def zones(self) -> tuple[Zone, ...]:
        """Return the zones in which nothing may be recorded."""
        return await self._ask("GET", "/zones", tuple[Zone, ...])

    async def register(self, device: str) -> Register | None:
        """Return what the legal register has of a device, None while the hub does not know the device."""
        return await self._ask_for(f"/devices/{device}/register", Register)

    async def say_zones(self, device: str, zones: dict[str, View]) -> Register:
        """Say of each zone what of it is in a camera's picture."""
        return await self._ask("PUT", f"/devices/{device}/zones", Register, json={"zones": zones})

    async def show_sign(self, device: str, photo: bytes) -> Register:
        """Send the photo, JPEG or WebP, of the sign that tells people of a camera."""
        return await self._ask("PUT", f"/devices/{device}/sign", Register, content=photo)

    async def trial(self) -> Installation:
        """Have everything on the box show itself."""
        return await self._ask("POST", "/trial", Installation)

    async def check(self, language: str) -> Check:
        """Return what was found so far."""
        return await self._ask("GET", "/check", Check, params={"language": language})

    async def certify(self, printer: str | None, language: str) -> Certificate:
        """Certify what works and print the certificate; again, it is printed again."""
        return await self._ask("PUT", "/certificate", Certificate, json={"printer": printer, "language": language})

    async def last_certificate(self, language: str) -> LastCertificate | None:
        """Return the certificate that this box got last, None for one that was never certified."""
        return await self._ask_for("/certificate", LastCertificate, params={"language": language})

    async def _ask_for(self, path: str, kind: type[T], **what: Any) -> T | None:  # noqa: ANN401 - httpx' arguments
        """Return what lies there, None when nothing does."""
        try:
            return await self._ask("GET", path, kind, **what)
        except RefusedRequestError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    async def _ask(self, method: str, path: str, kind: type[T], **what: Any) -> T:  # noqa: ANN401 - httpx' arguments
        config = configuration.load_identity(self._file)
        try:
            async with hub_client(config, configuration.password(config.hub)) as door:
                answer = await door.request(method, f"{_INSTALLATION}{path}", **what)
        except httpx.HTTPError as error:
            raise UplinkUnavailableError(str(error) or type(error).__name__) from error
        if answer.is_server_error:
            raise UplinkUnavailableError(f"HTTP {answer.status_code}")
        try:
            if not answer.is_success:
                problem = msgspec.json.decode(answer.content[:_LARGEST], type=_Problem)
                raise RefusedRequestError(problem.rule, problem.detail, status=answer.status_code)
            return msgspec.json.decode(answer.content[:_LARGEST], type=kind)
        except msgspec.DecodeError as error:
            raise UplinkUnavailableError(f"HTTP {answer.status_code}, and an answer that is none: {error}") from error
