"""Who is connected to the embedded broker, and how to cut a connection: by the server's system account."""

from typing import Any, Final

import msgspec
import nats.errors
from nats.aio.client import Client

from protocol.errors import UplinkUnavailableError

ANSWER_WITHIN_S: Final = 2
_PAGE: Final = 1024


class SystemAccount:
    """Door over a NATS client that is connected to the system account of one server.

    A gateway's client id is its own name, as the callout sees to, so connections are told apart by it.
    """

    def __init__(self, client: Client, account: str) -> None:
        self._client = client
        self._account = account

    async def connected(self) -> frozenset[str]:
        found: set[str] = set()
        offset = 0
        while True:
            _, page = await self._connections({"offset": offset, "limit": _PAGE})
            found.update(each["mqtt_client"] for each in page if "mqtt_client" in each)
            if len(page) < _PAGE:
                return frozenset(found)
            offset += _PAGE

    async def expel(self, gateway: str) -> None:
        server, connections = await self._connections({"mqtt_client": gateway})
        for connection in connections:
            await self._ask(f"$SYS.REQ.SERVER.{server}.KICK", {"cid": connection["cid"]})

    async def _connections(self, wanted: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        """Return the server's id and its connections of the gateways' account."""
        answer = await self._ask("$SYS.REQ.SERVER.PING.CONNZ", {"acc": self._account, **wanted})
        data = answer["data"]
        return data["server_id"], data.get("connections") or []

    async def _ask(self, subject: str, question: dict[str, Any]) -> dict[str, Any]:
        if not self._client.is_connected:
            raise UplinkUnavailableError("the broker is away")
        try:
            answer = await self._client.request(subject, msgspec.json.encode(question), timeout=ANSWER_WITHIN_S)
        except (nats.errors.Error, OSError) as error:
            raise UplinkUnavailableError(f"{subject}: {error or type(error).__name__}") from error
        found: dict[str, Any] = msgspec.json.decode(answer.data)
        return found
