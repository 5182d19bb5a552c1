"""The certificate of an installation: what it says, its number, its paper. The caller commits."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.alerts import repository as alerts
from hub.alerts.acting import Ordered, act_on
from hub.alerts.lifecycle import ENDS, Act, AlertState
from hub.devices.repository import DeviceKey
from hub.devices.repository import find as find_device
from hub.installations.gathering import trial_alert
from hub.installations.judging import Item, Verdict, ready
from hub.installations.model import Installation, InstallationState
from hub.installations.trying import add_order, ticket_args
from hub.stream.stream import Stream
from hub.subjects import archive
from hub.subjects import repository as subjects
from hub.words.catalogue import Language, words
from protocol.clock import Clock
from protocol.documents import Align, Column, Document, DocumentType, Paragraph, Qr, Rule, Signature, Size, Table, Title
from protocol.errors import RefusedRequestError

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHARACTERS: Final = 12
"""Of Crockford's base 32: 60 random bits, so that nobody finds a certificate by trying numbers."""
_NUMBER_PREFIX: Final = "AZ"


async def certify(
    session: AsyncSession, clock: Clock, stream: Stream, row: Installation, items: Sequence[Item]
) -> Installation:
    """Certify an installation that works: number it, keep what was found, write the archive, close the trial's alert.

    Raises RefusedRequestError (409, `installations.not_ready`) while anything is bad or still waited for.
    """
    if not ready(tuple(items)):
        named = sorted({f"{item.device} {item.code}".strip() for item in items if item.verdict is not Verdict.GOOD})
        raise RefusedRequestError("installations.not_ready", f"not good yet: {', '.join(named)}")
    assert row.subject_id is not None  # noqa: S101 - it is among what was judged
    subject = await subjects.find(session, row.subject_id)
    now = clock.now()
    row.number, row.certified_at, row.state = _new_number(), now, InstallationState.CERTIFIED.value
    row.content = {
        "number": row.number,
        "gateway": row.gateway,
        "subject": {"id": str(subject.id), "name": subject.name, "licence": subject.licence},
        "position": {"latitude": row.latitude, "longitude": row.longitude, "accuracy_m": row.accuracy_m},
        "installer": row.installer,
        "certified_at": now.isoformat(),
        "items": [{"code": each.code, "device": each.device, "facts": dict(each.facts)} for each in items],
    }
    row.digest = digest_of(row.content)
    row.version += 1
    await archive.append(
        session,
        clock,
        subject.id,
        at=now,
        kind="installation.certified",
        summary=f"安装验收合格：网关 {row.gateway}，证书 {row.number}",
        ref=row.number,
        data={"installation": str(row.id), "digest": row.digest},
    )
    await _close_trial(session, clock, stream, row)
    return row


async def print_on(session: AsyncSession, clock: Clock, row: Installation, printer: str, document: Document) -> UUID:
    """Order the certificate on a printer of the same box. Raises RefusedRequestError (404) when there is none."""
    device = await find_device(session, DeviceKey(row.gateway, printer))
    if device is None or device.driver.partition(".")[0] != "printer":
        raise RefusedRequestError("installations.no_printer", f"{row.gateway} has no printer {printer}", status=404)
    row.printing = add_order(session, clock, row.gateway, device=printer, name="print", args=ticket_args(document))
    await session.flush()
    return row.printing


def digest_of(content: dict[str, Any]) -> str:
    """Return the SHA-256 of what a certificate says, as canonical JSON (RFC 8785 for the values that occur)."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def document_of(content: dict[str, Any], digest: str, address: str, language: Language) -> Document:
    """Return the certificate for paper; its QR code leads to the page that verifies it."""
    said = words(language)["installation"]
    return Document(
        type=DocumentType.CERTIFICATE,
        language="zh" if language == "zh-CN" else "en",
        blocks=(
            Title(text=said["certificate"]),
            Paragraph(text=content["number"], align=Align.CENTRE, bold=True),
            Rule(),
            Table(columns=(Column(share=0), Column()), rows=_facts(content, said)),
            Rule(dashed=True),
            Table(
                columns=(Column(heading=said["device"], share=2), Column(heading=said["found"], share=3)),
                rows=tuple((each["device"] or content["gateway"], in_words(each, said)) for each in content["items"]),
            ),
            Rule(dashed=True),
            Qr(text=verify_address(address, content["number"], digest), caption=said["verify"]),
            Signature(label=said["signature"]),
            Paragraph(text=digest, size=Size.SMALL, align=Align.CENTRE),
        ),
    )


def verify_address(address: str, number: str, digest: str) -> str:
    """Return where anyone verifies a certificate: the digest stands in the QR code, so other paper does not fit."""
    return f"{address}/verify/{number}?d={digest[:16]}"


def in_words(item: dict[str, Any], said: dict[str, Any]) -> str:
    """Return a finding for people."""
    return str(said["items"][item["code"]]).format_map(item["facts"])


def _facts(content: dict[str, Any], said: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    position = content["position"]
    return (
        (said["subject"], content["subject"]["name"]),
        (said["licence"], content["subject"]["licence"] or "-"),
        (said["gateway"], content["gateway"]),
        (said["position"], f"{position['latitude']:.6f}, {position['longitude']:.6f}"),
        (said["installer"], content["installer"]),
        (said["at"], content["certified_at"][:16].replace("T", " ") + " UTC"),
    )


async def _close_trial(session: AsyncSession, clock: Clock, stream: Stream, row: Installation) -> None:
    found = await trial_alert(session, row)
    if found is None:
        return
    alert = await alerts.find(session, found[0], held=True)
    if AlertState(alert.state) not in ENDS:
        reason = f"installation {row.number}"
        closing = Ordered(act=Act.CLOSE, key="installation", actor=row.installer, reason=reason)
        await act_on(session, clock, stream, alert, closing)


def _new_number() -> str:
    """Return a number such as AZ-7K3M-Q9TD-4X2B (安装, installed)."""
    drawn = "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))
    return f"{_NUMBER_PREFIX}-{drawn[:4]}-{drawn[4:8]}-{drawn[8:]}"
