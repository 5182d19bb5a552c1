"""Enrolling this box: from a ticket to a key, a certificate, and a configuration that uses them.

The key is made here and stays here. It is on the disk before the hub hears of it, so that a box that is interrupted may
ask again with the same ticket and gets the same certificate.
"""

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import apsw
import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta, Struct

from edge import commands, shelf
from edge.enrolment import identity, keys
from edge.enrolment.identity import Validity
from edge.enrolment.site_file import SiteFile
from edge.enrolment.words import IdentityError
from edge.outbox import store_file
from edge.ownership import like
from edge.store import Store
from protocol.clock import SystemClock
from protocol.enrolment import GATEWAY_API, Ticket, check_digits, read_ticket
from protocol.errors import StoreUnavailableError, UndecodableMessageError
from protocol.lasting import replace_file
from protocol.messages import Level

_ASKED_AGAIN_S: Final = 2.0
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
_LARGEST: Final = 64 * 1024

_CODES: Final = {
    "enrolments.wrong_code": "wrong_code",
    "enrolments.expired": "expired",
    "enrolments.used": "used",
    "enrolments.cancelled": "cancelled",
    "enrolments.refused": "refused",
    "enrolments.too_many_tries": "too_many_tries",
    "access.too_many_tries": "too_many_tries",
    "enrolments.gateway_taken": "gateway_taken",
    "enrolments.other_gateway": "other_gateway",
}
"""Refusals of the hub and what they are called here."""

Show = Callable[[str, bool], None]
"""Shows the check digits to a person; the flag says that the hub waits for somebody to confirm them."""


class Enrolled(Struct, frozen=True, kw_only=True):
    """A box that has its identity."""

    gateway: str
    not_after: datetime
    file: Path


class _Given(Struct, frozen=True, kw_only=True):
    gateway: Level
    certificate: str
    authority: str
    broker: Annotated[str, Meta(pattern=r"^mqtts://[^\s/@]+$", max_length=300)]
    api: Annotated[str, Meta(pattern=r"^https://[^\s/@]+$", max_length=300)]
    epoch: UUID
    hub_at: datetime
    renew_at: datetime
    not_after: datetime


class _Refusal(Struct, frozen=True, kw_only=True):
    rule: str = ""
    detail: str = ""


async def enrol(ticket_text: str, file: Path, show: Show) -> Enrolled:
    """Use a ticket and write key, certificate and configuration; `file` is the box's TOML, which may not be there yet.

    The agent must not run meanwhile. Raises IdentityError, which says in two languages what to do; the ticket is as
    good as before unless the error says otherwise. ConfigurationError for a file that cannot be changed.
    """
    try:
        ticket = read_ticket(ticket_text)
    except UndecodableMessageError as error:
        raise IdentityError("ticket") from error
    site = SiteFile(file)
    _change(SiteFile(file), "gateway", "mqtts://hub", "https://hub")  # found out before the ticket is used
    folder = site.data / identity.FOLDER
    clock = SystemClock()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The outbox is held throughout, so that no agent begins meanwhile with half an identity.
        async with Store(store_file(site.data), shelf.SCHEMA + commands.SCHEMA, clock, group_s=0.0) as store:
            key = keys.kept_key(folder / identity.PENDING_KEY)
            given = await _given(ticket, key, site.gateway, show)
            _keep(site, folder, key, given)
            await store.run(lambda connection: _begin_epoch(connection, given.epoch))
        like(site.data.stat(), *site.data.glob("outbox*"), folder, *folder.iterdir())
        site.write()
        (folder / identity.PENDING_KEY).unlink()
    except StoreUnavailableError as error:
        raise IdentityError("store", reason=error) from error
    except OSError as error:
        raise IdentityError("disk", reason=error) from error
    return Enrolled(gateway=given.gateway, not_after=given.not_after, file=site.path)


