"""The installer's steps, as the box takes them for who stands before it: whose, where, trial, certificate.

While a gateway has no open installation it can neither look for subjects nor move itself to another one.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from hub.api.problems import problems
from hub.api.values import Level
from hub.devices import repository as devices
from hub.devices.model import Device
from hub.devices.repository import DeviceKey
from hub.gateways.calling import CallingGateway
from hub.installations import placing, repository
from hub.installations.certifying import certify, document_of, print_on, verify_address
from hub.installations.gathering import facts_of
from hub.installations.judging import judge
from hub.installations.model import Installation
from hub.installations.schemas import (
    CertificateIn,
    CertificateOut,
    CheckOut,
    InstallationOut,
    InstallerIn,
    LastCertificateOut,
    PlacementIn,
    SubjectFound,
    SubjectsFound,
    ZonesIn,
)
from hub.installations.trying import try_out
from hub.media.receiving import PICTURE_BODY, receive_picture
from hub.parts import Parts, PartsHere
from hub.registers import registering
from hub.registers import repository as registers
from hub.registers.duties import ZONES, missing
from hub.registers.schemas import RegisterIn, RegisterOut, Sign, ZoneOut
from hub.words.catalogue import DEFAULT, Language
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["installation of the calling gateway"])

DeviceName = Annotated[Level, Path()]
Speech = Annotated[Language, Query(description="Language of the findings")]


@router.put("/installation")
async def begin_installation(body: InstallerIn, parts: PartsHere, gateway: CallingGateway) -> InstallationOut:
    """Open an installation of the calling gateway, or go on with the one that is open."""
    async with parts.database.write() as session:
        return InstallationOut.of(await placing.begin(session, parts.clock, gateway, body.installer))


@router.get("/installation", responses=problems(404))
async def get_own_installation(parts: PartsHere, gateway: CallingGateway) -> InstallationOut:
    """The open installation of the calling gateway."""
    async with parts.database.read() as session:
        return InstallationOut.of(await repository.open_at(session, gateway))


@router.delete("/installation", status_code=204, responses=problems(404))
async def give_up_installation(parts: PartsHere, gateway: CallingGateway) -> None:
    """End the open installation without a certificate."""
    async with parts.database.write() as session:
        await placing.give_up(session, gateway)


@router.get("/installation/subjects", responses=problems(404))
async def find_subjects(
    parts: PartsHere,
    gateway: CallingGateway,
    q: Annotated[
        str,
        Query(min_length=2, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$", description="Licence, or part of a name"),
    ],
) -> SubjectsFound:
    """Up to ten subjects: the one with this licence or credit code, else those with these words in name or address."""
    async with parts.database.read() as session:
        await repository.open_at(session, gateway)
        found = await repository.subjects_like(session, q.strip())
    return SubjectsFound(items=[SubjectFound.of(row) for row in found])


@router.put("/installation/place", responses=problems(404))
async def place_box(body: PlacementIn, parts: PartsHere, gateway: CallingGateway) -> InstallationOut:
    """Put the calling gateway, and every device that nobody carries, at a subject and a place."""
    at = placing.Place(latitude=body.latitude, longitude=body.longitude, accuracy_m=body.accuracy_m, fixes=body.fixes)
    async with parts.database.write() as session:
        row = await placing.place(session, parts.clock, parts.stream, gateway, subject_id=body.subject, at=at)
        return InstallationOut.of(row)


@router.get("/installation/devices/{device}/register", responses=problems(404))
async def get_own_register(device: DeviceName, parts: PartsHere, gateway: CallingGateway) -> RegisterOut:
    """What the legal register holds of a device of the calling gateway, and what is missing of it today."""
    async with parts.database.read() as session:
        await _device(session, gateway, device)
        row = await registers.find(session, gateway, device)
    gaps = missing(RegisterIn.of_row(row).entry(), parts.clock.now().date())
    return RegisterOut.shaped(gateway, device, row, gaps)


@router.put("/installation/devices/{device}/zones", responses=problems(404))
async def check_zones(device: DeviceName, body: ZonesIn, parts: PartsHere, gateway: CallingGateway) -> RegisterOut:
    """Say of each forbidden zone (视频条例 Art. 8) whether it is in a camera's picture. `GET …/zones` lists them."""
    async with parts.database.write() as session:
        return await _register(session, parts, gateway, device, {"zones": body.zones})


