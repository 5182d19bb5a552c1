"""Reviewing, admitting and using recordings. The caller commits."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.devices.repository import DeviceKey
from hub.devices.repository import find as find_device
from hub.evidence import lifecycle, repository
from hub.evidence.lifecycle import REGISTERED, Officer, State
from hub.evidence.model import Evidence, EvidenceUse
from hub.evidence.schemas import ActIn, ReviewIn, UseIn
from hub.organisation import repository as organisation
from hub.registers import repository as registers
from hub.registers.duties import missing, records
from hub.registers.schemas import RegisterIn
from hub.subjects import archive
from protocol.clock import Clock

_WORDS = {"review": "采集记录审核", "admit": "采信为证据", "use": "作为案件证据"}


class Deciding:
    """What officers decide about one happening, in the name of a key."""

    def __init__(self, session: AsyncSession, clock: Clock, key: str) -> None:
        self._session = session
        self._clock = clock
        self._key = key

    async def review(self, row: Evidence, review: ReviewIn) -> None:
        """Note a legal and technical review; what does not pass both is rejected. Raises RefusedRequestError."""
        officer = await self._officer(review.officer)
        row.state = lifecycle.reviewed(State(row.state), officer, legal=review.legal, technical=review.technical)
        row.reviewer_id = officer.id
        await self._note(row, "review", review, {"legal": review.legal, "technical": review.technical})

    async def admit(self, row: Evidence, act: ActIn) -> None:
        """Admit what was reviewed. Raises RefusedRequestError."""
        officer = await self._officer(act.officer)
        lacking = await self._unregistered(row)
        row.state = lifecycle.admitted(State(row.state), officer, reviewer=row.reviewer_id, unregistered=lacking)
        row.admitter_id = officer.id
        await self._note(row, "admit", act, {})

    async def use(self, row: Evidence, act: UseIn) -> None:
        """Let a penalty file rest on it; again changes nothing. Raises RefusedRequestError for what is not admitted."""
        officer = await self._officer(act.officer)
        lifecycle.usable(State(row.state))
        use = EvidenceUse(
            gateway=row.gateway, event=row.event, file=act.file, officer_id=officer.id, at=self._clock.now()
        )
        if await repository.use(self._session, use):
            await self._note(row, "use", act, {"file": act.file})

    async def _officer(self, officer_id: UUID) -> Officer:
        row = await organisation.officer(self._session, officer_id)
        return Officer(id=row.id, active=row.active, certified=row.kind == "staff" and row.certified)

    async def _unregistered(self, row: Evidence) -> list[str]:
        """Return what the legal register of a device that records lacks for its recordings to be evidence."""
        device = await find_device(self._session, DeviceKey(row.gateway, row.device))
        if device is None or not records(device.driver):
            return []
        register = RegisterIn.of_row(await registers.find(self._session, row.gateway, row.device))
        gaps = missing(register.entry(), self._clock.now().date())
        return [rule.item for rule in gaps if rule.item in REGISTERED]

    async def _note(self, row: Evidence, act: str, body: ActIn, data: dict[str, Any]) -> None:
        now = self._clock.now()
        done = {"at": now.isoformat(), "act": act, "officer": str(body.officer), "key": self._key}
        row.acts = [*row.acts, done | {"reason": body.reason, "data": data}]
        row.changed_at = now
        row.version += 1
        device = await find_device(self._session, DeviceKey(row.gateway, row.device))
        if device is not None and device.subject_id is not None:
            await archive.append(
                self._session,
                self._clock,
                device.subject_id,
                at=now,
                kind=f"evidence.{act}",
                summary=f"{_WORDS[act]}: {row.type} ({row.state})",
                ref=f"{row.gateway}/{row.event}/{row.version}",
                data={"gateway": row.gateway, "event": str(row.event), "officer": str(body.officer), **data},
            )
