"""The installer's page over HTTP: who gets in, what it takes from where, and what it says when something is wrong."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from edge.installer.access import Access
from edge.installer.agents import UNIT, AgentError, Agents
from edge.installer.hub import Certificate, Hub
from edge.installer.page.app import create_app
from edge.installer.page.serving import serve
from edge.installer.page.visit import Scan, Visit
from edge.installer.scanning import Around
from edge.standing import FILE, LineState, Standing
from protocol.clock import ManualClock, SystemClock
from protocol.messages import Receipt, State
from tests.simulators.ports import free_port

WORD = "abcd-efgh-jkmn"
HERE = "http://box.local:8088"
PLACED = {"installer": "林工", "state": "open", "subject": None, "placed_at": None}


class Box:
    """The page of a box, as a browser has it."""

    def __init__(self, app: Starlette, visit: Visit, clock: ManualClock) -> None:
        self.visit = visit
        self.clock = clock
        self.touched = 0
        self.ended = False
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=HERE, headers={"Origin": HERE}, trust_env=False
        )

    async def enter(self) -> None:
        answer = await self.client.post("/login", data={"password": WORD})
        assert answer.status_code == 303, answer.text


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    file = tmp_path / "site.toml"
    file.write_text(
        f'[gateway]\nid = "g1"\n[hub]\nbroker = "mqtt://127.0.0.1:1883"\napi = "http://127.0.0.1:{free_port()}"\n'
        'password_file = "word"\n[devices.camera-1]\ndriver = "camera"\noptions = { url = "rtsp://192.0.2.1/" }\n'
    )
    (tmp_path / "word").write_text("word")
    clock = ManualClock()
    async with asyncio.TaskGroup() as tasks:
        visit = Visit(file, SystemClock(), Agents(file), Hub(file), Around(through=(), ports=()), tasks)

        def touch() -> None:
            made.touched += 1

        def end() -> None:
            made.ended = True

        made = Box(create_app(visit, Access(WORD, clock), touch, end), visit, clock)
        async with made.client:
            yield made
        visit.cancel()


@pytest.mark.parametrize("path", ["/", "/enrol", "/devices", "/place", "/cameras", "/check", "/certificate", "/mend"])
async def test_nothing_is_shown_before_the_password(box: Box, path: str) -> None:
    answer = await box.client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert box.touched == 0


async def test_the_session_is_for_this_page_alone(box: Box) -> None:
    answer = await box.client.post("/login", data={"password": WORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    shown = await box.client.get("/devices")
    assert shown.status_code == 200
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in shown.text
    assert " style=" not in shown.text
    assert box.touched == 1


async def test_five_wrong_passwords_close_the_door_for_a_while(box: Box) -> None:
    for status in (403, 403, 403, 403, 429):
        answer = await box.client.post("/login", data={"password": "guess"})
        assert answer.status_code == status
    refused = await box.client.post("/login", data={"password": WORD})
    assert refused.status_code == 429
    assert "60 秒" in refused.text
    box.clock.advance(61)
    await box.enter()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://box.local", "http://[", ""])
async def test_another_page_changes_nothing(box: Box, origin: str) -> None:
    await box.enter()
    answer = await box.client.post("/end", headers={"Origin": origin})
    assert answer.status_code == 403
    assert not box.ended
    assert (await box.client.post("/end")).status_code == 200
    assert box.ended


async def test_the_language_is_chosen_once(box: Box) -> None:
    assert 'lang="zh-CN"' in (await box.client.get("/login")).text
    assert "Enter the password" in (await box.client.get("/login?language=en")).text
    assert "Enter the password" in (await box.client.get("/login")).text
    assert 'lang="zh-CN"' in (await box.client.get("/login?language=xx")).text


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/enrol", b"x" * 70_000, 413),
        ("/enrol", b"ticket=%ff%fe&a=b", 422),
        ("/enrol", b"\xff=1", 422),
        ("/place/installer", b"", 422),
        ("/place/search", b"words=x", 422),
        ("/place/position", b"latitude=nan&longitude=1", 303),
        ("/devices/found/7/add", b"name=x", 404),
        ("/devices/by-hand", b"kind=rocket&place=x&name=y", 422),
        ("/devices/by-hand", b"kind=printer&place=h&name=p-1&port=x", 422),
        ("/devices/by-hand", b"kind=camera&place=rtsp://u:p@h/&name=c-1", 422),
        ("/devices/nothing/remove", b"", 422),
        ("/cameras/nothing/zones", b"", 404),
        ("/cameras/camera-1/masks", b"masks=[[2,0,1,1]]", 422),
        ("/cameras/camera-1/zones", b"", 422),
    ],
)
async def test_what_makes_no_sense_is_told_and_breaks_nothing(box: Box, path: str, content: bytes, status: int) -> None:
    await box.enter()
    before = box.visit.file.read_text()
    answer = await box.client.post(path, content=content)
    assert answer.status_code == status, answer.text
    assert status == 303 or 'class="problem"' in answer.text
    assert box.visit.file.read_text() == before


async def test_a_ticket_that_is_none_is_told(box: Box) -> None:
    await box.enter()
    assert (await box.client.post("/enrol", data={"ticket": "hello"})).status_code == 303
    assert "这不是登记票" in (await box.client.get("/enrol")).text


async def test_a_hub_that_is_away_is_told_and_nothing_is_lost(box: Box) -> None:
    await box.enter()
    for path in ("/place", "/check"):
        answer = await box.client.get(path)
        assert "平台暂时连不上" in answer.text
        assert "什么也没有丢" in answer.text
    said = await box.client.post("/place/installer", data={"installer": "林工"})
    assert "平台暂时连不上" in said.text
    sent = await box.client.put("/cameras/camera-1/sign", content=b"\xff\xd8\xff")
    assert sent.status_code == 503
    assert (await box.client.put("/cameras/camera-1/sign", content=bytes(600_000))).status_code == 413


async def test_a_search_tells_which_sources_could_not_be_asked(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")
    await box.enter()
    assert (await box.client.post("/devices/search")).status_code == 303
    scan = box.visit.scan
    assert scan is not None
    assert "正在搜索" in (await box.client.get("/devices")).text
    await asyncio.wait(box.visit.under_way)
    shown = (await box.client.get("/devices")).text
    assert "没能用蓝牙搜索" in shown
    assert "没能在网络上找摄像头" in shown
    assert isinstance(box.visit.scan, Scan)
    assert not scan.running


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("printed", "printer-1 已打完"),
        ("failed", "printer-1 没有打完：打印中失去连接"),
        ("interrupted", "证书已存入档案，不会丢"),
        ("sent_unconfirmed", "看一眼纸"),
    ],
)
async def test_what_became_of_the_paper_is_told(box: Box, result: str, said: str) -> None:
    await box.enter()
    box.visit.certificate = Certificate(number="AZ-1111-2222-3333", verify="http://hub/verify/AZ", printing="job-1")
    assert "正在打印" in (await box.client.get("/certificate")).text
    now = SystemClock().now()
    standing = Standing(
        written_at=now,
        started_at=now,
        pid=1,
        line=LineState(connected=True, since=now),
        clock_offset_s=0.0,
        state=State(gateway="g1", epoch=UUID(int=1), online=True, at=now, agent="0.1.0"),
        receipts=(Receipt(device="printer-1", at=now, job="job-1", result=result, detail="打印中失去连接"),),
    )
    (box.visit.file.parent / "data").mkdir()
    (box.visit.file.parent / "data" / FILE).write_bytes(msgspec.json.encode(standing))
    shown = (await box.client.get("/certificate")).text
    assert said in shown
    assert "AZ-1111-2222-3333" in shown
    assert "再打印一份" in shown


async def test_what_is_wrong_is_said_with_what_to_do(box: Box) -> None:
    await box.enter()
    shown = (await box.client.get("/mend")).text
    assert "采集程序从未在此运行" in shown
    assert "systemctl" in shown


@asynccontextmanager
async def systemctl(folder: Path, status: int) -> AsyncIterator[tuple[str, Path]]:
    """A command that stands for systemd's: it writes down what it was asked for."""
    asked, program = folder / "asked", folder / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\necho "Unit failed" >&2\nexit {status}\n')
    program.chmod(stat.S_IRWXU)
    yield str(program), asked


