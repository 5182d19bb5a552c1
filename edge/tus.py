"""Carrying one clip to the hub by tus 1.0 (tus.io/protocols/resumable-upload), over lines that break.

How far it has come is always the hub's word (HEAD), never ours: only what is on its disk counts. Each chunk carries its
SHA-256, so that bytes that were spoilt on the way are refused alone. A clip is there when the hub answers with
`Upload-Footage` and the very hash: then it has read the whole of it back.
"""

import asyncio
import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

import httpx
import msgspec

from drivers.footage import Carriage, Clip, carriage, note_carriage
from edge.backoff import delays
from edge.upload_pace import Pace, Valve
from protocol import logs
from protocol.clock import Clock
from protocol.errors import PermanentError, UplinkUnavailableError

TIMEOUT_S: Final = 10.0
CONFIRMED: Final = "Upload-Footage"
_VERSION: Final = {"Tus-Resumable": "1.0.0"}
_OFFSET_TYPE: Final = "application/offset+octet-stream"
_CHECKSUM_MISMATCH: Final = 460
_OVER: Final = frozenset({404, 410})
_ELSEWHERE: Final = frozenset({400, 408, 409, 413, 423, _CHECKSUM_MISMATCH, *_OVER})
"""Answers to bytes that are no answer to the clip: a chunk was late, spoilt, or not where it belongs."""
_NOT_THIS_CLIP: Final = frozenset({413, 422})
_BREAKS_IN_A_ROW: Final = 5
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0
_BLOCK: Final = 1 << 20

log = logs.get(__name__)


class ClipRefusedError(PermanentError):
    """The hub does not take this clip as it is."""


class BrokenError(UplinkUnavailableError):
    """The line broke, or the hub is somewhere else than we are: ask it, and go on."""


