"""Receiving a complaint: a number for the person, a line for the business, a place in the list to be sorted."""

import hashlib
import io
from typing import Final
from uuid import UUID

import segno
from sqlalchemy.ext.asyncio import AsyncSession

from hub.complaints import repository
from hub.complaints.receipts import new_receipt
from hub.complaints.schemas import ComplaintIn, ReceiptOut
from hub.ingest.reading import sniffed
from hub.media import repository as media
from hub.media.store import MediaStore
from hub.stream.stream import Stream
from hub.subjects import archive
from hub.subjects.model import Subject
from protocol.clock import Clock
from protocol.errors import RefusedRequestError

_TRIES: Final = 20


class Receiving:
    """Takes complaints. The caller commits."""

    def __init__(self, clock: Clock, stream: Stream, store: MediaStore) -> None:
        self._clock = clock
        self._stream = stream
        self._store = store

    async def receive(self, session: AsyncSession, complaint: ComplaintIn, kiosk: UUID | None) -> ReceiptOut:
        """Write a complaint down and return its receipt.

        Raises RefusedRequestError: `complaints.unknown_subject` (422).
        """
        if complaint.subject is not None and await session.get(Subject, complaint.subject) is None:
            detail = f"no subject {complaint.subject}"
            raise RefusedRequestError("complaints.unknown_subject", detail, status=422)
        now = self._clock.now()
        row = {
            "id": self._clock.new_id(),
            "received_at": now,
            "kiosk_id": kiosk,
            **complaint.model_dump(include={"kind", "what", "place", "person", "phone"}),
            "subject_id": complaint.subject,
            "photo": await self._keep_photo(session, complaint.photo),
            "state": "received",
            "state_at": now,
            "sorted_by": "",
            "note": "",
            "version": 1,
        }
        receipt = await self._add(session, row)
        if complaint.subject is not None:
            await archive.append(
                session,
                self._clock,
                complaint.subject,
                at=now,
                kind="complaint.received",
                summary=f"收到群众反映 {receipt}",
                ref=str(row["id"]),
                data={"receipt": receipt, "kind": complaint.kind},
            )
        await self._stream.append(session, "complaint", {"id": str(row["id"]), "receipt": receipt, "state": "received"})
        return ReceiptOut(receipt=receipt, received_at=now, qr=_picture(receipt))

    async def _add(self, session: AsyncSession, row: dict[str, object]) -> str:
        """Add the row under a number that is free: a day has a hundred thousand."""
        for _ in range(_TRIES):
            receipt = new_receipt(self._clock.now())
            if await repository.add(session, {**row, "receipt": receipt}):
                return receipt
        raise RefusedRequestError("complaints.too_many", "no receipt number is free; try again", status=503)

    async def _keep_photo(self, session: AsyncSession, photo: bytes | None) -> str | None:
        content_type = sniffed(photo) if photo is not None else None
        if photo is None or content_type is None:
            return None
        sha256 = hashlib.sha256(photo).hexdigest()
        await self._store.put(sha256, photo)
        await media.add_new(
            session, [media.row(sha256, content_type, len(photo), media.FROM_PEOPLE, self._clock.now())]
        )
        return sha256


def _picture(receipt: str) -> str:
    """Return a receipt number as a QR code: an SVG document that stands alone."""
    svg = io.BytesIO()
    segno.make_qr(receipt, error="m").save(svg, kind="svg", xmldecl=False, scale=6, border=4, light="#fff")
    return svg.getvalue().decode()
