"""A strict tus 1.0 server in a process of its own, to be killed: `python -m tests.simulators.tus_server --folder DIR`.

It prints its port. An offset is the size of a file; bytes are hashed before they are appended and flushed before they
are acknowledged; a request that breaks the protocol is answered with 400 and written into `complaints`. As the hub
does, it answers `Upload-Footage` once the whole has been read back and hashes to what was declared, and 460 otherwise.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tests.simulators.edge_process import ROOT

HEADERS = {"Tus-Resumable": "1.0.0"}
LARGEST_CHUNK = 4 << 20


class RefusedError(Exception):
    """A chunk that is not taken."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Server:
    """The uploads of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def create(self, request: Request) -> Response:
        if request.headers.get("tus-resumable") != "1.0.0":
            return self._complain("creation without version")
        said = dict(pair.split(" ") for pair in request.headers["upload-metadata"].split(","))
        facts = {name: base64.b64decode(value, validate=True).decode() for name, value in said.items()}
        facts["length"] = request.headers["upload-length"]
        if len(facts["sha256"]) != 64 or len(facts["sm3"]) != 64:
            return self._complain(f"metadata {facts}")
        if (self._folder / "refuses").exists():
            return Response("too large for today", 413, HEADERS)
        if (self._folder / f"kept-{facts['sha256']}").exists():
            return Response(None, 201, {**HEADERS, "Location": "/gateway/v1/uploads/kept", **_kept(facts)})
        number = uuid4().hex
        (self._folder / f"{number}.json").write_text(json.dumps(facts))
        (self._folder / f"{number}.part").touch()
        return Response(None, 201, {**HEADERS, "Location": f"/gateway/v1/uploads/{number}", "Upload-Offset": "0"})

    async def ask(self, request: Request) -> Response:
        number = request.path_params["number"]
        facts = self._facts(number)
        if facts is None:
            return Response(None, 404, HEADERS)
        size = self._size(number, facts)
        kept = size == int(facts["length"]) and self._complete(number, facts)
        if size == int(facts["length"]) and not kept:
            return Response(None, 410, HEADERS)
        return Response(None, 200, {**HEADERS, "Upload-Offset": str(size), **(_kept(facts) if kept else {})})

    async def proceed(self, request: Request) -> Response:
        number = request.path_params["number"]
        facts = self._facts(number)
        if facts is None:
            return Response(None, 404, HEADERS)
        offset = int(request.headers["upload-offset"])
        try:
            body = await self._body(request)
        except RefusedError as error:
            return Response(None, error.status, HEADERS)
        size = self._size(number, facts)
        if offset != size:
            return Response(None, 409, HEADERS)
        with (self._folder / f"{number}.part").open("ab") as part:
            part.write(body)
            part.flush()
            os.fsync(part.fileno())
        told = {**HEADERS, "Upload-Offset": str(size + len(body))}
        if size + len(body) == int(facts["length"]):
            if not self._complete(number, facts):
                return Response(None, 460, HEADERS)
            told |= _kept(facts)
        return Response(None, 204, told)

    async def _body(self, request: Request) -> bytes:
        announced = int(request.headers["content-length"])
        if request.headers.get("content-type") != "application/offset+octet-stream" or announced > LARGEST_CHUNK:
            self._complain(f"a chunk of {announced}")
            raise RefusedError(400)
        try:
            body = await request.body()
        except ClientDisconnect as error:
            raise RefusedError(400) from error
        algorithm, digest = request.headers["upload-checksum"].split(" ")
        if hashlib.new(algorithm, body).digest() != base64.b64decode(digest):
            raise RefusedError(460)
        return body

    def _facts(self, number: str) -> dict[str, str] | None:
        file = self._folder / f"{number}.json"
        if not file.exists():
            return None
        facts: dict[str, str] = json.loads(file.read_text())
        return facts

    def _size(self, number: str, facts: dict[str, str]) -> int:
        part = self._folder / f"{number}.part"
        return part.stat().st_size if part.exists() else int(facts["length"])

    def _complete(self, number: str, facts: dict[str, str]) -> bool:
        part, kept = self._folder / f"{number}.part", self._folder / f"kept-{facts['sha256']}"
        if part.exists():
            if hashlib.sha256(part.read_bytes()).hexdigest() != facts["sha256"]:
                (self._folder / f"{number}.json").unlink()
                part.unlink()
                return False
            part.rename(kept)
        return kept.exists()

    def _complain(self, what: str) -> Response:
        with (self._folder / "complaints").open("a") as file:
            file.write(f"{what}\n")
        return Response(what, 400, HEADERS)


def _kept(facts: dict[str, str]) -> dict[str, str]:
    return {"Upload-Footage": facts["sha256"], "Upload-Offset": facts["length"]}


@dataclass
class TusServer:
    """The server's process, on one port through all its lives."""

    folder: Path
    port: int = 0
    lives: int = 0
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    async def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.simulators.tus_server", "--folder", str(self.folder)]
        self.process = await asyncio.create_subprocess_exec(
            *command, "--port", str(self.port), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            self.port = int(await self.process.stdout.readline())
        self.lives += 1

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.communicate()

    @property
    def kept(self) -> dict[str, bytes]:
        """What it has of whole files, by the hash that was declared."""
        return {path.name.removeprefix("kept-"): path.read_bytes() for path in self.folder.glob("kept-*")}

    @property
    def complaints(self) -> str:
        """What was against the protocol."""
        file = self.folder / "complaints"
        return file.read_text() if file.exists() else ""


@asynccontextmanager
async def tus_server(folder: Path) -> AsyncIterator[TusServer]:
    """Run the server; on leaving it is gone."""
    server = TusServer(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


class _Announcing(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    server = Server(options.folder)
    place = "/gateway/v1/uploads"
    routes = [
        Route(place, server.create, methods=["POST"]),
        Route(place + "/{number}", server.ask, methods=["HEAD"]),
        Route(place + "/{number}", server.proceed, methods=["PATCH"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), "127.0.0.1", options.port, log_level="error", access_log=False)
    _Announcing(config).run()


if __name__ == "__main__":
    main()
