"""`diwang edge doctor` before real brokers, certificates and a real agent, and the bundle that holds no secret."""

import asyncio
import json
import os
import re
import string
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import trustme

from edge import standing as standings
from edge.doctor.examination import examine
from edge.doctor.findings import LANGUAGES, Finding, Verdict, catalogue, in_words, wrong
from edge.doctor.looking import agent, clock_of, devices, line, outbox
from edge.standing import LineState, Standing
from protocol.clock import SystemClock
from protocol.messages import DeviceState, DeviceStatus, OutboxStatus, State
from tests.simulators.edge_process import EdgeProcess, site
from tests.simulators.hub_standin import HubStandIn, connected
from tests.simulators.nats_server import nats_server
from tests.simulators.ports import free_port

ROOT = Path(__file__).parents[2]
CLOCK = SystemClock()
USERS = 'authorization { users: [ { user: g1, password: "secret-of-g1" }, { user: hub, password: hub } ] }'


async def found(config: Path) -> dict[str, Finding]:
    return {each.code: each async for each in examine(config, CLOCK)}


def rewritten(config: Path, *changes: tuple[str, str]) -> Path:
    text = config.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    return config


def command(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "diwang", "edge", *arguments, "--config", str(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LANG": "zh_CN.UTF-8", "LC_ALL": ""},
    )


async def test_a_healthy_box_is_called_healthy_and_its_agent_is_not_disturbed(tmp_path: Path) -> None:
    async with nats_server(tmp_path / "nats") as broker, connected(HubStandIn(), broker.mqtt_port) as hub:
        config = site(tmp_path, broker.mqtt_port, devices={"a": "rate = 5"})
        edge = await EdgeProcess(config).start()
        await hub.until(lambda: bool(hub.states) and hub.states[-1].devices[0].status is DeviceState.OK)
        async with asyncio.timeout(20):
            while not (await found(config)).keys() >= {"uplink_fine", "device_fine", "outbox_fine"}:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.2)
        ran = await asyncio.to_thread(command, config, "doctor")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "一切正常" in ran.stdout
        told = await asyncio.to_thread(command, config, "doctor", "--json")
        assert {json.loads(each)["verdict"] for each in told.stdout.splitlines()} == {"fine"}
        assert [state.online for state in hub.states if not state.online] == []
        await edge.kill()
        assert (await found(config))["agent_not_running"].verdict is Verdict.WRONG


