"""A hub in its own process with its TLS listeners, and gateways that are enrolled at it as a box would be."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
import httpx

from tests.simulators.new_box import NewBox


@dataclass(frozen=True)
class Identity:
    """A gateway with its certificate and key in one file."""

    gateway: str
    file: Path
    serial: str


class SecureHub:
    """What a test knows of a running hub: the line that it prints when it is ready, and a key with every right."""

    def __init__(self, ready: dict[str, str], key: str, folder: Path) -> None:
        self.ready = ready
        self.folder = folder
        self.root_file = folder / "root.pem"
        self.api = httpx.Client(
            base_url=f"{ready['hub']}/api/v1", headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30
        )
        self.root_file.write_text(self.api.get("/authority").json()["pem"])

    def close(self) -> None:
        self.api.close()

    def order(self, gateway: str, **more: Any) -> dict[str, Any]:
        answer = self.api.post("/enrolments", json={"gateway": gateway, **more})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def enrolled(self, gateway: str, **more: Any) -> Identity:
        box = NewBox()
        body = {"code": self.order(gateway, **more)["code"], "request": box.request}
        with httpx.Client(verify=self.context(), trust_env=False) as door:
            answer = door.post(f"{self.ready['door']}/gateway/v1/enrol", json=body)
        assert answer.status_code == 200, answer.text
        return self.keep(gateway, box, answer.json()["certificate"])

    def keep(self, gateway: str, box: NewBox, certificate: str) -> Identity:
        file = self.folder / f"{gateway}-{len(list(self.folder.iterdir()))}.pem"
        file.write_text(box.private_pem + certificate)
        serial = self.api.get("/certificates", params={"gateway": gateway}).json()["items"][0]["serial"]
        return Identity(gateway, file, serial)

    def context(self, identity: Identity | Path | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.root_file)
        if identity is not None:
            context.load_cert_chain(identity.file if isinstance(identity, Identity) else identity)
        return context

    @property
    def mqtts(self) -> tuple[str, int]:
        url = urlsplit(self.ready["mqtts"])
        assert url.hostname is not None
        assert url.port is not None
        return url.hostname, url.port

    @asynccontextmanager
    async def connected(
        self, identity: Identity, *, client_id: str | None = None, will: aiomqtt.Will | None = None
    ) -> AsyncIterator[aiomqtt.Client]:
        host, port = self.mqtts
        async with aiomqtt.Client(
            host,
            port,
            identifier=client_id or identity.gateway,
            username=identity.gateway,
            tls_context=self.context(identity),
            will=will,
            timeout=5,
        ) as client:
            yield client

    def door(self, identity: Identity | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"{self.ready['door']}/gateway/v1", verify=self.context(identity), trust_env=False
        )
