"""Resumable uploads: what is acknowledged is on the disk, what is kept is what was declared, nothing hostile hurts."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select

from hub.accounts.scopes import Scope
from hub.app import create_app
from hub.custody.model import CustodyEntry
from hub.footage.model import Footage
from hub.parts import Parts
from hub.storage.database import Database
from hub.uploads.folder import PartFile
from hub.uploads.model import Upload
from protocol.errors import StoreUnavailableError
from tests.footage import OCTETS, VERSION, Clip, Tus, checksum, encoded
from tests.serving import Api, new_key, served

CLIP = Clip.of(300_000)
SOON_S = 30


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """One database is enough here: test_footage.py uploads to both."""
    return sqlite_database


@pytest.fixture
def tus(api: Api) -> Tus:
    return Tus(api)


async def rows(parts: Parts) -> tuple[list[str], list[str]]:
    """Return the states of footage, and the kinds of custody entries."""
    async with parts.database.read() as session:
        states = list(await session.scalars(select(Footage.state)))
        kinds = list(await session.scalars(select(CustodyEntry.kind).order_by(CustodyEntry.number)))
    return states, kinds


async def test_a_clip_in_pieces_becomes_footage(tus: Tus, api: Api) -> None:
    url = await tus.begun(CLIP, device="dock-1", began_at="2026-11-24T08:00:00+08:00", filename="执法 1.mp4")
    answer = await tus.patch(url, 0, CLIP.payload[:1000])
    assert answer.status_code == 204
    assert answer.headers["Upload-Offset"] == "1000"
    assert "Upload-Footage" not in answer.headers
    assert answer.headers["Upload-Expires"].endswith("GMT")
    assert await tus.offset(url) == 1000
    answer = await tus.patch(url, 1000, CLIP.payload[1000:])
    assert answer.headers["Upload-Footage"] == CLIP.sha256
    asked = await api.head(url, headers=VERSION)
    assert asked.headers["Upload-Footage"] == CLIP.sha256
    assert asked.headers["Upload-Length"] == asked.headers["Upload-Offset"] == str(len(CLIP.payload))
    (item,) = (await api.get("/api/v1/footage")).json()["items"]
    assert (item["sha256"], item["sm3"], item["size"]) == (CLIP.sha256, CLIP.sm3, len(CLIP.payload))
    assert (item["state"], item["device"], item["name"]) == ("kept", "dock-1", "执法 1.mp4")
    assert (item["began_at"], item["content_type"]) == ("2026-11-24T00:00:00Z", "video/mp4")
    path = api.parts.footage.path(CLIP.sha256)
    assert path.read_bytes() == CLIP.payload
    assert path.stat().st_mode & 0o222 == 0
    assert list((path.parents[2] / "uploads").iterdir()) == []
    assert await rows(api.parts) == (["kept"], ["footage.received"])


async def test_what_is_offered_twice_is_taken_once(tus: Tus, api: Api) -> None:
    url = await tus.begun(CLIP)
    await tus.patch(url, 0, CLIP.payload[:77])
    again = await tus.create(CLIP)
    assert again.headers["Location"] == url
    assert again.headers["Upload-Offset"] == "77"
    await tus.patch(url, 77, CLIP.payload[77:])
    known = await Tus(await api.with_scopes(Scope.FOOTAGE_UPLOAD)).create(CLIP)
    assert known.status_code == 201
    assert known.headers["Upload-Footage"] == CLIP.sha256
    assert known.headers["Upload-Offset"] == str(len(CLIP.payload))
    assert known.headers["Location"] != url
    assert await rows(api.parts) == (["kept"], ["footage.received"])


async def test_two_senders_of_the_same_bytes_at_once(tus: Tus, api: Api) -> None:
    other = Tus(await api.with_scopes(Scope.FOOTAGE_UPLOAD))
    first, second = await tus.begun(CLIP), await other.begun(CLIP)
    assert first != second
    answers = await asyncio.gather(tus.patch(first, 0, CLIP.payload), other.patch(second, 0, CLIP.payload))
    assert [answer.headers["Upload-Footage"] for answer in answers] == [CLIP.sha256] * 2
    assert await rows(api.parts) == (["kept"], ["footage.received"])


async def test_an_empty_file_is_a_file(tus: Tus, api: Api) -> None:
    made = await tus.create(Clip(b""))
    assert made.headers["Upload-Footage"] == hashlib.sha256().hexdigest()
    assert api.parts.footage.size(Clip(b"").sha256) == 0


@pytest.mark.parametrize("metadata", [{"sha256": "0" * 64}, {"sm3": "0" * 64}])
async def test_other_bytes_than_declared_are_refused_and_the_sender_begins_anew(
    tus: Tus, api: Api, metadata: dict[str, str]
) -> None:
    url = await tus.begun(CLIP, **metadata)
    answer = await tus.patch(url, 0, CLIP.payload)
    assert answer.status_code == 460
    assert answer.json()["rule"] == "uploads.wrong_hash"
    assert (await api.head(url, headers=VERSION)).status_code == 410
    assert (await tus.patch(url, 0, CLIP.payload)).status_code == 410
    assert await rows(api.parts) == ([], [])
    assert list((api.parts.config.data / "uploads").iterdir()) == []
    assert await tus.begun(CLIP, **metadata) != url
    await tus.kept(CLIP)


async def test_a_checksum_is_checked_before_anything_is_written(tus: Tus) -> None:
    url = await tus.begun(CLIP)
    piece = CLIP.payload[:5000]
    for algorithm in ("sha1", "sha256"):
        wrong = await tus.patch(url, 0, piece[:-1] + b"?", **checksum(algorithm, piece))
        assert (wrong.status_code, wrong.json()["rule"]) == (460, "uploads.wrong_checksum")
        assert await tus.offset(url) == 0
    assert (await tus.patch(url, 0, piece, **checksum("sha1", piece))).status_code == 204
    rest = CLIP.payload[5000:]
    assert (await tus.patch(url, 5000, rest, **checksum("sha256", rest))).headers["Upload-Footage"] == CLIP.sha256


async def test_what_the_server_speaks(api: Api) -> None:
    answer = await api.options("/api/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,expiration,checksum"
    assert set(answer.headers["Tus-Checksum-Algorithm"].split(",")) == {"sha1", "sha256"}
    assert int(answer.headers["Tus-Max-Size"]) == api.parts.config.uploads.largest_bytes


async def test_evidence_is_not_withdrawn(tus: Tus, api: Api) -> None:
    url = await tus.begun(CLIP)
    answer = await api.delete(url, headers=VERSION)
    assert (answer.status_code, answer.json()["rule"]) == (403, "uploads.evidence_stays")
    assert await tus.offset(url) == 0


async def test_nobody_touches_the_upload_of_another(tus: Tus, api: Api) -> None:
    url = await tus.begun(CLIP)
    other = await api.with_scopes(Scope.FOOTAGE_UPLOAD)
    assert (await other.head(url, headers=VERSION)).status_code == 404
    assert (await Tus(other).patch(url, 0, b"?")).status_code == 404
    assert (await other.delete(url, headers=VERSION)).status_code == 404


BAD_REQUESTS: list[tuple[dict[str, str], int]] = [
    ({"Tus-Resumable": "0.2.2"}, 412),
    ({"Upload-Length": "-1"}, 400),
    ({"Upload-Length": "1e3"}, 400),
    ({"Upload-Length": "９"}, 400),
    ({"Upload-Length": "9" * 40}, 400),
    ({"Upload-Length": str(2**50)}, 413),
    ({"Upload-Metadata": ""}, 422),
    ({"Upload-Metadata": "sha256"}, 422),
    ({"Upload-Metadata": "sha256 !!!!"}, 400),
    ({"Upload-Metadata": "sha256 /w=="}, 400),
    ({"Upload-Metadata": encoded({"sha256": "A" * 64})}, 422),
    ({"Upload-Metadata": encoded({"sha256": "0" * 64, "filename": "../../etc/passwd"})}, 422),
    ({"Upload-Metadata": encoded({"sha256": "0" * 64, "device": "a/b"})}, 422),
    ({"Upload-Metadata": encoded({"sha256": "0" * 64, "began_at": "yesterday"})}, 422),
    ({"Upload-Metadata": encoded({"sha256": "0" * 64, "began_at": "2026-11-24T08:00:00"})}, 422),
    (
        {
            "Upload-Metadata": encoded(
                {"sha256": "0" * 64, "began_at": "2026-11-24T08:00:00Z", "ended_at": "2026-11-24T07:00:00Z"}
            )
        },
        422,
    ),
    ({"Upload-Metadata": encoded({"sha256": "0" * 64}) + "," + encoded({"sha256": "1" * 64})}, 400),
    ({"Upload-Metadata": ",".join(f"k{n} AAAA" for n in range(40))}, 400),
    ({"Upload-Metadata": "k " + "A" * 10_000}, 400),
]


async def test_creations_that_are_none(api: Api) -> None:
    good = VERSION | {"Upload-Length": "10", "Upload-Metadata": encoded({"sha256": "0" * 64})}
    for headers, status in BAD_REQUESTS:
        raw = [(name.encode(), value.encode()) for name, value in (good | headers).items()]
        answer = await api.post("/api/v1/uploads", headers=raw)
        assert answer.status_code == status, (headers, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert await _open(api.parts) == []


async def test_unknown_metadata_is_given_back_as_it_came(api: Api) -> None:
    sent = encoded({"sha256": CLIP.sha256, "filetype": "video/mp4"}) + ",bare"
    headers = VERSION | {"Upload-Length": "10", "Upload-Metadata": sent}
    url = (await api.post("/api/v1/uploads", headers=headers)).headers["Location"]
    assert (await api.head(url, headers=VERSION)).headers["Upload-Metadata"] == sent


class Wrong(NamedTuple):
    headers: dict[str, str]
    payload: bytes
    status: int


WRONG_PIECES = [
    Wrong({"Tus-Resumable": "2"}, b"x", 412),
    Wrong({"Content-Type": "application/octet-stream"}, b"x", 415),
    Wrong({"Upload-Offset": "-0"}, b"x", 400),
    Wrong({"Upload-Offset": "1"}, b"x", 409),
    Wrong({"Upload-Offset": "99999999999"}, b"x", 409),
    Wrong({"Upload-Checksum": "md5 AAAA"}, b"x", 400),
    Wrong({"Upload-Checksum": "sha1 ????"}, b"x", 400),
    Wrong({"Upload-Checksum": "sha1 AAAA"}, b"x", 400),
    Wrong({}, CLIP.payload + b"x", 413),
]


async def test_pieces_that_are_none_change_nothing(tus: Tus, api: Api) -> None:
    url = await tus.begun(CLIP)
    for wrong in WRONG_PIECES:
        answer = await tus.patch(url, 0, wrong.payload, **wrong.headers)
        assert answer.status_code == wrong.status, (wrong.headers, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert await tus.offset(url) == 0
    assert (await api.head("/api/v1/uploads/0190b0a0-0000-7000-8000-000000000000", headers=VERSION)).status_code == 404


async def test_more_than_declared_without_saying_so_is_cut_off(tus: Tus) -> None:
    clip = Clip.of(70_000)
    url = await tus.begun(clip)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"\0" * 65_536

    answer = await tus.patch(url, 0, endless())
    assert answer.status_code == 413
    assert (await tus.http.head(url, headers=VERSION)).status_code == 460


async def test_a_full_disk_is_told_and_the_upload_goes_on_later(tus: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await tus.begun(CLIP)
    usage = shutil.disk_usage

    def full(path: Any) -> Any:
        return usage(path)._replace(free=0)

    with monkeypatch.context() as context:
        context.setattr(shutil, "disk_usage", full)
        answer = await tus.patch(url, 0, CLIP.payload)
        assert (answer.status_code, answer.json()["rule"]) == (507, "uploads.disk_full")
        refused = await tus.create(Clip.of(50, seed=2))
        assert refused.status_code == 507
    assert (await tus.patch(url, await tus.offset(url), CLIP.payload)).headers["Upload-Footage"] == CLIP.sha256


async def test_a_reserve_is_left_free(tus: Tus, api: Api) -> None:
    folder = api.parts.uploads._folder
    folder._reserve = 2**60
    try:
        assert (await tus.create(CLIP)).status_code == 507
    finally:
        folder._reserve = 0


async def test_unfinished_uploads_are_bounded(api: Api, parts: Parts) -> None:
    settings = parts.config.uploads.model_copy(update={"unfinished_per_sender": 2})
    bounded = replace(parts, config=parts.config.model_copy(update={"uploads": settings}))
    async with Api(create_app(bounded), api.key) as client:
        tus = Tus(client)
        assert [(await tus.create(Clip.of(90, seed))).status_code for seed in (1, 2, 3, 2)] == [201, 201, 429, 201]


async def test_a_store_that_fails_leaves_what_came(tus: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await tus.begun(CLIP)

    def broken(*_: object) -> None:
        raise StoreUnavailableError("the disk is broken")

    with monkeypatch.context() as context:
        context.setattr(PartFile, "sync", broken)
        assert (await tus.patch(url, 0, CLIP.payload[:100])).status_code == 503
    offset = await tus.offset(url)
    assert offset == 100
    assert (await tus.patch(url, offset, CLIP.payload[offset:])).headers["Upload-Footage"] == CLIP.sha256


async def test_another_process_at_the_same_upload(tus: Tus, api: Api) -> None:
    url = await tus.begun(CLIP)
    (upload_id,) = await _open(api.parts)
    with PartFile(api.parts.uploads._folder.path(upload_id)):
        answer = await tus.patch(url, 0, CLIP.payload)
    assert (answer.status_code, answer.json()["rule"]) == (423, "uploads.busy")
    assert (await tus.patch(url, 0, CLIP.payload)).status_code == 204


async def _open(parts: Parts) -> list[Any]:
    async with parts.database.read() as session:
        return list(await session.scalars(select(Upload.id).where(Upload.state == "open")))


async def reached(tus: Tus, url: str, least: int) -> int:
    """Return the offset once it is so far."""
    async with asyncio.timeout(SOON_S):
        while (offset := await tus.offset(url)) < least:  # noqa: ASYNC110 - another request writes
            await asyncio.sleep(0.01)
    return offset


@pytest.fixture
async def network(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """A client over a real socket: only there can a connection be half open."""
    async with served(api.app) as url:
        headers = {"Authorization": f"Bearer {api.key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=SOON_S) as client:
            yield client


async def test_the_newest_connection_wins(network: httpx.AsyncClient, api: Api) -> None:
    """An old one that hangs in the middle is ended, and what it brought is kept."""
    tus = Tus(network)
    url = await tus.begun(CLIP)
    arrived = 100_000

    async def half_open() -> AsyncIterator[bytes]:
        yield CLIP.payload[:arrived]
        await asyncio.Event().wait()

    async with asyncio.timeout(SOON_S):
        hanging = asyncio.create_task(tus.patch(url, 0, half_open()))
        slots = api.parts.uploads._turns._slots
        while not any(slot.turns for slot in slots.values()):  # noqa: ASYNC110 - nothing tells of a request that began
            await asyncio.sleep(0.01)
        newer = await tus.patch(url, 0, CLIP.payload)
        if newer.status_code == 409:  # the first bytes of the old one were there already
            newer = await tus.patch(url, await tus.offset(url), CLIP.payload[await tus.offset(url) :])
        assert newer.headers["Upload-Footage"] == CLIP.sha256
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
    assert await rows(api.parts) == (["kept"], ["footage.received"])


async def test_a_connection_that_breaks_off_leaves_its_bytes(network: httpx.AsyncClient) -> None:
    tus = Tus(network)
    url = await tus.begun(CLIP)

    async def breaking() -> AsyncIterator[bytes]:
        yield CLIP.payload[:70_000]
        raise ConnectionError("cut")

    with pytest.raises(ConnectionError):
        await tus.patch(url, 0, breaking())
    offset = await reached(tus, url, 1)
    answer = await tus.patch(url, offset, CLIP.payload[offset:])
    if answer.status_code == 409:
        offset = await tus.offset(url)
        answer = await tus.patch(url, offset, CLIP.payload[offset:])
    assert answer.headers["Upload-Footage"] == CLIP.sha256


async def test_who_says_nothing_is_not_waited_for(api: Api, parts: Parts) -> None:
    settings = parts.config.uploads.model_copy(update={"silence_s": 0.05})
    impatient = replace(parts, config=parts.config.model_copy(update={"uploads": settings}))

    async with served(create_app(impatient)) as address:
        key = {"Authorization": f"Bearer {api.key}"}
        async with httpx.AsyncClient(base_url=address, headers=key, trust_env=False, timeout=SOON_S) as client:
            tus = Tus(client)
            url = await tus.begun(CLIP)
            # A client that reads while it should still be sending; nobody else may ask, a newer request would end it.
            length = {"Host": "hub", "Upload-Offset": "0", "Content-Length": str(len(CLIP.payload))}
            head = "".join(f"{name}: {value}\r\n" for name, value in (VERSION | OCTETS | key | length).items())
            hub = urlsplit(address)
            reader, writer = await asyncio.open_connection(hub.hostname, hub.port)
            writer.write(f"PATCH {url} HTTP/1.1\r\n{head}\r\n".encode() + CLIP.payload[:10])
            async with asyncio.timeout(SOON_S):
                answer = await reader.readuntil(b"\r\n")
            writer.close()
            assert answer.split()[1] == b"408"
            assert await tus.offset(url) == 10


async def test_a_gateway_uploads_with_its_password(api: Api) -> None:
    made = (await api.post("/api/v1/gateways", json={"gateway": "g1"})).json()
    stranger = api.without_key()
    stranger.auth = httpx.BasicAuth("g1", made["password"])
    tus = Tus(stranger, "/gateway/v1")
    url = await tus.begun(CLIP, device="dock-1")
    assert url.startswith("/gateway/v1/uploads/")
    assert (await tus.patch(url, 0, CLIP.payload)).headers["Upload-Footage"] == CLIP.sha256
    (item,) = (await api.get("/api/v1/footage", params={"gateway": "g1"})).json()["items"]
    assert (item["gateway"], item["device"]) == ("g1", "dock-1")
    entries = (await api.get("/api/v1/custody/entries", params={"item": CLIP.sha256})).json()["items"]
    assert '"by":"gateway:g1"' in entries[0]["leaf"]
    stranger.auth = httpx.BasicAuth("g1", "wrong")
    assert (await stranger.head(url, headers=VERSION)).status_code == 401


async def test_what_a_crash_left_complete_is_kept_by_the_sweep(tus: Tus, api: Api) -> None:
    """The last byte was on the disk, and the process died before it said so; with and without the file moved."""
    parts = api.parts
    for seed, moved in ((1, False), (2, True)):
        clip = Clip.of(4_000, seed)
        await tus.begun(clip)
        (upload_id,) = await _open(parts)
        with PartFile(parts.uploads._folder.path(upload_id)) as part:
            part.append(clip.payload, None)
        if moved:
            parts.footage.adopt(parts.uploads._folder.path(upload_id), clip.sha256)
        await parts.uploads.sweep(timedelta(days=1))
        assert parts.footage.path(clip.sha256).read_bytes() == clip.payload
        await parts.uploads.sweep(timedelta(days=1))
    assert await rows(parts) == (["kept"] * 2, ["footage.received"] * 2)


async def test_what_nobody_goes_on_with_is_given_up(tus: Tus, api: Api) -> None:
    url = await tus.begun(CLIP)
    await tus.patch(url, 0, CLIP.payload[:100])
    folder: Path = api.parts.config.data / "uploads"
    (folder / ("f" * 32)).write_bytes(b"left by a lost row")
    (folder / "note.txt").write_bytes(b"somebody's own")
    await api.parts.uploads.sweep(timedelta(days=1))
    assert await tus.offset(url) == 100
    assert names(folder) == [names(folder)[0], "note.txt"]
    await api.parts.uploads.sweep(timedelta(days=-1))
    assert (await api.head(url, headers=VERSION)).status_code == 410
    assert names(folder) == ["note.txt"]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_a_file_changed_on_the_disk_is_found(tus: Tus, api: Api) -> None:
    """The bytes were hashed as they came; a process that did not see them come reads them again."""
    url = await tus.begun(CLIP)
    await tus.patch(url, 0, CLIP.payload[:-10])
    (upload_id,) = await _open(api.parts)
    path = api.parts.uploads._folder.path(upload_id)
    path.write_bytes(b"?" + path.read_bytes()[1:-3])
    offset = await tus.offset(url)
    answer = await tus.patch(url, offset, CLIP.payload[offset:])
    assert answer.status_code == 460


async def test_a_key_without_the_scope_uploads_nothing(api: Api) -> None:
    reader = await api.with_scopes(Scope.FOOTAGE_READ)
    assert (await Tus(reader).create(CLIP)).status_code == 403
    assert await new_key(api.parts, Scope.FOOTAGE_UPLOAD)
