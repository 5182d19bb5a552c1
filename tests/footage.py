"""Footage for tests: clips with both hashes, and a plain tus client that says exactly what it is told to say."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx

VERSION = {"Tus-Resumable": "1.0.0"}
OCTETS = {"Content-Type": "application/offset+octet-stream"}


@dataclass(frozen=True)
class Clip:
    """Bytes that look like an MP4."""

    payload: bytes

    @classmethod
    def of(cls, size: int, seed: int = 1) -> "Clip":
        block = hashlib.sha512(bytes([seed])).digest()
        return cls((b"\x00\x00\x00\x18ftypmp42" + block * (size // len(block) + 1))[:size])

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()

    @property
    def sm3(self) -> str:
        return hashlib.new("sm3", self.payload).hexdigest()


def encoded(metadata: Mapping[str, str]) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items())


def checksum(algorithm: str, payload: bytes) -> dict[str, str]:
    digest = hashlib.new(algorithm, payload).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


class Tus:
    """A client of one of the two places where uploads are taken."""

    def __init__(self, http: httpx.AsyncClient, root: str = "/api/v1") -> None:
        self.http = http
        self.root = root

    async def create(self, clip: Clip, **metadata: str) -> httpx.Response:
        declared = {"sha256": clip.sha256, "sm3": clip.sm3} | metadata
        headers = {"Upload-Length": str(len(clip.payload))}
        return await self.http.post(
            f"{self.root}/uploads", headers=VERSION | headers | {"Upload-Metadata": encoded(declared)}
        )

    async def begun(self, clip: Clip, **metadata: str) -> str:
        """Return the address of a new upload."""
        answer = await self.create(clip, **metadata)
        assert answer.status_code == 201, answer.text
        return urljoin(self.root, answer.headers["Location"])

    async def offset(self, url: str) -> int:
        answer = await self.http.head(url, headers=VERSION)
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["Upload-Offset"])

    async def patch(
        self, url: str, offset: int, payload: bytes | AsyncIterator[bytes], **headers: str
    ) -> httpx.Response:
        sent = VERSION | OCTETS | {"Upload-Offset": str(offset)} | headers
        return await self.http.patch(url, content=payload, headers=sent)

    async def kept(self, clip: Clip, **metadata: str) -> dict[str, Any]:
        """Upload a whole clip; return the headers of the last answer."""
        url = await self.begun(clip, **metadata)
        answer = await self.patch(url, 0, clip.payload)
        assert answer.status_code == 204, answer.text
        assert answer.headers["Upload-Footage"] == clip.sha256
        return dict(answer.headers)
