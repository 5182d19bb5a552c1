"""Listening for the devices that are expected to speak, whatever they say.

Only the ends of what a batch holds are looked at where they follow the last word within the device's limit, and those
are written down every few seconds; anything else, a backlog or a word after a silence, at once. Hearing a batch twice
changes nothing. A crash forgets the last few seconds of a device, which its next word repairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.anomalies import repository
from hub.anomalies.finding import microseconds
from hub.anomalies.repository import Key
from hub.anomalies.settings import GATEWAY_OFFLINE, AnomaliesSettings
from hub.anomalies.silences import Said, Silences
from hub.anomalies.silent import Silent
from hub.telemetry.contract import Arrival
from protocol.clock import Clock

WRITTEN_EVERY_S: Final = 5.0
EXPECTED_READ_EVERY_S: Final = 5.0


@dataclass(slots=True)
class Words:
    """Times at which a device spoke that are not written down, and when the last was received."""

    received_at: datetime
    times_us: list[int] = field(default_factory=list)


class Hearing:
    """What one hub process heard of devices with an expected interval."""

    def __init__(self, clock: Clock, settings: AnomaliesSettings, silences: Silences) -> None:
        self._clock = clock
        self._silent = Silent(settings)
        self._silences = silences
        self._limits: dict[str, dict[str, int]] = {}
        self._read_at = float("-inf")
        self._written_at = float("-inf")
        self._until_us: dict[Key, int] = {}
        self._waiting: dict[Key, Words] = {}

    async def hear(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        """Take what these batches say about who speaks. The caller commits; if it does not, it offers them again."""
        await self._read_expected(session)
        at_once: dict[Key, Words] = {}
        for arrival in arrivals:
            limits = self._limits.get(arrival.batch.gateway)
            if limits:
                self._listen(arrival, limits, at_once)
        now = self._clock.monotonic()
        if now - self._written_at >= WRITTEN_EVERY_S:
            for key, words in self._waiting.items():
                _add(at_once, key, words.times_us, words.received_at)
            self._waiting, self._written_at = {}, now
        if at_once:
            await self._write(session, at_once)

    async def _read_expected(self, session: AsyncSession) -> None:
        now = self._clock.monotonic()
        if now - self._read_at < EXPECTED_READ_EVERY_S:
            return
        self._limits = {}
        for gateway, device, interval_s in await repository.expected(session):
            self._limits.setdefault(gateway, {})[device] = self._silent.limit_us(interval_s)
        self._read_at = now

    def _listen(self, arrival: Arrival, limits: Mapping[str, int], at_once: dict[Key, Words]) -> None:
        for device, times in _times(arrival, limits).items():
            key = (arrival.batch.gateway, device)
            first_us, last_us = microseconds(min(times)), microseconds(max(times))
            known_us = self._until_us.get(key)
            if known_us is not None and known_us <= first_us and last_us - known_us <= limits[device]:
                _add(self._waiting, key, [first_us, last_us], arrival.received_at)
            else:
                _add(at_once, key, [microseconds(at) for at in times], arrival.received_at)
            self._until_us[key] = max(known_us or last_us, last_us)

    async def _write(self, session: AsyncSession, said: Mapping[Key, Words]) -> None:
        devices = await repository.devices(session, said)
        watches = await repository.hold(session, said)
        doubted = await self._after_outages(session, said)
        for key, words in said.items():
            row = devices.get(key)
            if row is not None and row.expected_interval_s is not None:
                heard = Said(words.times_us, words.received_at)
                await self._silences.device_heard(session, row, watches[key], heard, after_outage=key[0] in doubted)
        await session.flush()

    @staticmethod
    async def _after_outages(session: AsyncSession, said: Mapping[Key, Words]) -> set[str]:
        """Return the gateways that were offline at some time that is spoken of, or after it."""
        first_us = min(min(words.times_us) for words in said.values())
        return await repository.offline_since(session, {gateway for gateway, _ in said}, GATEWAY_OFFLINE, first_us)


def _times(arrival: Arrival, limits: Mapping[str, int]) -> dict[str, list[datetime]]:
    times: dict[str, list[datetime]] = {}
    for record in arrival.batch.records:
        if record.device in limits:
            times.setdefault(record.device, []).append(record.at)
    return times


def _add(said: dict[Key, Words], key: Key, times_us: Sequence[int], received_at: datetime) -> None:
    words = said.setdefault(key, Words(received_at))
    words.times_us += times_us
    words.received_at = max(words.received_at, received_at)
