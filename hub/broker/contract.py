"""What the hub needs of a broker: to hear every gateway, and to answer one."""

from collections.abc import Callable, Sequence
from typing import Protocol

Handler = Callable[[str, bytes], None]
"""Takes the topic and the payload of one message, on the event loop. It must not block, and must not raise."""


class BrokerLink(Protocol):
    """An open link to a broker. It heals itself; what was published meanwhile is lost, and gateways send it again."""

    async def listen(self, handler: Handler) -> None:
        """Hand every message of every gateway's `up` branch to `handler`, sharing the load with other hub workers."""
        ...

    async def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message to the broker. Raises UplinkUnavailableError when the broker is away."""
        ...

    async def publish_all(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Hand several messages (topic, payload) to the broker. Raises UplinkUnavailableError; some may have gone."""
        ...

    async def ping(self) -> None:
        """Return when the broker can be used; raise UplinkUnavailableError when it is away."""
        ...


class Door(Protocol):
    """The broker's own knowledge of who is connected, where the hub may ask for it."""

    async def connected(self) -> frozenset[str]:
        """Return the gateways with a live MQTT connection. Raises UplinkUnavailableError when the broker is away."""
        ...

    async def expel(self, gateway: str) -> None:
        """Cut every live connection of a gateway. Raises UplinkUnavailableError when the broker is away."""
        ...
