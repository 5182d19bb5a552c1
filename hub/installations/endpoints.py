"""Installations for operators: list, look at, see how everything there does now."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.problems import problems
from hub.api.values import Level
from hub.installations import repository
from hub.installations.gathering import facts_of
from hub.installations.judging import judge
from hub.installations.model import Installation, InstallationState
from hub.installations.schemas import CheckOut, InstallationOut
from hub.parts import PartsHere
from hub.words.catalogue import DEFAULT, Language

router = APIRouter(tags=["installations"])

Reader = Annotated[Caller, caller_with(Scope.DEVICES_READ)]


@router.get("/installations")
async def list_installations(
    *,
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    gateway: Annotated[Level | None, Query()] = None,
    subject: Annotated[UUID | None, Query()] = None,
    state: Annotated[InstallationState | None, Query()] = None,
) -> Page[InstallationOut]:
    """Every installation, newest first."""
    wanted = repository.listed(gateway=gateway, subject=subject, state=state)
    async with parts.database.read() as session:
        order = (Installation.opened_at.desc(), Installation.id.desc())
        return await paging.page(session, wanted, order, InstallationOut.of)


@router.get("/installations/{installation_id}", responses=problems(404))
async def get_installation(installation_id: UUID, parts: PartsHere, _: Reader) -> InstallationOut:
    """One installation."""
    async with parts.database.read() as session:
        return InstallationOut.of(await repository.find(session, installation_id))


@router.get("/installations/{installation_id}/check", responses=problems(404))
async def get_installation_check(
    installation_id: UUID, parts: PartsHere, _: Reader, language: Annotated[Language, Query()] = DEFAULT
) -> CheckOut:
    """How everything at this installation does now."""
    async with parts.database.read() as session:
        row = await repository.find(session, installation_id)
        return CheckOut.of(judge(await facts_of(session, parts.telemetry, parts.clock, row)), language)