class Carrier:
    """Carries clips over one client, whose base URL and credentials are the hub's door's."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        valve: Valve,
        clock: Clock,
        *,
        keep_for: timedelta,
        endpoint: str = "/gateway/v1/uploads",
    ) -> None:
        self.pace = Pace()
        self._client = client
        self._valve = valve
        self._clock = clock
        self._keep_for = keep_for
        self._endpoint = endpoint

    async def carry(self, folder: Path, clip: Clip) -> Carriage:
        """Carry a clip until the hub has confirmed it, from wherever it had come; return how that ended.

        A refused one says why. A server that takes all bytes and confirms nothing leaves it unconfirmed. Raises
        UplinkUnavailableError when the hub is away or the line breaks again and again without getting on.
        """
        try:
            confirmed = await self._carried(folder, clip)
        except ClipRefusedError as error:
            refused = Carriage(refused=str(error), refused_at=self._clock.now())
            note_carriage(folder, clip.sha256, refused)
            log.debug("clip_refused", sha256=clip.sha256, reason=str(error))
            return refused
        state = carriage(folder, clip.sha256)
        if confirmed:
            now = self._clock.now()
            state = msgspec.structs.replace(state, confirmed_at=now, keep_until=now + self._keep_for)
            note_carriage(folder, clip.sha256, state)
            log.debug("clip_confirmed", sha256=clip.sha256, bytes=clip.bytes)
        return state

    async def _carried(self, folder: Path, clip: Clip) -> bool:
        """Return whether the hub has confirmed the clip, once it has all bytes."""
        breaks, reached, reason = 0, -1, ""
        waits = _waits()
        while breaks < _BREAKS_IN_A_ROW:
            await self._valve.passes()
            try:
                offset, confirmed = await self._begin(folder, clip)
                if confirmed or offset == clip.bytes:
                    return confirmed
                if offset > reached:
                    breaks, reached, waits = 0, offset, _waits()
                return await self._send(folder, clip, offset)
            except BrokenError as error:
                self.pace.broke()
                breaks, reason = breaks + 1, str(error)
                log.debug("upload_broke_off", sha256=clip.sha256, reason=reason)
                await asyncio.sleep(next(waits))
        raise UplinkUnavailableError(f"the hub's door: {reason}")

    async def _begin(self, folder: Path, clip: Clip) -> tuple[int, bool]:
        """Return how far the upload is, by the hub's word, and whether it is confirmed; begin one if there is none."""
        state = carriage(folder, clip.sha256)
        if state.url:
            answer = await self._ask("HEAD", state.url)
            if answer.status_code not in _OVER and answer.status_code != _CHECKSUM_MISMATCH:
                self._expect(answer, 200, 204)
                return self._offset(answer, clip), _confirms(answer, clip)
            self._require_unspoilt(folder, clip)
        answer = await self._ask("POST", self._endpoint, _described(clip))
        if answer.status_code in _NOT_THIS_CLIP:
            raise ClipRefusedError(f"the hub refuses it: HTTP {answer.status_code} {_detail(answer)}")
        self._expect(answer, 201)
        url = self._place(answer.headers.get("location", ""))
        note_carriage(folder, clip.sha256, msgspec.structs.replace(state, url=url))
        return self._offset(answer, clip) if "upload-offset" in answer.headers else 0, _confirms(answer, clip)

    async def _send(self, folder: Path, clip: Clip, offset: int) -> bool:
        """Send what follows an offset, chunk by chunk, to the end; return whether the hub confirms it then."""
        url = carriage(folder, clip.sha256).url
        with (folder / clip.sha256).open("rb") as file:
            file.seek(offset)
            while True:
                await self._valve.passes()
                chunk = file.read(min(self.pace.chunk, clip.bytes - offset))
                if not chunk:
                    raise ClipRefusedError("the box's own copy is shorter than it was")
                began = self._clock.monotonic()
                answer = await self._patch(url, offset, chunk)
                self.pace.arrived(len(chunk), self._clock.monotonic() - began)
                if self._offset(answer, clip) != offset + len(chunk):
                    raise BrokenError("the hub is elsewhere")
                offset += len(chunk)
                if offset == clip.bytes:
                    return _confirms(answer, clip)

    async def _patch(self, url: str, offset: int, chunk: bytes) -> httpx.Response:
        checksum = base64.b64encode(hashlib.sha256(chunk).digest()).decode()
        headers = {
            "Content-Type": _OFFSET_TYPE,
            "Content-Length": str(len(chunk)),
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {checksum}",
        }
        answer = await self._ask("PATCH", url, headers, chunk)
        if answer.status_code in _ELSEWHERE:
            raise BrokenError(f"HTTP {answer.status_code}")  # what it means, HEAD will say
        self._expect(answer, 204)
        return answer

    async def _ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response:
        content = self._valve.pieces(body) if body else None
        try:
            return await self._client.request(
                method, url, headers=_VERSION | (headers or {}), content=content, timeout=TIMEOUT_S
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise BrokenError(f"{type(error).__name__}: {error}") from error

    def _expect(self, answer: httpx.Response, *fine: int) -> None:
        """Raise UplinkUnavailableError for an answer that is not one of these."""
        if answer.status_code not in fine:
            raise UplinkUnavailableError(f"the hub's door: HTTP {answer.status_code} {_detail(answer)}")

    def _offset(self, answer: httpx.Response, clip: Clip) -> int:
        text = answer.headers.get("upload-offset", "")
        if not text.isdecimal() or len(text) > len(str(clip.bytes)) or int(text) > clip.bytes:
            raise UplinkUnavailableError("the hub's door does not say how far the upload is")
        return int(text)

    def _place(self, location: str) -> str:
        """Return the way to an upload at this very door; a place elsewhere would be given the box's credentials."""
        base = self._client.base_url
        try:
            place = base.join(location)
        except httpx.InvalidURL:
            place = httpx.URL()
        if not location or (place.scheme, place.host, place.port) != (base.scheme, base.host, base.port):
            raise UplinkUnavailableError("the hub's door names an upload that is not at this door")
        return place.raw_path.decode("ascii")

    def _require_unspoilt(self, folder: Path, clip: Clip) -> None:
        """Raise ClipRefusedError when it is the box's own copy that is not what it was."""
        found = hashlib.sha256()
        with (folder / clip.sha256).open("rb") as file:
            while block := file.read(_BLOCK):
                found.update(block)
        if found.hexdigest() != clip.sha256:
            raise ClipRefusedError("the box's own copy is not what it was when it was kept")


def _waits() -> Iterator[float]:
    return delays(Random(), first_s=_FIRST_WAIT_S, most_s=_LONGEST_WAIT_S)  # noqa: S311 - spreads attempts


def _described(clip: Clip) -> dict[str, str]:
    pairs = {
        "sha256": clip.sha256,
        "sm3": clip.sm3,
        "device": clip.device,
        # Neither slash nor backslash is of a name; ours are those of escaped bytes.
        "filename": clip.file_name.replace("\\", "_").replace("/", "_"),
    }
    if clip.began_at is not None and clip.ended_at is not None and clip.began_at <= clip.ended_at:
        pairs |= {"began_at": clip.began_at.isoformat(), "ended_at": clip.ended_at.isoformat()}
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in pairs.items())
    return {"Upload-Length": str(clip.bytes), "Upload-Metadata": metadata, "Content-Length": "0"}


def _confirms(answer: httpx.Response, clip: Clip) -> bool:
    return bool(answer.headers.get(CONFIRMED) == clip.sha256)


def _detail(answer: httpx.Response) -> str:
    return "".join(letter for letter in answer.text[:200] if letter.isprintable())