async def _given(ticket: Ticket, key: ec.EllipticCurvePrivateKey, gateway: str | None, show: Show) -> _Given:
    """Return what the hub gives, once it does; raise IdentityError when it will not."""
    digits = check_digits(ticket.code, keys.public_der(key))
    body = {"code": ticket.code, "request": keys.request_pem(key, gateway), "gateway": gateway}
    root = await _root(ticket)
    show(digits, False)  # noqa: FBT003 - the two arguments of Show
    try:
        async with httpx.AsyncClient(
            base_url=ticket.door, verify=_trusting(root), timeout=_TIMEOUT, trust_env=False
        ) as door:
            answer = await door.post(f"{GATEWAY_API}/enrol", json=body)
            if answer.status_code == httpx.codes.ACCEPTED:
                show(digits, True)  # noqa: FBT003 - as above
            while answer.status_code == httpx.codes.ACCEPTED:
                await asyncio.sleep(_ASKED_AGAIN_S)
                answer = await door.post(f"{GATEWAY_API}/enrol", json=body)
    except httpx.TransportError as error:
        raise _unreached(ticket, error) from error
    if answer.status_code != httpx.codes.OK:
        raise _refused(answer)
    try:
        given = msgspec.json.decode(answer.content, type=_Given)
    except msgspec.DecodeError as error:
        raise IdentityError("nonsense", reason=error) from error
    wrong = keys.flaw(given.certificate, root, key, given.gateway) or (
        "" if gateway in {None, given.gateway} else f"the box was enrolled as {given.gateway}"
    )
    if wrong:
        raise IdentityError("nonsense", reason=wrong)
    return given


async def _root(ticket: Ticket) -> str:
    """Return the hub's root certificate. Nothing protects it on its way, and nothing needs to: its fingerprint fits."""
    try:
        async with httpx.AsyncClient(
            base_url=ticket.door,
            verify=_trusting(None),
            timeout=_TIMEOUT,
            trust_env=False,
        ) as door:
            answer = await door.get(f"{GATEWAY_API}/authority")
    except httpx.TransportError as error:
        raise _unreached(ticket, error) from error
    if answer.status_code != httpx.codes.OK:
        raise _refused(answer)
    try:
        pem = answer.content[:_LARGEST].decode("ascii")
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    except ValueError as error:
        raise IdentityError("nonsense", reason=error) from error
    if fingerprint != ticket.fingerprint:
        raise IdentityError("other_hub", door=ticket.door)
    return pem


def _trusting(root: str | None) -> ssl.SSLContext:
    """Return TLS settings that trust this root and no other; None trusts anybody, for what is verified otherwise."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if root is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=root)
    return context


def _keep(site: SiteFile, folder: Path, key: ec.EllipticCurvePrivateKey, given: _Given) -> None:
    """Write the identity, and change the configuration, which is written later."""
    validity = Validity(given.hub_at, given.renew_at, given.not_after)
    file, root = folder / identity.IDENTITY, folder / identity.ROOT
    replace_file(root, given.authority.encode())
    replace_file(file, identity.written(validity, keys.key_pem(key), given.certificate, given.authority))
    (folder / identity.NEXT).unlink(missing_ok=True)
    _change(site, given.gateway, given.broker, given.api)


def _change(site: SiteFile, gateway: str, broker: str, api: str) -> None:
    folder = site.data / identity.FOLDER
    own = site.relative(folder / identity.IDENTITY)
    if site.gateway is None:
        site.set("gateway", {"id": gateway})
    changed = {"broker": broker, "api": api, "ca_file": site.relative(folder / identity.ROOT)}
    site.set("hub", {**changed, "cert_file": own, "key_file": own, "username": None, "password_file": None})


def _begin_epoch(connection: apsw.Connection, epoch: UUID) -> None:
    """Number batches anew under the epoch of this enrolment.

    Batches that the hub has not confirmed keep their epoch, and so does the box until the next enrolment: they may be
    at the hub already, and must be recognised there.
    """
    shelf.begin(connection)
    connection.execute(
        "UPDATE ledger SET epoch = ?, seq = 0 WHERE NOT EXISTS (SELECT 1 FROM batch)", (str(epoch),)
    ).fetchall()


def _unreached(ticket: Ticket, error: httpx.TransportError) -> IdentityError:
    reason = str(error) or type(error).__name__
    code = "not_trusted" if "CERTIFICATE_VERIFY_FAILED" in reason else "unreachable"
    return IdentityError(code, door=ticket.door, reason=reason)


def _refused(answer: httpx.Response) -> IdentityError:
    try:
        refusal = msgspec.json.decode(answer.content, type=_Refusal)
    except msgspec.DecodeError:
        refusal = _Refusal()
    detail = refusal.detail or f"HTTP {answer.status_code}"
    if code := _CODES.get(refusal.rule):
        return IdentityError(code, detail=detail)
    return IdentityError("hub_busy" if answer.is_server_error else "hub_refused", detail=detail)
