"""An upload from its first request to the footage that comes of it.

What is true is on the disk: the offset is the size of the file, and a file as long as declared is complete, whoever was
killed when. It becomes footage when its bytes hash to what was declared; else it is refused and the sender starts anew.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from hub.footage import receiving as footage
from hub.footage.store import FootageFolder
from hub.storage.database import Database
from hub.uploads import repository
from hub.uploads.digests import Digests, digests_of
from hub.uploads.folder import PartFile, UploadFolder
from hub.uploads.headers import CHECKSUM_MISMATCH, Checksum, Declared
from hub.uploads.model import Upload
from hub.uploads.receiving import Receiving
from hub.uploads.settings import UploadsSection
from hub.uploads.turns import Slot, Turns
from protocol import logs
from protocol.clock import Clock
from protocol.errors import RefusedRequestError, StoreUnavailableError

log = logs.get(__name__)

KEPT: Final = "kept"
_GONE: Final = frozenset({"refused", "expired"})
_TOUCHED_EVERY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who uploads: `gateway:<id>` or `key:<id>`, and the gateway if it is one."""

    name: str
    gateway: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an upload has come; `kept` once its bytes are footage."""

    upload: Upload
    offset: int
    kept: bool


class Uploads:
    """The uploads of one hub process."""

    def __init__(self, *, database: Database, clock: Clock, folder: UploadFolder, store: FootageFolder) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        self._store = store
        self._turns = Turns()

    async def create(
        self, settings: UploadsSection, sender: Sender, length: int, metadata: str, declared: Declared
    ) -> Standing:
        """Begin an upload, or go on with the sender's unfinished one of the same bytes.

        Bytes that are footage already need not come again: their upload is complete at once. Raises
        RefusedRequestError: 413 for a file that is too large, 429 for too many unfinished ones, 507 for want of room.
        """
        if length > settings.largest_bytes:
            detail = f"at most {settings.largest_bytes} bytes, not {length}"
            raise RefusedRequestError("uploads.too_large", detail, status=413)
        async with self._database.read() as session:
            again = await repository.open_of(session, sender.name, declared.sha256, length, metadata)
        if again is not None:
            return await self.standing(again)
        await asyncio.to_thread(self._folder.require_room, length)
        now = self._clock.now()
        async with self._database.write() as session:
            known = await footage.is_known(session, declared.sha256, length)
            if not known and await repository.count_open(session, sender.name) >= settings.unfinished_per_sender:
                detail = f"{settings.unfinished_per_sender} uploads are unfinished; end those first"
                raise RefusedRequestError("uploads.too_many", detail, status=429)
            upload = Upload(
                id=self._clock.new_id(),
                sender=sender.name,
                gateway=sender.gateway,
                length=length,
                sha256=declared.sha256,
                metadata_text=metadata,
                declared=declared.model_dump(mode="json", exclude_none=True),
                state=KEPT if known else "open",
                created_at=now,
                touched_at=now,
                finished_at=now if known else None,
            )
            await repository.add(session, upload)
        standing = Standing(upload, length if known else 0, known)
        return standing if length else await self.completed(standing)

    async def find(self, sender: Sender, upload_id: UUID) -> Upload:
        """Return the sender's upload. Raises RefusedRequestError: 404, or 410 when it was refused or given up."""
        async with self._database.read() as session:
            upload = await repository.find(session, upload_id)
        if upload is None or upload.sender != sender.name:
            raise RefusedRequestError("uploads.unknown", f"no upload {upload_id}", status=404)
        if upload.state in _GONE:
            raise RefusedRequestError("uploads.gone", f"the upload was {upload.state}; begin a new one", status=410)
        return upload

    async def standing(self, upload: Upload) -> Standing:
        """Return how far an upload has come; one whose last byte is there is completed now."""
        standing = await asyncio.to_thread(self._standing, upload)
        return await self.completed(standing)

    async def take(
        self,
        settings: UploadsSection,
        upload: Upload,
        offset: int,
        *,
        checksum: Checksum | None,
        announced: int | None,
        pieces: AsyncIterator[bytes],
    ) -> Standing:
        """Take the bytes that follow `offset` and return how far it has come, all of it on the disk.

        `announced` is how many bytes the request says it brings, if it says. Raises RefusedRequestError: 409 for
        another offset, what `Receiving` raises, 423 while another process works on it, 460 as `completed`.
        """
        async with self._turns.newest(upload.id) as (turn, slot):
            now = await self._current(upload.id)
            if now.offset != offset:
                raise RefusedRequestError("uploads.other_offset", f"the upload is at {now.offset}, not {offset}")
            if now.kept:
                return now
            if announced is not None and announced > upload.length - offset:
                raise RefusedRequestError("uploads.too_long", "more bytes than the upload declared", status=413)
            if offset < upload.length:
                await asyncio.to_thread(self._folder.require_room, announced or 0)
                await self._touch(now.upload)
                part = await asyncio.to_thread(PartFile, self._folder.path(upload.id))
                with part:
                    receiving = Receiving(self._folder, part, slot, upload.length - offset)
                    if checksum is None:
                        await receiving.stream(pieces, turn, settings.silence_s)
                    else:
                        await receiving.checked(pieces, turn, settings.silence_s, checksum)
            return await self._completed(await self._current(upload.id), slot)

    async def completed(self, standing: Standing) -> Standing:
        """Make footage of an upload whose bytes are all there; return others as they are.

        Raises RefusedRequestError (460) when they are not the bytes that were declared: they are forgotten then.
        """
        if standing.kept or standing.offset < standing.upload.length:
            return standing
        async with self._turns.newest(standing.upload.id) as (_, slot):
            return await self._completed(await self._current(standing.upload.id), slot)

    async def sweep(self, give_up_after: timedelta) -> None:
        """Complete what a crash kept from it, give up what nobody goes on with, and remove files left behind."""
        async with self._database.read() as session:
            unfinished = await repository.unfinished(session)
        for upload in unfinished:
            try:
                standing = await self.standing(upload)
                if not standing.kept and upload.touched_at < self._clock.now() - give_up_after:
                    await self._give_up(upload, standing.offset)
            except RefusedRequestError as error:  # refused for its hash, or somebody works on it just now
                log.info("upload_not_swept", upload=str(upload.id), rule=error.rule)
        left = set(await asyncio.to_thread(self._folder.every)) - {upload.id for upload in unfinished}
        for upload_id in left:
            async with self._database.read() as session:
                row = await repository.find(session, upload_id)
            if row is None or row.state != "open":
                await asyncio.to_thread(self._folder.remove, upload_id)

    async def _current(self, upload_id: UUID) -> Standing:
        """Return how far it has come now; a turn ago it may have been elsewhere."""
        async with self._database.read() as session:
            upload = await repository.find(session, upload_id)
        if upload is None or upload.state in _GONE:
            raise RefusedRequestError("uploads.gone", "the upload is over; begin a new one", status=410)
        return await asyncio.to_thread(self._standing, upload)

    def _standing(self, upload: Upload) -> Standing:
        if upload.state == KEPT:
            return Standing(upload, upload.length, kept=True)
        size = self._folder.size(upload.id)
        if size is None and self._store.size(upload.sha256) == upload.length:
            size = upload.length  # it was moved there, and the crash came before the commit
        return Standing(upload, size or 0, kept=False)

    async def _completed(self, standing: Standing, slot: Slot) -> Standing:
        upload = standing.upload
        if standing.kept or standing.offset < upload.length:
            return standing
        hashes = (await asyncio.to_thread(self._digests, upload, slot.digests)).hashes()
        if hashes.sha256 != upload.sha256 or upload.declared.get("sm3", hashes.sm3) != hashes.sm3:
            await self._refuse(upload, hashes.sha256)
        await asyncio.to_thread(self._store.adopt, self._folder.path(upload.id), upload.sha256)
        received = await asyncio.to_thread(self._received, upload, hashes.sm3)
        now = self._clock.now()
        async with self._database.write() as session:
            if await repository.settle(session, upload.id, KEPT, now):
                await footage.receive(session, self._clock, received)
        slot.digests = None
        log.info("upload_kept", upload=str(upload.id), sender=upload.sender, sha256=upload.sha256, bytes=upload.length)
        return Standing(upload, upload.length, kept=True)

    def _digests(self, upload: Upload, known: Digests | None) -> Digests:
        if known is not None and known.size == upload.length:
            return known
        part = self._folder.path(upload.id)
        try:
            if upload.length == 0 and not part.exists():
                PartFile(part).close()
            return digests_of(part if part.exists() else self._store.path(upload.sha256))
        except OSError as error:
            raise StoreUnavailableError(f"uploads: {error}") from error

    def _received(self, upload: Upload, sm3: str) -> footage.Received:
        declared = Declared.model_validate(upload.declared)
        return footage.Received(
            sha256=upload.sha256,
            sm3=sm3,
            size=upload.length,
            content_type=self._store.content_type(upload.sha256),
            sender=upload.sender,
            gateway=upload.gateway,
            device=declared.device,
            name=declared.filename or "",
            began_at=declared.began_at,
            ended_at=declared.ended_at,
        )

    async def _refuse(self, upload: Upload, found: str) -> None:
        async with self._database.write() as session:
            await repository.settle(session, upload.id, "refused", self._clock.now())
        await asyncio.to_thread(self._folder.remove, upload.id)
        self._turns.forget(upload.id)
        log.warning(
            "upload_of_other_bytes", upload=str(upload.id), sender=upload.sender, declared=upload.sha256, found=found
        )
        detail = "the bytes are not those that were declared; they are forgotten, begin anew"
        raise RefusedRequestError("uploads.wrong_hash", detail, status=CHECKSUM_MISMATCH)

    async def _give_up(self, upload: Upload, offset: int) -> None:
        async with self._turns.newest(upload.id), self._database.write() as session:
            ended = await repository.settle(session, upload.id, "expired", self._clock.now())
        if ended:
            await asyncio.to_thread(self._folder.remove, upload.id)
            log.warning("upload_given_up", upload=str(upload.id), sender=upload.sender, bytes=offset)

    async def _touch(self, upload: Upload) -> None:
        """Note that somebody goes on with an upload; not for every request, as its term is counted in days."""
        now = self._clock.now()
        if now - upload.touched_at >= _TOUCHED_EVERY:
            async with self._database.write() as session:
                await repository.touch(session, upload.id, now)


def expiry(upload: Upload, settings: UploadsSection) -> datetime:
    """Return when an upload is given up unless bytes come."""
    return upload.touched_at + timedelta(days=settings.expire_days)
