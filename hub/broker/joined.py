"""Two brokers as one: the plain and the TLS listener are servers of their own, since NATS has one of MQTT each.

They share nothing. A gateway is answered where it was heard last; one that was not heard yet, at both.
"""

import asyncio
from collections.abc import Sequence

from hub.broker.contract import BrokerLink, Door, Handler
from protocol.topics import ROOT

_GATEWAY_LEVEL = ROOT.count("/") + 1


class JoinedLinks:
    """BrokerLink over several."""

    def __init__(self, links: Sequence[BrokerLink]) -> None:
        self._links = tuple(links)
        self._heard_at: dict[str, BrokerLink] = {}

    async def listen(self, handler: Handler) -> None:
        for link in self._links:
            await link.listen(self._noting(link, handler))

    async def publish(self, topic: str, payload: bytes) -> None:
        link = self._heard_at.get(_gateway(topic))
        for each in (link,) if link is not None else self._links:
            await each.publish(topic, payload)

    async def publish_all(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for topic, payload in messages:
            await self.publish(topic, payload)

    async def ping(self) -> None:
        for link in self._links:
            await link.ping()

    def _noting(self, link: BrokerLink, handler: Handler) -> Handler:
        def take(topic: str, payload: bytes) -> None:
            self._heard_at[_gateway(topic)] = link
            handler(topic, payload)

        return take


class JoinedDoors:
    """Door over several."""

    def __init__(self, doors: Sequence[Door]) -> None:
        self._doors = tuple(doors)

    async def connected(self) -> frozenset[str]:
        return frozenset().union(*await asyncio.gather(*(door.connected() for door in self._doors)))

    async def expel(self, gateway: str) -> None:
        for door in self._doors:
            await door.expel(gateway)


def _gateway(topic: str) -> str:
    return topic.split("/", _GATEWAY_LEVEL + 1)[_GATEWAY_LEVEL]
