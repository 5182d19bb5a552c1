"""`diwang edge enrol` and `reset` against a hub in its own process: what is written, what is said, what is left."""

import asyncio
import hashlib
import re
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from drivers.contract import Report
from edge import commands, config, shelf
from edge.enrolment import enrolling, identity, renewing, words
from edge.enrolment.renewal import Outcome
from edge.enrolment.words import IdentityError
from edge.outbox import Lane, Limits, Outbox, store_file
from edge.store import Store
from protocol.clock import SystemClock
from protocol.enrolment import Ticket, read_ticket
from protocol.errors import ConfigurationError
from protocol.messages import Event, EventState, Reading, Severity
from tests.integration.test_hub_process import running
from tests.simulators.secure_hub import SecureHub

ROOT = Path(__file__).parents[2]
PICTURE = b"\xff\xd8\xff\xe0 a picture of a kitchen " + bytes(200)
CANARY = "camera-password-canary"
SITE = f"""\
# 后厨 3 号, as the installer wrote it
[gateway]
id = "{{gateway}}"   # on the sticker
data = "box"

[hub]   # filled in by enrolment
broker = "mqtt://nowhere"
password_file = "old-password"

[uplink]
ack_timeout_s = 0.5

[devices.a]
driver = "tests.simulators.load_driver:SPEC"
thin = false
options = {{{{ rate = 50 }}}}
# {CANARY}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureHub]:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "clients").mkdir()
    with running(folder / "data") as process:
        assert process.first_key is not None
        with closing(SecureHub(process.ready, process.first_key, folder / "clients")) as hub:
            yield hub


def site(folder: Path, gateway: str) -> Path:
    (folder / "old-password").write_text("old")
    file = folder / "site.toml"
    file.write_text(SITE.format(gateway=gateway), encoding="utf-8")
    return file


def edge(*arguments: str | Path, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "diwang", "edge", *map(str, arguments)]
    return subprocess.run(command, input=said, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)


async def enrol(ticket: str, file: Path) -> tuple[enrolling.Enrolled, list[tuple[str, bool]]]:
    shown: list[tuple[str, bool]] = []
    return await enrolling.enrol(ticket, file, lambda check, waiting: shown.append((check, waiting))), shown


async def waiting(hub: SecureHub, order: dict[str, Any]) -> dict[str, Any]:
    """Return the order once a box has used its code, as an operator sees it who looks again and again."""
    async with asyncio.timeout(20):
        while (found := hub.api.get(f"/enrolments/{order['id']}").json())["state"] != "waiting":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    seen: dict[str, Any] = found
    return seen


def files_of(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


def content(file: Path) -> bytes:
    return file.read_bytes()


def test_a_box_is_enrolled_with_one_command(hub: SecureHub, tmp_path: Path) -> None:
    order, file = hub.order("cmd1"), site(tmp_path, "cmd1")
    started = time.monotonic()
    done = edge("enrol", order["ticket"], "--config", file)
    print(f"enrolled in {time.monotonic() - started:.2f} s")  # noqa: T201 - a figure to read, promised: 5 s
    assert done.returncode == 0, done.stderr
    check = hub.api.get(f"/enrolments/{order['id']}").json()["check"]
    for words_said in (
        f"核对码 {check}",
        f"Check digits {check}",
        "登记完成",
        "Enrolled: the box is cmd1",
        "diwang edge doctor",
    ):
        assert words_said in done.stdout
    assert read_ticket(order["ticket"]).code not in done.stdout + done.stderr
    loaded = config.load(file)
    assert (loaded.hub.broker, loaded.hub.api) == (hub.ready["mqtts"], hub.ready["door"])
    assert loaded.hub.password_file == ""
    text = file.read_text(encoding="utf-8")
    for kept in ("# 后厨 3 号", "# on the sticker", "[hub]   # filled in by enrolment", "rate = 50", CANARY):
        assert kept in text
    folder = tmp_path / "box" / identity.FOLDER
    assert sorted(each.name for each in folder.iterdir()) == [identity.IDENTITY, identity.ROOT]
    modes = {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}
    assert (modes, stat.S_IMODE(folder.stat().st_mode)) == ({0o600}, 0o700)
    again = edge("enrol", order["ticket"], "--config", file)
    assert again.returncode == 1
    assert words.in_both("used").splitlines()[0] in again.stderr
    assert config.load(file) == loaded, "what was refused changes nothing"


async def test_a_box_without_a_file_gets_one(hub: SecureHub, tmp_path: Path) -> None:
    order = hub.order("bare")
    done, _ = await enrol(order["ticket"], tmp_path / "etc" / "site.toml")
    loaded = config.load(done.file)
    assert loaded.gateway.id == "bare"
    assert Path(loaded.hub.cert_file).is_relative_to(tmp_path / "etc" / "data")


async def test_the_private_key_is_on_the_box_and_nowhere_else(hub: SecureHub, tmp_path: Path) -> None:
    done, _ = await enrol(hub.order("secret1")["ticket"], site(tmp_path, "secret1"))
    file = done.file.parent / "box" / identity.FOLDER / identity.IDENTITY
    assert file.stat().st_mode & 0o777 == 0o600
    own = content(file).decode()
    key = re.findall(r"PRIVATE KEY-----\n(.*?)\n-----END", own, re.DOTALL)[0].replace("\n", "")
    data = hub.folder.parent / "data"
    for kept in [*files_of(data), hub.folder.parent / "hub.log"]:
        found = content(kept)
        # Keys of one curve begin alike; what is a box's own begins later.
        assert key[60:100].encode() not in found.replace(b"\n", b""), kept
        assert kept.suffix in {".pem", ".key"} or b"PRIVATE KEY" not in found, kept
    for path in ("/gateways", "/enrolments", "/certificates", "/authority"):
        assert "PRIVATE" not in hub.api.get(path).text


async def test_an_operator_confirms_what_both_show(hub: SecureHub, tmp_path: Path) -> None:
    order = hub.order("careful", confirm=True)
    asking = asyncio.create_task(enrol(order["ticket"], tmp_path / "site.toml"))
    found = await waiting(hub, order)
    hub.api.post(f"/enrolments/{order['id']}/confirm", json={"check": found["check"]})
    done, shown = await asking
    assert done.gateway == "careful"
    assert shown == [(found["check"], False), (found["check"], True)]


async def test_a_box_that_was_interrupted_asks_again_with_the_same_ticket(
    hub: SecureHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, file = hub.order("again"), site(tmp_path, "again")

    def cut_off(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(enrolling, "_keep", cut_off)
        with pytest.raises(IdentityError) as failure:
            await enrol(order["ticket"], file)
    assert failure.value.code == "disk"
    assert 'broker = "mqtt://nowhere"' in file.read_text(encoding="utf-8")
    done, _ = await enrol(order["ticket"], file)
    assert done.gateway == "again"
    assert len(hub.api.get("/certificates", params={"gateway": "again"}).json()["items"]) == 1


@pytest.mark.parametrize(
    "text", ["", "gw1:", "https://hub/e/ABC#00", "http://hub.example/e/0123456789ABCDEF#" + "0" * 64]
)
async def test_what_is_no_ticket(tmp_path: Path, text: str) -> None:
    with pytest.raises(IdentityError) as failure:
        await enrol(text, tmp_path / "site.toml")
    assert failure.value.code == "ticket"
    assert files_of(tmp_path) == []


async def refusal(ticket: str, file: Path) -> str:
    with pytest.raises(IdentityError) as failure:
        await enrol(ticket, file)
    for language in words.LANGUAGES:
        assert words.in_words(language, failure.value.code, **failure.value.facts)
    return failure.value.code


async def test_every_refusal_is_said_in_plain_words(hub: SecureHub, tmp_path: Path) -> None:
    order = hub.order("words")
    real = read_ticket(order["ticket"])
    away = Ticket("https://127.0.0.1:9", real.code, real.fingerprint)
    other_root = Ticket(real.door, real.code, "0" * 64)
    other_code = Ticket(real.door, "0" * 16, real.fingerprint)
    renamed = Ticket(real.door.replace("127.0.0.1", "localhost"), real.code, real.fingerprint)
    assert await refusal(str(away), tmp_path / "a.toml") == "unreachable"
    assert await refusal(str(other_root), tmp_path / "a.toml") == "other_hub"
    assert await refusal(str(other_code), tmp_path / "a.toml") == "wrong_code"
    assert await refusal(str(renamed), tmp_path / "a.toml") == "not_trusted"
    assert await refusal(str(real), site(tmp_path, "another")) == "other_gateway"
    hub.api.delete(f"/enrolments/{order['id']}")
    assert await refusal(str(real), tmp_path / "a.toml") == "cancelled"
    taken = hub.order("late")
    hub.api.post("/gateways", json={"gateway": "late"})
    assert await refusal(taken["ticket"], tmp_path / "b.toml") == "gateway_taken"
    held = hub.order("held", confirm=True)
    asking = asyncio.create_task(refusal(held["ticket"], tmp_path / "c.toml"))
    await waiting(hub, held)
    hub.api.post(f"/enrolments/{held['id']}/refuse")
    assert await asking == "refused"


async def test_an_agent_that_runs_is_not_enrolled_under_its_feet(hub: SecureHub, tmp_path: Path) -> None:
    order, file = hub.order("busy"), site(tmp_path, "busy")
    clock = SystemClock()
    async with Store(store_file(tmp_path / "box"), shelf.SCHEMA + commands.SCHEMA, clock, group_s=0.0):
        assert await refusal(order["ticket"], file) == "store"
    assert hub.api.get(f"/enrolments/{order['id']}").json()["state"] == "open"


async def test_a_file_that_cannot_be_changed_safely_costs_no_ticket(hub: SecureHub, tmp_path: Path) -> None:
    order, file = hub.order("dotted"), tmp_path / "site.toml"
    file.write_text('gateway.id = "dotted"\nhub.broker = "mqtt://nowhere"\n')
    with pytest.raises(ConfigurationError, match="by hand"):
        await enrol(order["ticket"], file)
    assert hub.api.get(f"/enrolments/{order['id']}").json()["state"] == "open"


def limits() -> Limits:
    return Limits(max_bytes=1 << 20, max_age_s=3600, batch_records=10, batch_bytes=10_000)


async def test_each_enrolment_begins_an_epoch_and_what_is_under_way_keeps_its_own(
    hub: SecureHub, tmp_path: Path
) -> None:
    clock, file = SystemClock(), site(tmp_path, "epochs")
    data = tmp_path / "box"

    async def epoch() -> str:
        async with Store(store_file(data), shelf.SCHEMA + commands.SCHEMA, clock, group_s=0.0) as store:
            return str((await Outbox(store, "epochs", limits(), clock).load()).epoch)

    await enrol(hub.order("epochs")["ticket"], file)
    first = await epoch()
    await enrol(hub.order("epochs", replace=True)["ticket"], file)
    second = await epoch()
    assert second != first
    async with Store(store_file(data), shelf.SCHEMA + commands.SCHEMA, clock, group_s=0.0) as store:
        outbox = await Outbox(store, "epochs", limits(), clock).load()
        await outbox.append([Report(Reading(device="d", at=clock.now(), values={"n": 1.0}))])
        sealed = await outbox.take(Lane.LIVE)
    await enrol(hub.order("epochs", replace=True)["ticket"], file)
    assert await epoch() == second, f"batch {sealed.seq} may be at the hub already, under this epoch"


async def test_a_renewal_that_was_cut_off_anywhere_leaves_an_identity_that_works(
    hub: SecureHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, _ = await enrol(hub.order("renew1")["ticket"], site(tmp_path, "renew1"))
    own = config.load_identity(done.file)
    current = Path(own.hub.cert_file)

    async def works() -> bool:
        async with httpx.AsyncClient(verify=context(own), trust_env=False) as door:
            answer = await door.get(f"{hub.ready['door']}/gateway/v1/configs/metadata/timestamp.json")
        return answer.status_code != 401

    before = content(current)
    tries: list[str] = []

    def cut_off(*_: object) -> None:
        tries.append("cut")
        raise OSError(5, "cut off")

    with monkeypatch.context() as patch:  # before the new one is on the disk
        patch.setattr(renewing, "replace_file", cut_off)
        with pytest.raises(OSError, match="cut off"):
            await renewing.renew(own)
    assert content(current) == before
    assert await works()
    with monkeypatch.context() as patch:  # on the disk, and not tried yet
        patch.setattr(renewing, "_try", cut_off)
        with pytest.raises(OSError, match="cut off"):
            await renewing.renew(own)
    assert await works()
    with monkeypatch.context() as patch:  # the hub has taken it, and it has not taken over here
        patch.setattr(renewing, "_take_over", cut_off)
        with pytest.raises(OSError, match="cut off"):
            await renewing.renew(own)
    assert tries == ["cut"] * 3
    assert content(current) == before
    assert not await works()
    assert (await renewing.renew(own)).outcome is Outcome.RENEWED
    assert content(current) != before
    assert await works()
    assert not current.with_name(identity.NEXT).exists()
    current.with_name(identity.NEXT).write_bytes(before)  # one that the hub does not take any more
    assert (await renewing.renew(own)).outcome is Outcome.RENEWED
    hub.api.delete("/gateways/renew1")
    assert (await renewing.renew(own)).outcome is Outcome.REFUSED


def context(own: config.Config) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=own.hub.ca_file)
    made.load_cert_chain(own.hub.cert_file)
    return made


async def kept_on(box: Path, clock: SystemClock) -> None:
    """Put an event with its picture into a box's outbox, and something that its drivers keep beside it."""
    async with Store(store_file(box), shelf.SCHEMA + commands.SCHEMA, clock, group_s=0.0) as store:
        outbox = await Outbox(store, "reset1", limits(), clock).load()
        event = Event(
            device="cam",
            at=clock.now(),
            type="camera.covered",
            severity=Severity.MAJOR,
            id=clock.new_id(),
            state=EventState.INSTANT,
            images=(hashlib.sha256(PICTURE).hexdigest(),),
        )
        await outbox.append([Report(event, images=(PICTURE,))])
    for place in ("raw/cam/0000000001.raw", "devices/cam/reference.jpg", "devices/rec/footage/aa"):
        (box / place).parent.mkdir(parents=True, exist_ok=True)
        (box / place).write_bytes(PICTURE)


