"""The demonstration: broker, hub, a box with a GPS unit and two cameras, and an inspector's end, on this machine alone.

Everything lies in one folder; a second run goes on where the first one stopped. Ctrl-C ends every program.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from diwang.demo import children, district, district_entry, hub_client, patrol, receiver, rtsp, site
from diwang.demo.hub_client import HubClient
from diwang.demo.ports import free_ports
from protocol.clock import SystemClock
from protocol.errors import DiwangError, PermanentError

STREAM_S: Final = 60.0
_PYTHON: Final = sys.executable
_BANNER: Final = """\

  地网 Diwang is running.

    command centre   {hub}        log in with the API key below
    API              {hub}/api/v1/openapi.json
    broker           {broker}   (MQTT 3.1.1; how to join: docs/protocol.md)
    logs             {logs}

  Within a minute the inspector below hears of a covered lens, then of a frozen picture, and of the officer who left the
  grid. Open an alert, look at its picture, confirm it, send somebody. Ctrl-C stops everything; the next run goes on.
"""


async def run(data: Path) -> int:
    """Run until Ctrl-C or SIGTERM; return the exit status. Raises PermanentError when a program cannot start."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        running = asyncio.create_task(_run(data.absolute(), stack), name="demo")
        stopped = asyncio.create_task(stop.wait(), name="stop")
        done, _ = await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (running, stopped):
            task.cancel()
        await asyncio.gather(running, stopped, return_exceptions=True)
        if running in done and (failed := running.exception()):
            if (reason := _on_purpose(failed)) is None:
                raise failed
            print(f"\nthe demonstration cannot go on: {reason}", flush=True)
            return 1
        print("\nstopping …", flush=True)
    return 0


def _on_purpose(failed: BaseException) -> DiwangError | None:
    """Return the error that was raised on purpose, also from within a group of tasks; None for a bug."""
    if isinstance(failed, BaseExceptionGroup):
        only_ours = failed.split(DiwangError)[1] is None
        return _on_purpose(failed.exceptions[0]) if only_ours else None
    return failed if isinstance(failed, DiwangError) else None


async def _run(data: Path, stack: AsyncExitStack) -> None:
    logs = data / "logs"
    logs.mkdir(exist_ok=True)
    http_port, mqtt_port, rtsp_port, webhook_port = free_ports(4)
    entered = district_entry.Entered(data)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    scenes = [_PYTHON, "-m", "diwang.demo.rtsp", str(data / "scenes"), str(rtsp_port)]
    filming = await stack.enter_async_context(children.running(scenes, logs / "scenes.log", environment))
    hub_command = [_PYTHON, "-m", "diwang", "hub", "run", "--data", str(data / "hub"), "--port", str(http_port)]
    hub_command += ["--mqtt-port", str(mqtt_port), "--config", str(_hub_settings(data))]
    hub_program = await stack.enter_async_context(children.running(hub_command, logs / "hub.log", environment))
    url, broker = f"http://127.0.0.1:{http_port}", f"mqtt://127.0.0.1:{mqtt_port}"
    watched = {"hub": (hub_program, logs / "hub.log"), "scenes": (filming, logs / "scenes.log")}
    async with asyncio.TaskGroup() as group:
        for name, (program, log) in watched.items():
            group.create_task(children.watch(name, program, log), name=name)
        await hub_client.ready(url)
        key = await _api_key(data, url)
        hub = await stack.enter_async_context(HubClient(url, key))
        await district_entry.enter_district(hub, entered)
        await district_entry.enter_gateway(hub, entered)
        await district_entry.enter_channel(hub, entered, f"http://127.0.0.1:{webhook_port}/")
        secret = receiver.key_of(entered.webhook_secret.read_text(encoding="utf-8"))
        stack.enter_context(receiver.listening(webhook_port, lambda: secret, _show))
        nmea_port = await stack.enter_async_context(patrol.serve(district.PATROL, SystemClock()))
        await _streaming(rtsp_port)
        site.write_site(
            data / "site.toml",
            broker=broker,
            password_file=entered.broker_password,
            nmea_port=nmea_port,
            streams=rtsp.stream_urls(rtsp_port),
        )
        edge = [_PYTHON, "-m", "diwang", "edge", "run", "--config", str(data / "site.toml")]
        box = await stack.enter_async_context(children.running(edge, logs / "edge.log", environment))
        group.create_task(children.watch("edge", box, logs / "edge.log"), name="edge")
        await district_entry.link_devices(hub)
        print(_BANNER.format(hub=url, broker=broker, logs=logs), flush=True)
        print("DIWANG_READY " + json.dumps({"hub": url, "broker": broker, "api_key": key}) + "\n", flush=True)


def _hub_settings(data: Path) -> Path:
    """The only thing that is not a default: the inspector's end is on this machine."""
    file = data / "hub.toml"
    file.write_text(
        '[notifications]\nconsole = false\nallow = ["127.0.0.1"]\n[tls]\nport = 0\nmqtts_port = 0\n', encoding="utf-8"
    )
    return file


async def _api_key(data: Path, url: str) -> str:
    """Return the demonstration's key: at the first run it sets the hub up, as its operator would by hand."""
    file = data / "api-key"
    if not file.exists():
        command = [_PYTHON, "-m", "diwang", "hub", "setup-token", "--data", str(data / "hub")]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, errors = await process.communicate()
        if process.returncode != 0:
            raise PermanentError(f"the hub cannot be set up: {errors.decode(errors='replace').strip()}")
        district_entry.keep_secret(file, await hub_client.set_up(url, output.decode().strip(), "demo"))
    return file.read_text(encoding="utf-8")


async def _streaming(port: int) -> None:
    """Return once the cameras can be reached; filming them takes some seconds at the very first run."""
    async with asyncio.timeout(STREAM_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


def _show(event: dict[str, Any]) -> None:
    text = event["data"]["text"]
    print(f"  inspector  {text['zh-CN']}\n             {text['en']}", flush=True)