async def test_the_page_ends_by_itself_when_nobody_uses_it(tmp_path: Path) -> None:
    begun = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        around = Around(through=(), ports=())
        page = serve(tmp_path / "site.toml", listener, WORD, SystemClock(), around=around, ready=begun.set, idle_s=0.05)
        async with asyncio.timeout(30):
            await page
    assert begun.is_set()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [
            sys.executable,
            "-m",
            "diwang",
            "edge",
            "install",
            "--host",
            "127.0.0.1",
            "--port",
            port,
            "--lang",
            "en",
        ]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert ran.returncode == 1
    assert f"Port {port} does not open" in ran.stderr


async def test_where_systemd_runs_the_box_the_unit_is_told(box: Box, tmp_path: Path) -> None:
    async with systemctl(tmp_path, 0) as (program, asked):
        agents = Agents(box.visit.file, program)
        await agents.stop()
        await agents.begin()
        assert await asyncio.to_thread(asked.read_text) == f"stop {UNIT}\nrestart {UNIT}\n"
    async with systemctl(tmp_path, 1) as (program, _):
        with pytest.raises(AgentError, match="Unit failed"):
            await Agents(box.visit.file, program).begin()


async def test_an_agent_of_its_own_is_begun_once_and_ended(box: Box) -> None:
    agents = Agents(box.visit.file, None)
    await agents.begin()
    async with asyncio.timeout(30):
        while agents.running is None:  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.1)
    first = agents.running
    assert first is not None
    await agents.begin()
    await agents.stop()
    assert agents.running is None
    with pytest.raises(ProcessLookupError):
        os.kill(first.pid, 0)