async def test_a_reset_leaves_no_key_and_no_picture(hub: SecureHub, tmp_path: Path) -> None:
    box = tmp_path / "box"
    await enrol(hub.order("reset1")["ticket"], site(tmp_path, "reset1"))
    file = tmp_path / "site.toml"
    await kept_on(box, SystemClock())
    wrong_name = edge("reset", "--config", file, said="reset2\n")
    assert (wrong_name.returncode, "nothing was erased" in wrong_name.stderr) == (1, True)
    unsent = edge("reset", "--config", file, said="reset1\n")
    assert unsent.returncode == 1
    assert "1 条事件和 1 张图片" in unsent.stderr
    assert "1 events and 1 pictures" in unsent.stderr
    assert (box / identity.FOLDER / identity.IDENTITY).exists()
    done = edge("reset", "--config", file, "--force-lose", said="reset1\n")
    assert done.returncode == 0, done.stderr
    assert "The hub knows" in done.stdout
    assert hub.api.get("/gateways/reset1").json()["status"] == "revoked"
    left = files_of(tmp_path)
    assert [each.name for each in left] == ["old-password"], "enrolment no longer knew this file"
    for each in left:
        assert PICTURE[:20] not in each.read_bytes()


async def test_a_reset_without_the_hub_says_so(tmp_path: Path) -> None:
    file = site(tmp_path, "lonely")
    (tmp_path / "box").mkdir()
    done = edge("reset", "--config", file, said="lonely\n")
    assert done.returncode == 0, done.stderr
    assert "revoke the gateway lonely" in done.stdout
    assert files_of(tmp_path) == []


