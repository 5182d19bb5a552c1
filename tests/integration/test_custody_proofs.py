"""A bundle out of a real hub, stamped by a real authority, verified offline; and whatever is changed in it is found."""

import base64
import json
import random
import subprocess
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from diwang.command import app
from hub.custody import documents, working
from hub.custody.checkpointing import STAMP, checkpoint
from hub.custody.model import CustodyNode
from hub.custody.signing import open_signer
from hub.footage import verifying
from hub.jobs.model import Job
from hub.storage.database import Database
from protocol.clock import ManualClock, SystemClock
from protocol.errors import PermanentError, TransientError
from tests.domain_api import Domain, serving
from tests.footage import Clip, Tus
from tests.simulators.tsa import Authority, time_stamping

CLIP = Clip.of(20_000)
WHY = {"reason": "听证", "unit": "法制科", "name": "陈某"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with time_stamping(tmp_path_factory.mktemp("tsa")) as running:
        yield running


@dataclass
class Evidence:
    """What a lawyer was handed, and what the bureau publishes."""

    bundle: Path
    key: str
    roots: Path
    custody: Path

    def verify(self, *arguments: str | Path, key: str | None = None, roots: bool = True) -> Any:
        options: list[str] = ["--key", self.key if key is None else key]
        options += ["--tsa-roots", str(self.roots)] if roots else []
        return CliRunner().invoke(app, ["verify", *map(str, arguments), *(options if key != "" else options[2:])])


async def work(api: Domain, kind: str, **payload: Any) -> None:
    await working.handlers(api.parts)[kind](Job(kind=kind, payload=payload))


@pytest.fixture
async def api(sqlite_database: Database, tmp_path: Path, authority: Authority) -> AsyncIterator[Domain]:
    settings = {"custody": {"tsa_url": authority.url, "tsa_roots": str(authority.roots)}}
    async with serving(sqlite_database, SystemClock(), tmp_path, settings) as domain:
        yield domain


async def footage_of(api: Domain, clip: Clip) -> str:
    await Tus(api.http, "http://hub/api/v1").kept(clip)
    return next(str(item["id"]) for item in await api.every("/footage") if item["sha256"] == clip.sha256)


@pytest.fixture
async def evidence(api: Domain, tmp_path: Path, authority: Authority) -> Evidence:
    """An exported bundle among other footage, under a stamped checkpoint; the clip is the second of three."""
    await footage_of(api, Clip.of(30, seed=2))
    footage = await footage_of(api, CLIP)
    await api.post(f"/footage/{footage}/viewings", WHY | {"content": "全部"})
    export = await api.post(f"/footage/{footage}/exports", WHY)
    await footage_of(api, Clip.of(300, seed=3))
    await work(api, working.CHECKPOINT)
    await work(api, STAMP, size=(await api.get("/custody"))["entries"])
    bundle = tmp_path / "evidence.zip"
    bundle.write_bytes((await api.http.get(f"http://hub{export['url']}")).content)
    custody = tmp_path / "proofs.json"
    custody.write_bytes((await api.http.get(f"/footage/{footage}/custody")).content)
    return Evidence(bundle, (await api.get("/custody"))["key"], authority.roots, custody)


def parts_of(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as file:
        return {name: file.read(name) for name in file.namelist()}


def written(folder: Path, parts: dict[str, bytes]) -> Path:
    changed = folder / "changed.zip"
    with zipfile.ZipFile(changed, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return changed


async def test_a_bundle_is_proved_offline(evidence: Evidence, tmp_path: Path) -> None:
    found = evidence.verify(evidence.bundle)
    assert found.exit_code == 0, found.output
    for words in ("核验通过", "Verified", "footage.received", "footage.viewed", "footage.exported", CLIP.sha256):
        assert words in found.output
    (tmp_path / "key.txt").write_text(evidence.key + "\n")
    assert evidence.verify(evidence.bundle, key=str(tmp_path / "key.txt")).exit_code == 0


async def test_a_bare_clip_is_proved_by_its_proofs(evidence: Evidence, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(CLIP.payload)
    assert evidence.verify(clip, "--proof", evidence.custody).exit_code == 0
    missing = evidence.verify(clip)
    assert missing.exit_code == 2
    (tmp_path / "clip.mp4.custody.json").write_bytes(evidence.custody.read_bytes())
    assert evidence.verify(clip).exit_code == 0
    assert evidence.verify(evidence.custody, evidence.bundle, clip).exit_code == 0
    clip.write_bytes(CLIP.payload[:-1] + bytes([CLIP.payload[-1] ^ 1]))
    assert evidence.verify(clip).exit_code == 1
    assert evidence.verify(evidence.bundle, clip).exit_code == 1


async def test_a_strangers_tool_reads_the_stamp(evidence: Evidence, tmp_path: Path) -> None:
    document = json.loads(evidence.custody.read_bytes())
    (tmp_path / "note").write_text(document["checkpoint"])
    (tmp_path / "stamp").write_bytes(base64.b64decode(document["stamp"]))
    command = ["openssl", "ts", "-verify", "-data", "note", "-in", "stamp", "-CAfile", str(evidence.roots)]
    found = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)  # noqa: ASYNC221 - quick
    assert found.returncode == 0, found.stderr


async def test_what_is_not_known_beforehand_is_said(evidence: Evidence) -> None:
    unpinned = evidence.verify(evidence.bundle, key="")
    assert (unpinned.exit_code, "--key" in unpinned.output) == (3, True)
    unrooted = evidence.verify(evidence.bundle, roots=False)
    assert (unrooted.exit_code, "--tsa-roots" in unrooted.output) == (3, True)


async def test_another_log_is_not_this_one(evidence: Evidence, tmp_path: Path) -> None:
    stranger = open_signer(tmp_path / "stranger")
    assert evidence.verify(evidence.bundle, key=str(stranger.verifier)).exit_code == 1
    assert evidence.verify(evidence.bundle, key="no+key").exit_code == 2


def _document(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, bytes]], None]:
    """Change the proof document as a JSON value, and write it again as if nothing had been."""

    def apply(parts: dict[str, bytes]) -> None:
        document = json.loads(parts["custody.json"])
        change(document)
        parts["custody.json"] = json.dumps(document).encode()

    return apply


def _flip(text: str) -> str:
    changed = bytearray(base64.b64decode(text))
    changed[len(changed) // 2] ^= 1
    return base64.b64encode(changed).decode()


def _forget_the_view(document: dict[str, Any]) -> None:
    document["entries"][1]["leaf"] = document["entries"][1]["leaf"].replace("陈某", "张某")


CHANGES: dict[str, Callable[[dict[str, bytes]], Any]] = {
    "the clip": lambda parts: parts.update({f"clip/{CLIP.sha256}": CLIP.payload[:-1] + b"!"}),
    "a clip that is cut": lambda parts: parts.update({f"clip/{CLIP.sha256}": CLIP.payload[:-1]}),
    "the name of the clip": lambda parts: parts.update({"clip/x": parts.pop(f"clip/{CLIP.sha256}")}),
    "no clip": lambda parts: parts.pop(f"clip/{CLIP.sha256}"),
    "the description": lambda parts: parts.update({"metadata.json": parts["metadata.json"].replace(b"kept", b"lost")}),
    "the leaflet": lambda parts: parts.update({"README.txt": b"call this number"}),
    "a file more": lambda parts: parts.update({"note.txt": b"trust me"}),
    "no proofs": lambda parts: parts.pop("custody.json"),
    "no JSON": lambda parts: parts.update({"custody.json": b"{"}),
    "an entry": _document(_forget_the_view),
    "the export": _document(lambda document: document["entries"].pop()),
    "the receipt": _document(lambda document: document["entries"].pop(0)),
    "no entries": _document(lambda document: document["entries"].clear()),
    "the order": _document(lambda document: document["entries"].reverse()),
    "a number": _document(lambda document: document["entries"][0].update(number=0)),
    "an entry twice": _document(lambda document: document["entries"].append(document["entries"][0])),
    "a path": _document(lambda d: d["entries"][0].update(path=[_flip(d["entries"][0]["path"][0])])),
    "no path": _document(lambda document: document["entries"][0].update(path=[])),
    "the root": _document(lambda d: d.update(checkpoint=d["checkpoint"].replace("\n5\n", "\n6\n"))),
    "no signature": _document(lambda d: d.update(checkpoint=d["checkpoint"].partition("—")[0])),
    "the stamp": _document(lambda document: document.update(stamp=_flip(document["stamp"]))),
    "a field more": _document(lambda document: document.update(verdict="Verified")),
    "another format": _document(lambda document: document.update(format="diwang-custody-2")),
}


async def test_whatever_is_changed_is_found(evidence: Evidence, tmp_path: Path) -> None:
    parts = parts_of(evidence.bundle)
    assert evidence.verify(written(tmp_path, parts)).exit_code == 0
    assert "\n5\n" in json.loads(parts["custody.json"])["checkpoint"]
    for what, change in CHANGES.items():
        changed = dict(parts)
        change(changed)
        assert changed != parts, what
        found = evidence.verify(written(tmp_path, changed))
        assert found.exit_code == 1, f"{what}\n{found.output}"
        assert "✗" in found.output, what


async def test_no_byte_of_the_file_can_be_flipped_unseen(evidence: Evidence, tmp_path: Path) -> None:
    """What is not found changed nothing that is proved: times and flags of the zip's own directory."""
    whole = evidence.bundle.read_bytes()
    chance = random.Random(7)
    parts = parts_of(evidence.bundle)
    changed = tmp_path / "flipped.zip"
    for place in chance.sample(range(len(whole)), 150):
        changed.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        if evidence.verify(changed).exit_code == 0:
            assert parts_of(changed) == parts, place
    for junk in (b"", b"PK", whole[: len(whole) // 2], b"\0" * 1000):
        changed.write_bytes(junk)
        assert evidence.verify(changed).exit_code == 1


async def test_a_forged_log_needs_the_key(evidence: Evidence, api: Domain, tmp_path: Path) -> None:
    """Whoever makes a whole log of their own is found out by the key, which the bundle cannot vouch for."""
    forger = open_signer(tmp_path / "forger")
    document = json.loads(parts_of(evidence.bundle)["custody.json"])
    root = base64.b64decode(document["checkpoint"].split("\n")[2])
    changed = parts_of(evidence.bundle)
    forged = document | {"key": str(forger.verifier), "checkpoint": forger.sign(5, root), "stamp": None}
    changed["custody.json"] = json.dumps(forged).encode()
    assert evidence.verify(written(tmp_path, changed)).exit_code == 1
    unpinned = evidence.verify(written(tmp_path, changed), key="")
    assert (unpinned.exit_code, "?" in unpinned.output) == (3, True)
    assert (await api.get("/custody"))["key"] != str(forger.verifier)


async def test_a_log_that_was_changed_in_its_tables_is_not_signed_any_more(api: Domain) -> None:
    await footage_of(api, CLIP)
    parts = api.parts
    async with parts.database.write() as session:
        await checkpoint(session, parts.clock, parts.custody)
    await footage_of(api, Clip.of(99, seed=9))
    async with parts.database.write() as session:
        await session.execute(update(CustodyNode).where(CustodyNode.level == 0).values(hash=bytes(32)))
    with pytest.raises(PermanentError, match="not the one that was sealed"):
        await work(api, working.CHECKPOINT)
    assert len(await api.every("/custody/checkpoints")) == 1


async def test_an_authority_that_misbehaves_is_asked_again(api: Domain, authority: Authority) -> None:
    await footage_of(api, CLIP)
    await work(api, working.CHECKPOINT)
    await work(api, working.CHECKPOINT)
    other = authority.stamp
    kept: list[bytes] = []

    def replay(query: bytes) -> bytes:
        kept.append(other(query))
        return kept[0]

    wrong: list[Callable[[bytes], bytes]] = [
        lambda _: b"",
        lambda _: b"\x30\x03\x02\x01\x00",
        lambda _: b"\0" * 100_000,
    ]
    for answer in wrong:
        authority.answer = answer
        with pytest.raises(TransientError):
            await work(api, STAMP, size=1)
    authority.answer = replay
    try:
        await work(api, STAMP, size=1)
        await footage_of(api, Clip.of(99, seed=9))
        await work(api, working.CHECKPOINT)
        with pytest.raises(TransientError, match="no good stamp"):
            await work(api, STAMP, size=2)
    finally:
        authority.answer = other
    asked = authority.asked
    await work(api, STAMP, size=1)
    assert authority.asked == asked
    await work(api, STAMP, size=2)
    assert [bool(each["stamp"]) for each in await api.every("/custody/checkpoints")] == [True, True]


async def test_without_an_authority_nothing_is_stamped(sqlite_database: Database, tmp_path: Path) -> None:
    async with serving(sqlite_database, ManualClock(), tmp_path) as api:
        footage = await footage_of(api, CLIP)
        await work(api, working.CHECKPOINT)
        await work(api, STAMP, size=1)
        document = json.loads((await api.http.get(f"/footage/{footage}/custody")).content)
        assert document["stamp"] is None
        assert verifying.document_item(documents.read(json.dumps(document).encode())) == CLIP.sha256
