"""Signed configurations between a real hub and the box's own client, with an attacker on the wire."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tuf.api.exceptions import DownloadHTTPError

from edge import config as configuration
from edge.bundles import Bundles
from edge.fetcher import Door
from edge.fetching import NotTrustedError, Source, Wanted
from edge.hub_http import hub_client
from hub.accounts.scopes import Scope
from hub.app import create_app
from hub.configs import offline, repository
from hub.configs.keys import FOLDER, SigningKeys
from hub.configs.refreshing import REFRESH, handlers
from hub.configs.signing import LIFE, Signing
from hub.parts import Parts
from hub.storage import migrating
from hub.storage.database import open_database
from protocol.clock import ManualClock
from protocol.errors import ConfigurationError, UplinkUnavailableError
from tests.serving import Api, new_key, opened_parts, served

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
CONFIG = (
    '[devices.gps-1]\ndriver = "gps.nmea"\noptions = { source = { kind = "tcp", host = "127.0.0.1", port = 4001 } }\n'
)


class Hub:
    """The hub's HTTP side on a clock that the test turns, and one box that knows its address."""

    def __init__(self, parts: Parts, url: str, api: Api, clock: ManualClock, folder: Path) -> None:
        self.parts, self.url, self.api, self.clock, self.folder = parts, url, api, clock, folder

    async def register(self, gateway: str) -> "Box":
        answer = await self.api.post("/api/v1/gateways", json={"gateway": gateway})
        assert answer.status_code == 201, answer.text
        return Box(self, gateway, answer.json()["password"])

    async def publish(self, gateway: str, content: str, *, expected: int = 200, release: str = "") -> dict[str, Any]:
        version = (await self.api.get(f"/api/v1/configs/{gateway}")).headers["ETag"]
        body = {"content": content, "reason": "test", "release": release}
        answer = await self.api.put(f"/api/v1/configs/{gateway}", json=body, headers={"If-Match": version})
        assert answer.status_code == expected, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refresh(self) -> None:
        """Do what the hourly job does."""
        await handlers(self.parts)[REFRESH](None)  # type: ignore[arg-type]  # it does not look at the job


class Box:
    """What a box knows and does when it fetches."""

    def __init__(self, hub: Hub, gateway: str, password: str) -> None:
        self.hub, self.gateway = hub, gateway
        folder = hub.folder / gateway
        folder.mkdir()
        (folder / "password").write_text(password)
        self.file = folder / "site.toml"
        self.file.write_text(
            f'[gateway]\nid = "{gateway}"\n[hub]\nbroker = "mqtt://127.0.0.1:1"\napi = "{hub.url}"\n'
            'password_file = "password"\n'
        )
        self.config = configuration.load(self.file)
        self.attack: Attack | None = None

    @property
    def bundles(self) -> Bundles:
        return Bundles(self.config.data)

    async def fetch(self, at: datetime | None = None) -> Wanted | None:
        """Fetch what is wanted, and the bundle."""
        async with hub_client(self.config, configuration.password(self.config.hub)) as client:
            loop = asyncio.get_running_loop()
            door = Attacked(client, loop, self.attack) if self.attack else Door(client, loop)
            source = Source(self.config, door, at or self.hub.clock.now())
            return await asyncio.to_thread(self._fetch, source)

    def _fetch(self, source: Source) -> Wanted | None:
        source.refresh()
        wanted = source.wanted()
        if wanted is not None:
            source.stage(wanted)
        return wanted

    def content(self, bundle: str) -> str:
        place = self.bundles.place(bundle)
        assert place is not None
        return (place / "config.toml").read_text()


Attack = Callable[[str, bytes], bytes]


class Attacked(Door):
    """A door with somebody before it, who may change every answer, and give one where there is none (None)."""

    def __init__(self, client: Any, loop: asyncio.AbstractEventLoop, attack: Attack) -> None:
        super().__init__(client, loop)
        self._attack = attack

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            answer = b"".join(super()._fetch(url))
        except DownloadHTTPError:
            if not (answer := self._attack(url, b"")):
                raise
            yield answer
            return
        yield self._attack(url, answer)


