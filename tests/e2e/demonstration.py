"""The whole demonstration, run once for all tests here as its user would run it: `diwang demo`, read by its output."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

READY_S = 60.0


@dataclass
class Demo:
    """A running demonstration: what it printed, and where it is."""

    process: subprocess.Popen[str]
    data: Path
    started: float
    lines: list[str] = field(default_factory=list)
    _times: dict[str, float] = field(default_factory=dict)
    _new: "queue.Queue[str | None]" = field(default_factory=queue.Queue)
    _ready: dict[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls, data: Path) -> "Demo":
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
        process = subprocess.Popen(
            [sys.executable, "-m", "diwang", "demo", "--data", str(data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        )
        demo = cls(process, data, time.monotonic())
        threading.Thread(target=demo._read, daemon=True).start()
        ready = demo.line(r"^DIWANG_READY (\{.*\})$", READY_S)
        demo._ready = json.loads(ready.group(1))
        return demo

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._times.setdefault(line.rstrip("\n"), time.monotonic())
            self._new.put(line.rstrip("\n"))
        self.process.stdout.close()
        self._new.put(None)

    def line(self, pattern: str, timeout_s: float) -> re.Match[str]:
        """Return the match of the first line, printed already or within the time, that fits."""
        for line in self.lines:
            if found := re.search(pattern, line):
                return found
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                new = self._new.get(timeout=left)
            except queue.Empty:
                break
            if new is None:
                break
            self.lines.append(new)
            if found := re.search(pattern, new):
                return found
        raise AssertionError(f"no line like {pattern!r} in:\n" + "\n".join(self.lines))

    def printed_at(self, line: str) -> float:
        """Return when a line was printed, by the monotonic clock."""
        return self._times[line]

    @property
    def hub(self) -> str:
        return self._ready["hub"]

    @property
    def broker(self) -> str:
        return self._ready["broker"]

    @property
    def api_key(self) -> str:
        return self._ready["api_key"]

    def get(self, path: str, **query: str) -> Any:
        answer = httpx.get(
            f"{self.hub}/api/v1{path}", params=query, headers={"Authorization": f"Bearer {self.api_key}"}, timeout=20
        )
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return httpx.post(
            f"{self.hub}/api/v1{path}", json=body, headers={"Authorization": f"Bearer {self.api_key}"}, timeout=20
        )

    def programs(self) -> list[psutil.Process]:
        """Every process that this demonstration started, at this moment."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self) -> list[psutil.Process]:
        """Press Ctrl-C; return what still runs when the demonstration has ended."""
        programs = self.programs()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        return psutil.wait_procs(programs, timeout=5)[1]