async def test_a_running_box_is_not_reset(tmp_path: Path) -> None:
    file = site(tmp_path, "busy")
    async with Store(store_file(tmp_path / "box"), shelf.SCHEMA + commands.SCHEMA, SystemClock(), group_s=0.0):
        done = await asyncio.to_thread(edge, "reset", "--config", file, "--force-lose", said="busy\n")
    assert done.returncode == 1
    assert "Stop it first" in done.stderr
    assert file.exists()


async def test_no_secret_is_written_down_or_repeated(hub: SecureHub, tmp_path: Path) -> None:
    """A code, a ticket, a broker password and an API key: in no log, no database, no answer and no error."""
    order = hub.order("canary", confirm=True)
    password = hub.api.post("/gateways", json={"gateway": "canary-2"}).json()["password"]
    new_key = hub.api.post("/api-keys", json={"name": "canary", "scopes": ["devices:read"]}).json()["key"]
    ticket = read_ticket(order["ticket"])
    async with hub.door() as door:
        body = {"code": ticket.code, "request": "not a request"}
        said = [(await door.post("/enrol", json=body)).text]
        said.append((await door.post("/enrol", json={**body, "code": ticket.code[:-1]})).text)
        said.append((await door.post("/retire", auth=("canary-2", password[:-1]))).text)
    said += [hub.api.get(path).text for path in ("/enrolments", "/gateways", "/api-keys", "/certificates")]
    said.append(edge("enrol", str(ticket), "--config", site(tmp_path, "not-canary")).stderr)
    secrets = [ticket.code, ticket.code[:-1], order["code"], password, password[:-1], new_key]
    data = hub.folder.parent / "data"
    kept = [hub.folder.parent / "hub.log", *(each for each in files_of(data) if "broker" not in str(each))]
    for secret in secrets:
        assert [each for each in said if secret in each] == []
        assert [each for each in kept if secret.encode() in content(each)] == []
