"""The box's client of the hub's HTTPS door: for enrolment, renewal, configuration and uploads.

httpx is loaded by whoever imports this, so the agent itself does so only in its child processes.
"""

from typing import Final

import httpx

from edge.config import Config, Secret
from edge.link import tls_context
from protocol.errors import ConfigurationError

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)


def hub_client(config: Config, secret: Secret) -> httpx.AsyncClient:
    """Return a client of `[hub] api`; paths are relative to it: `client.get("/gateway/v1/…")`.

    It trusts `[hub] ca_file` alone where one is given, shows the box's certificate where it has one, and else sends the
    gateway's name and password by HTTP Basic. Raises ConfigurationError when the configuration names no door, or files
    that do not serve.
    """
    hub = config.hub
    if not hub.api:
        raise ConfigurationError(
            "hub.api: the address of the hub's door is needed, for example https://hub.example:8443"
        )
    context = tls_context(hub, tls=hub.api.startswith("https:"))
    by_password = not hub.cert_file and secret.reveal()
    return httpx.AsyncClient(
        base_url=hub.api,
        verify=context if context is not None else True,
        auth=httpx.BasicAuth(config.gateway.id, secret.reveal()) if by_password else None,
        timeout=TIMEOUT,
        trust_env=False,
        headers={"User-Agent": "diwang-edge"},
    )
