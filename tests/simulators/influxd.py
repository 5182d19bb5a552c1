"""A real InfluxDB 1.6.7 (Debian's package, unpacked, never installed) with the write endpoint of 2.x in front.

`Influxd` runs the server on free loopback ports; `V2Front` answers /api/v2/write as 2.x does and hands the lines to the
server behind, so that our own bytes meet the real parser and the real storage. Run as a program it only fetches.
"""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final, Self

from tests.simulators.fetching import alone
from tests.simulators.ports import free_port

CACHE: Final = Path(__file__).parents[2] / ".cache" / "influxd"
FETCH: Final = f"mkdir -p {CACHE} && cd {CACHE} && apt-get download influxdb && dpkg -x influxdb_*.deb root"
TOKEN: Final = "a-token-for-tests"  # noqa: S105 - it opens nothing
PRECISIONS: Final = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}

CONFIG: Final = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  wal-fsync-delay = "0s"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  log-enabled = false
"""


def program() -> Path:
    """Return the server's program, fetched once; raise with the command to run when it cannot be fetched."""
    found = CACHE / "root" / "usr" / "bin" / "influxd"
    with alone(CACHE):
        if not found.exists():
            ran = subprocess.run(["sh", "-c", FETCH], capture_output=True, text=True, check=False)
            if ran.returncode != 0:
                raise RuntimeError(f"InfluxDB for the tests is missing; run: {FETCH}\n{ran.stderr}")
    return found


class Influxd:
    """One running server, its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "influxdb.conf"
        config.write_text(CONFIG.format(folder=folder, http=self.port, rpc=free_port()))
        self._command = [str(program()), "-config", str(config)]
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "influxd.log").open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        until = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self._folder / "influxd.log").read_text()[-2_000:])
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, as a power cut leaves a process."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop it and forget its data."""
        self._process.terminate()
        self._process.wait(30)
        shutil.rmtree(self._folder)

    def query(self, statement: str, **parameters: str) -> Any:
        """Run one statement of InfluxQL."""
        body = urllib.parse.urlencode({"q": statement, **parameters}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/query", body, timeout=30) as answer:
            return json.load(answer)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=1):
                return True
        except OSError:
            return False


class V2Front:
    """An HTTP server that speaks to clients as InfluxDB 2.x does, for writes and InfluxQL."""

    def __init__(self, server: Influxd) -> None:
        self.requests: list[str] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                front.requests.append(self.path)
                url = urllib.parse.urlsplit(self.path)
                if self.headers.get("Authorization") != f"Token {TOKEN}":
                    self._answer(401, {"code": "unauthorized", "message": "unauthorized access"})
                elif url.path == "/api/v2/write":
                    self._write(dict(urllib.parse.parse_qsl(url.query)), body)
                elif url.path == "/query":
                    status, answer = forward(f"http://127.0.0.1:{server.port}/query", body)
                    self._answer(status, json.loads(answer))
                else:
                    self._answer(404, {"code": "not found", "message": "path not found"})

            def _write(self, query: Mapping[str, str], body: bytes) -> None:
                database, _, policy = query["bucket"].partition("/")
                asked = {"db": database, "precision": PRECISIONS[query.get("precision", "ns")]}
                asked |= {"rp": policy} if policy else {}
                status, answer = forward(
                    f"http://127.0.0.1:{server.port}/write?{urllib.parse.urlencode(asked)}", body, "text/plain"
                )
                if status == 204:
                    self._answer(204, None)
                    return
                message = json.loads(answer)["error"]
                if "partial write" in message:
                    self._answer(422, {"code": "unprocessable entity", "message": message})
                else:
                    codes = {400: "invalid", 404: "not found", 413: "request too large"}
                    self._answer(status, {"code": codes.get(status, "internal error"), "message": message})

            def _answer(self, status: int, value: object) -> None:
                payload = b"" if value is None else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                """Say nothing: the tests look at `requests`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def forward(url: str, body: bytes, content_type: str = "application/x-www-form-urlencoded") -> tuple[int, bytes]:
    """Post to the server behind; return its status and answer."""
    request = urllib.request.Request(url, body, {"Content-Type": content_type})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError as error:
        return 503, json.dumps({"error": str(error)}).encode()


if __name__ == "__main__":
    program()