async def test_a_box_whose_agent_does_not_run_is_tried_at_the_broker(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret-of-g1\n")
    (tmp_path / "password").chmod(0o600)
    async with nats_server(tmp_path / "nats", authorization=USERS) as broker:
        config = rewritten(site(tmp_path, broker.mqtt_port), ("[hub]\n", '[hub]\npassword_file = "password"\n'))
        good = await found(config)
        assert good.keys() >= {"login_fine", "agent_never_ran"}
        assert "secret_readable" not in good
        (tmp_path / "password").write_text("an old one")
        (tmp_path / "password").chmod(0o644)
        assert (await found(config)).keys() >= {"login_refused", "secret_readable"}
    ran = await asyncio.to_thread(command, config, "doctor", "--lang", "en")
    assert ran.returncode == 1
    assert "refuses connections to port" in ran.stdout
    assert "an old one" not in ran.stdout + ran.stderr


async def test_each_mistake_of_the_way_to_the_hub_has_a_name_of_its_own(tmp_path: Path) -> None:
    authority, foreign = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    foreign.cert_pem.write_to_path(tmp_path / "foreign.pem")
    now = datetime.now(UTC)
    shown = {
        "good": authority.issue_cert("localhost"),
        "over": authority.issue_cert("localhost", not_after=now - timedelta(days=1)),
        "early": authority.issue_cert(
            "localhost", not_before=now + timedelta(days=1), not_after=now + timedelta(days=9)
        ),
        "other": authority.issue_cert("elsewhere.example"),
    }
    expected = {"good": "login_fine", "over": "tls_over", "early": "tls_not_yet_valid", "other": "tls_other_name"}
    for name, certificate in shown.items():
        folder = tmp_path / name
        folder.mkdir()
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        tls = f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.pem" }}'
        async with nats_server(folder / "nats", tls=tls) as broker:
            config = rewritten(
                site(tmp_path, broker.mqtt_port),
                ("mqtt://127.0.0.1", "mqtts://localhost"),
                ("[hub]\n", '[hub]\nca_file = "ca.pem"\n'),
            )
            assert expected[name] in await found(config), name
            if name == "good":
                assert "tls_stranger" in await found(rewritten(config, ("ca.pem", "foreign.pem")))
    async with nats_server(tmp_path / "plain") as broker:
        config = rewritten(site(tmp_path, broker.mqtt_port), ("mqtt://127.0.0.1", "mqtts://localhost"))
        assert (await found(config)).keys() & {"tls_fails", "no_answer"}
    nobody = site(tmp_path, free_port())
    assert "port_closed" in await found(nobody)
    assert "name_unknown" in await found(rewritten(nobody, ("127.0.0.1", "hub.invalid")))


async def test_certificates_are_read_as_a_person_would_ask(tmp_path: Path) -> None:
    authority, now = trustme.CA(), datetime.now(UTC)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    cases = {
        "certificate_fine": ("g1", now - timedelta(days=1), now + timedelta(days=89)),
        "certificate_ends_soon": ("g1", now - timedelta(days=80), now + timedelta(days=10)),
        "certificate_over": ("g1", now - timedelta(days=90), now - timedelta(days=1)),
        "certificate_not_yet": ("g1", now + timedelta(days=1), now + timedelta(days=90)),
        "certificate_of_another": ("g2", now - timedelta(days=1), now + timedelta(days=89)),
    }
    for code, (name, begins, ends) in cases.items():
        own = authority.issue_cert(common_name=name, not_before=begins, not_after=ends)
        own.private_key_pem.write_to_path(tmp_path / "own.key")
        own.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")
        config = rewritten(
            site(tmp_path, free_port()),
            ("mqtt://127.0.0.1", "mqtts://localhost"),
            ("[hub]\n", '[hub]\nca_file = "ca.pem"\ncert_file = "own.pem"\nkey_file = "own.key"\n'),
        )
        assert code in await found(config), code


async def test_a_wrong_configuration_is_all_that_is_said(tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text('[gateway]\nid = "NOT a level"\n[hub]\nbroker = "http://x"\n')
    findings = [each async for each in examine(config, CLOCK)]
    assert {each.code for each in findings} == {"configuration_wrong"}
    assert len(findings) > 1


def standing(**changes: object) -> Standing:
    now = CLOCK.now()
    state = State(gateway="g1", epoch=CLOCK.new_id(), online=True, at=now, agent="1.0")
    good = Standing(
        written_at=now,
        started_at=now - timedelta(hours=1),
        pid=os.getpid(),
        line=LineState(connected=True, since=now),
        clock_offset_s=0.01,
        state=state,
    )
    return msgspec.structs.replace(good, **changes)


def test_what_the_agent_wrote_last_is_judged() -> None:
    now = CLOCK.now()
    assert agent(None, CLOCK, lives=False).code == "agent_never_ran"
    assert agent(standing(written_at=now - timedelta(hours=1)), CLOCK, lives=True).code == "agent_hangs"
    assert clock_of(standing(clock_offset_s=86_400.0), CLOCK).facts["seconds"] == "+86400"
    down = LineState(connected=False, since=now, reason="no answer from the broker within 5 s")
    assert line(standing(line=down)).facts["reason"] == down.reason
    waiting = OutboxStatus(records=7, oldest_at=now - timedelta(days=1), dropped=2, quarantined=1)
    state = msgspec.structs.replace(
        standing().state,
        outbox=waiting,
        devices=(
            DeviceStatus(device="p", driver="printer", status=DeviceState.DEGRADED, since=now, detail="paper out"),
            DeviceStatus(device="c", driver="camera", status=DeviceState.LOST, since=now, detail="no route"),
        ),
    )
    assert [each.code for each in outbox(standing(state=state), CLOCK)] == [
        "outbox_waits",
        "outbox_dropped",
        "outbox_quarantined",
    ]
    paper, lens = devices(standing(state=state))
    assert (paper.verdict, lens.verdict) == (Verdict.WATCH, Verdict.WRONG)
    assert "paper" in in_words(paper, "en").remedy
    assert "lens" in in_words(lens, "en").remedy
    assert "检查电源" in in_words(wrong("device_unwell", **{**paper.facts, "driver": "site.own:SPEC"}), "zh-CN").remedy


def test_what_lies_there_for_the_standing_may_be_anything(tmp_path: Path) -> None:
    assert standings.read(tmp_path) is None
    for garbage in (b"", b"\xff\xfe", b"{}", b'{"pid": 1'):
        (tmp_path / standings.FILE).write_bytes(garbage)
        assert standings.read(tmp_path) is None
    assert not standings.is_running(standing(pid=os.getpid()))  # a process, but no agent


def test_every_code_has_words_with_the_same_facts_in_both_languages() -> None:
    sources = "".join(file.read_text() for file in (ROOT / "edge" / "doctor").glob("*.py"))
    codes = set(re.findall(r'(?:fine|watch|wrong|room|unwell)\(\s*(?:_TLS_CODES\.get\([^,]+, )?"(\w+)"', sources))
    codes |= set(re.findall(r'"((?:tls|disk)_\w+)"', sources))
    chinese, english = (catalogue(language)["findings"] for language in LANGUAGES)
    assert codes == set(chinese) == set(english)
    for code in codes:
        for part in ("what", "remedy"):
            zh, en = (
                {name for _, name, _, _ in string.Formatter().parse(words[code].get(part, "")) if name}
                for words in (chinese, english)
            )
            assert zh == en, code
    assert set(catalogue("zh-CN")["families"]) == set(catalogue("en")["families"])


def test_the_support_bundle_holds_no_secret(tmp_path: Path) -> None:
    secrets = {
        "broker": "canary-broker",
        "camera": "canary-camera",
        "query": "canary-query",
        "bind": "canarybindkey0123",
    }
    (tmp_path / "password").write_text(secrets["broker"])
    config = tmp_path / "site.toml"
    config.write_text(
        f"""
[gateway]
id = "g1"
[hub]
broker = "mqtt://127.0.0.1:9"
password_file = "password"
[devices.cam]
driver = "camera"
options = {{ url = "rtsp://admin:{secrets["camera"]}@127.0.0.1/s?token={secrets["query"]}" }}
[devices.own]
driver = "tests.simulators.load_driver:SPEC"
options = {{ bindkey = "{secrets["bind"]}" }}
"""
    )
    data = tmp_path / "data"
    data.mkdir()
    state = msgspec.structs.replace(
        standing().state,
        devices=(
            DeviceStatus(
                device="cam",
                driver="camera",
                status=DeviceState.LOST,
                since=CLOCK.now(),
                detail=f"rtsp://admin:{secrets['camera']}@127.0.0.1 does not answer {secrets['query']}",
            ),
        ),
    )
    (data / standings.FILE).write_bytes(msgspec.json.encode(standing(state=state)))
    out = tmp_path / "bundle.zip"
    ran = command(config, "support", "--out", str(out))
    assert ran.returncode == 0, ran.stderr
    assert out.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(out) as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert set(texts) == {
        "configuration.json",
        "standing.json",
        "findings.json",
        "findings.zh-CN.txt",
        "findings.en.txt",
        "system.txt",
        "log.txt",
    }
    assert "does not answer" in texts["standing.json"]
    assert json.loads(texts["configuration.json"])["hub"]["password_file"] == (tmp_path / "password").name
    for name, text in {**texts, "terminal": ran.stdout + ran.stderr}.items():
        assert not [each for each in secrets.values() if each in text], name


def test_a_bundle_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    config = site(tmp_path, free_port())
    ran = command(config, "support", "--out", str(tmp_path / "nowhere" / "bundle.zip"))
    assert ran.returncode == 1
    assert "No such file" in ran.stderr


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, language: str) -> None:
    config = site(tmp_path, free_port())
    (tmp_path / "data").write_text("a file where the folder should be")
    finding = (await found(config))["data_not_writable"]
    assert str(tmp_path / "data") in in_words(finding, language).what  # type: ignore[arg-type]  # one of LANGUAGES