@asynccontextmanager
async def hub_in(folder: Path) -> AsyncIterator[Hub]:
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240
    clock = ManualClock(START)
    database = open_database(f"sqlite:///{folder / 'hub.db'}")
    await migrating.upgrade(database)
    async with opened_parts(database, folder, clock) as parts:
        app = create_app(parts)
        async with served(app) as url, Api(app, await new_key(parts, Scope.ADMIN)) as api:
            yield Hub(parts, url, api, clock, folder)
    await database.close()


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with hub_in(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
async def box(hub: Hub) -> Box:
    return await hub.register("g1")


async def test_a_box_gets_what_was_signed_for_it_with_the_profiles_that_it_names(hub: Hub, box: Box) -> None:
    serial = 'kind = "serial", port = "/dev/diwang/gps", profile = "quectel-l76k", setup = ["rate-1hz"]'
    named = f'[devices.gps-1]\ndriver = "gps.nmea"\noptions = {{ source = {{ {serial} }} }}\n'
    made = await hub.publish("g1", named)
    wanted = await box.fetch()
    assert wanted is not None
    assert wanted.bundle == made["desired"]["bundle"]
    assert box.content(wanted.bundle) == named
    place = box.bundles.place(wanted.bundle)
    assert place is not None
    assert b"L76K" in (place / "firmware_configs/gps/quectel-l76k.toml").read_bytes()
    again = await box.fetch()
    assert again == wanted


async def test_nobody_has_said_what_a_box_is_to_run(hub: Hub, box: Box) -> None:
    with pytest.raises(UplinkUnavailableError):
        await box.fetch()  # nothing was ever signed on this hub
    await hub.refresh()
    assert await box.fetch() is None


async def test_an_older_version_is_refused(hub: Hub, box: Box) -> None:
    kept: dict[str, bytes] = {}

    def keep(url: str, answer: bytes) -> bytes:
        return kept.setdefault(url.rpartition("/")[2], answer)

    await hub.publish("g1", CONFIG)
    box.attack = keep
    old = await box.fetch()
    await hub.publish("g1", "# newer\n" + CONFIG)
    box.attack = None
    new = await box.fetch()
    assert new != old
    box.attack = keep
    with pytest.raises(NotTrustedError, match="not what was signed"):
        await box.fetch()
    box.attack = None
    assert await box.fetch() == new


@pytest.mark.parametrize("role", ["snapshot", "configs"])
async def test_an_older_part_among_newer_ones_is_refused(hub: Hub, box: Box, role: str) -> None:
    """Each part is genuine, and signed by the right key; what they were never is together."""
    older: dict[str, bytes] = {}

    def part_of(url: str) -> str:
        return url.rpartition("/")[2].partition(".")[2].partition("-")[0].removesuffix(".json")

    def keep(url: str, answer: bytes) -> bytes:
        older[part_of(url)] = answer
        return answer

    await hub.publish("g1", CONFIG)
    box.attack = keep
    old = await box.fetch()
    await hub.publish("g1", "# newer\n" + CONFIG)
    assert role in older
    box.attack = lambda url, answer: older[role] if part_of(url) == role else answer
    with pytest.raises(NotTrustedError):
        await box.fetch()
    box.attack = None
    assert await box.fetch() != old


async def test_a_hub_that_is_kept_from_speaking_is_noticed(hub: Hub, box: Box) -> None:
    await hub.publish("g1", CONFIG)
    await box.fetch()
    late = hub.clock.now() + LIFE["timestamp"] + timedelta(seconds=1)
    with pytest.raises(NotTrustedError, match="out of date"):
        await box.fetch(late)
    hub.clock.advance((late - hub.clock.now()).total_seconds())
    await hub.refresh()
    assert await box.fetch(late) is not None


@pytest.mark.parametrize("change", [lambda c: c.replace(b"4001", b"4002"), lambda c: c + b"\n" * 5000, lambda _: b"x"])
async def test_a_changed_file_is_refused_and_nothing_of_it_is_kept(
    hub: Hub, box: Box, change: Callable[[bytes], bytes]
) -> None:
    made = await hub.publish("g1", CONFIG)
    box.attack = lambda url, answer: change(answer) if url.endswith("config.toml") else answer
    with pytest.raises(NotTrustedError):
        await box.fetch()
    assert not box.bundles.has(made["desired"]["bundle"])
    box.attack = None
    assert await box.fetch() is not None


async def test_other_keys_are_refused_also_by_a_box_that_only_knows_its_first_root(
    hub: Hub, box: Box, tmp_path: Path
) -> None:
    await hub.publish("g1", CONFIG)
    await box.fetch()
    async with hub_in(tmp_path / "stranger") as stranger:
        theirs = await stranger.register("g1")
        await stranger.publish("g1", CONFIG.replace("gps-1", "spy"))
        box.config = msgspec.structs.replace(box.config, hub=theirs.config.hub)
        with pytest.raises(NotTrustedError):
            await box.fetch()


async def test_a_box_that_was_enrolled_at_another_hub_trusts_that_one(hub: Hub, box: Box, tmp_path: Path) -> None:
    await hub.publish("g1", CONFIG)
    assert await box.fetch() is not None
    async with hub_in(tmp_path / "next") as other:
        theirs = await other.register("g1")
        made = await other.publish("g1", "# theirs\n" + CONFIG)
        (tmp_path / "root.pem").write_text("the authority of the other hub")
        there = msgspec.structs.replace(theirs.config.hub, ca_file=str(tmp_path / "root.pem"))
        box.config = msgspec.structs.replace(box.config, hub=there)
        wanted = await box.fetch()
        assert wanted is not None
        assert wanted.bundle == made["desired"]["bundle"]


async def test_a_file_of_another_box_is_neither_given_out_nor_taken(hub: Hub, box: Box) -> None:
    other = await hub.register("g2")
    await hub.publish("g1", CONFIG)
    await hub.publish("g2", CONFIG.replace("gps-1", "gps-2"))
    theirs = await other.fetch()
    assert theirs is not None
    async with hub_client(box.config, configuration.password(box.config.hub)) as client:
        digest = hashlib.sha256(other.content(theirs.bundle).encode()).hexdigest()
        path = f"/gateway/v1/configs/targets/g2/{digest}.config.toml"
        assert (await client.get(path)).status_code == 404
        assert (await client.get("/gateway/v1/configs/targets/../../etc/passwd")).status_code == 404
    box.attack = lambda url, answer: other.content(theirs.bundle).encode() if "config.toml" in url else answer
    with pytest.raises(NotTrustedError):
        await box.fetch()


async def test_metadata_that_is_no_metadata_harms_nothing(hub: Hub, box: Box) -> None:
    await hub.publish("g1", CONFIG)
    for nonsense in (b"", b"null", b"\xff" * 99, b'{"signed": {}}', b"[" * 9000, b"0" * 600_000):
        for role in ("1.root", "timestamp", "snapshot", "configs-"):
            box.attack = lambda url, answer, role=role, nonsense=nonsense: nonsense if role in url else answer
            with pytest.raises((NotTrustedError, UplinkUnavailableError)):
                await box.fetch()
            if role != "configs-":
                assert not (box.bundles.trust / "first-root.json").exists()
            shutil.rmtree(box.bundles.trust)
    box.attack = None
    assert await box.fetch() is not None


@pytest.mark.parametrize("role", offline.ROLES)
async def test_boxes_follow_when_a_key_is_exchanged(hub: Hub, box: Box, role: str) -> None:
    await hub.publish("g1", CONFIG)
    before = await box.fetch()
    folder = hub.folder / FOLDER
    old = {file.name for file in folder.iterdir()}
    await offline.exchange(hub.parts.config, hub.clock, role)
    fresh = {file.name for file in folder.iterdir()}
    assert {name.partition("-")[0] for name in old - fresh} == {role}
    assert {name.partition("-")[0] for name in fresh - old} == {role}
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.iterdir())
    assert await box.fetch() == before
    made = await hub.publish("g1", "# after\n" + CONFIG)
    after = await box.fetch()
    assert after is not None
    assert after.bundle == made["desired"]["bundle"]