@router.put("/installation/devices/{device}/sign", responses=problems(404, 413), openapi_extra=PICTURE_BODY)
async def show_sign(device: DeviceName, request: Request, parts: PartsHere, gateway: CallingGateway) -> RegisterOut:
    """Send the photo of the sign that tells people of the recording (视频条例 Art. 13), JPEG or WebP."""
    async with parts.database.read() as session:
        await repository.open_at(session, gateway)
    picture = await receive_picture(request, parts, gateway)
    async with parts.database.write() as session:
        sign = Sign(posted_on=parts.clock.now().date(), photo=picture.sha256)
        return await _register(session, parts, gateway, device, {"sign": sign})


@router.get("/installation/zones")
async def list_zones(_: CallingGateway) -> list[ZoneOut]:
    """The zones in which nothing may be recorded, with their article."""
    return [ZoneOut(id=zone.id, article=zone.article, zh=zone.zh, en=zone.en) for zone in ZONES.values()]


@router.post("/installation/trial", status_code=202, responses=problems(404))
async def try_installation(parts: PartsHere, gateway: CallingGateway) -> InstallationOut:
    """Order an event of the box, a picture of each camera and a line on each printer; what comes is in the check."""
    async with parts.database.write() as session:
        row = await try_out(session, parts.clock, gateway, parts.config.anomalies.alerting.alert_from)
        shape = InstallationOut.of(row)
    parts.wake_commands()
    return shape


@router.get("/installation/check", responses=problems(404))
async def check_installation(parts: PartsHere, gateway: CallingGateway, language: Speech = DEFAULT) -> CheckOut:
    """What was found so far."""
    async with parts.database.read() as session:
        row = await repository.open_at(session, gateway)
        return CheckOut.of(judge(await facts_of(session, parts.telemetry, parts.clock, row)), language)


@router.put("/installation/certificate", responses=problems(404, 409))
async def certify_installation(body: CertificateIn, parts: PartsHere, gateway: CallingGateway) -> CertificateOut:
    """Certify what works, and print the certificate on the box's own printer. Done again, it prints again."""
    async with parts.database.write() as session:
        row = await repository.open_or_none(session, gateway, locked=True)
        if row is None:
            row = await _certified(session, gateway)
        else:
            found = judge(await facts_of(session, parts.telemetry, parts.clock, row))
            row = await certify(session, parts.clock, parts.stream, row, found)
        shape = _certificate(parts, row)
        if body.printer is not None:
            address = parts.config.http.address
            document = document_of(shape.content, row.digest or "", address, body.language)
            shape.printing = await print_on(session, parts.clock, row, body.printer, document)
    parts.wake_commands()
    return shape


@router.get("/installation/certificate", responses=problems(404))
async def get_last_certificate(
    parts: PartsHere, gateway: CallingGateway, language: Speech = DEFAULT
) -> LastCertificateOut:
    """The newest installation certificate of the calling gateway."""
    async with parts.database.read() as session:
        row = await repository.newest_certified(session, gateway)
        newest = await repository.newest(session, gateway)
    if row is None:
        raise RefusedRequestError("installations.no_certificate", f"{gateway} was never certified", status=404)
    current = newest is not None and newest.id == row.id
    return LastCertificateOut.last(row, _verification(parts, row), language, current=current)


async def _register(
    session: AsyncSession, parts: Parts, gateway: str, device: str, found: dict[str, Any]
) -> RegisterOut:
    """Write what the installer found into the legal register; the rest of it stays."""
    row = await repository.open_at(session, gateway)
    equipment = await _device(session, gateway, device)
    body = RegisterIn.of_row(await registers.find(session, gateway, device)).model_copy(update=found)
    register = await registering.write(session, parts.clock, equipment, body, by=row.installer)
    return RegisterOut.shaped(gateway, device, register, missing(body.entry(), parts.clock.now().date()))


async def _device(session: AsyncSession, gateway: str, device: str) -> Device:
    row = await devices.find(session, DeviceKey(gateway, device))
    if row is None:
        raise RefusedRequestError("devices.unknown", f"no device {device} at gateway {gateway}", status=404)
    return row


async def _certified(session: AsyncSession, gateway: str) -> Installation:
    row = await repository.newest(session, gateway)
    if row is None or row.number is None:
        raise RefusedRequestError("installations.none_open", f"no installation of {gateway} is open", status=404)
    return row


def _certificate(parts: Parts, row: Installation) -> CertificateOut:
    return CertificateOut.at(row, _verification(parts, row))


def _verification(parts: Parts, row: Installation) -> str:
    return verify_address(parts.config.http.address, row.number or "", row.digest or "")