async def test_without_the_keys_that_are_kept_offline_configurations_still_go_out(hub: Hub, box: Box) -> None:
    await hub.publish("g1", CONFIG)
    for role in ("root", "targets"):
        for file in (hub.folder / FOLDER).glob(f"{role}-*"):
            file.unlink()
    await hub.publish("g1", "# more\n" + CONFIG)
    assert await box.fetch() is not None
    with pytest.raises(ConfigurationError, match=r"root-.*pem"):
        await offline.exchange(hub.parts.config, hub.clock, "timestamp")
    hub.clock.advance((LIFE["targets"] * 0.8).total_seconds())
    async with hub.parts.database.write() as session:
        signing = await Signing.begun(session, SigningKeys(hub.folder / FOLDER), hub.clock)
        left = await signing.refresh()
    assert set(left) == {"targets"}
    assert await box.fetch() is not None


async def test_metadata_is_signed_anew_in_time_for_years(hub: Hub, box: Box) -> None:
    made = await hub.publish("g1", CONFIG)
    for _ in range(12):
        hub.clock.advance(timedelta(days=60).total_seconds())
        await hub.refresh()
        wanted = await box.fetch()
        assert wanted is not None
        assert wanted.bundle == made["desired"]["bundle"]


async def test_a_site_may_bring_the_first_root_itself(hub: Hub, box: Box) -> None:
    await hub.publish("g1", CONFIG)
    text = box.file.read_text()
    async with hub.parts.database.read() as session:
        root = await repository.metadata(session, "root", 1)
    assert root is not None
    (box.file.parent / "root.json").write_bytes(root.content)
    box.file.write_text(text + '[configuration]\nroot_file = "root.json"\n')
    box.config = configuration.load(box.file)
    assert await box.fetch() is not None
    assert not (box.bundles.trust / "first-root.json").exists()
