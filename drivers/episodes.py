"""Events that begin and end, under one id, across crashes of a driver and of the agent.

An episode is on disk before its beginning is told, and until its end is safe on the box. What was not safe when the
power went is told again, under the same id.

Told again it has no picture: pictures are in memory only until the box has them, and writing each to the disk twice
would wear a memory card for the sake of the few milliseconds between (longer only while a full disk holds the camera
back). The alarm counts; a picture that did arrive is not taken away by the repetition, for the hub gathers those of all
messages of one id.
"""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from protocol import logs
from protocol.clock import Clock
from protocol.lasting import replace_file
from protocol.messages import Event, EventState, Severity

log = logs.get(__name__)


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One happening; `told` and `ended_at` say how far it has come."""

    id: UUID
    type: str
    severity: Severity
    began_at: datetime
    told: bool = False
    ended_at: datetime | None = None


class Episodes:
    """The unfinished episodes of one device, in one small file of its folder."""

    def __init__(self, path: Path, device: str, clock: Clock) -> None:
        self._path, self._device, self._clock = path, device, clock
        self._episodes: dict[UUID, Episode] = {episode.id: episode for episode in _read(path)}

    @property
    def open_types(self) -> frozenset[str]:
        """The types of what has begun and not ended."""
        return frozenset(episode.type for episode in self._episodes.values() if episode.ended_at is None)

    def untold(self) -> list[Event]:
        """Return the events that may never have been kept: beginnings, then ends."""
        begun = [self._event(episode, EventState.BEGAN) for episode in self._episodes.values() if not episode.told]
        ended = [self._event(episode, EventState.ENDED) for episode in self._episodes.values() if episode.ended_at]
        return [*begun, *ended]

    def happened(
        self,
        kind: str,
        state: EventState,
        severity: Severity,
        at: datetime,
        **said: Any,  # noqa: ANN401 - an Event's
    ) -> Event | None:
        """Return the event to tell of, or None for an end without a beginning. `said` are further fields of Event."""
        if state is EventState.INSTANT:
            passing = Episode(id=self._clock.new_id(), type=kind, severity=severity, began_at=at)
            return self._event(passing, state, at, **said)
        current = next((e for e in self._episodes.values() if e.type == kind and e.ended_at is None), None)
        if state is EventState.ENDED:
            if current is None:
                return None
            self._keep(msgspec.structs.replace(current, ended_at=at))
            return self._event(current, state, at, **said)
        if current is not None:
            return self._event(current, EventState.ONGOING, at, **said)
        fresh = Episode(id=self._clock.new_id(), type=kind, severity=severity, began_at=at)
        self._keep(fresh)
        return self._event(fresh, EventState.BEGAN, at, **said)

    def settle(self, event: Event) -> None:
        """Hear that an event is safe on the box."""
        episode = self._episodes.get(event.id)
        if episode is None:
            return
        if event.state is EventState.ENDED:
            del self._episodes[event.id]
            self._save()
        elif not episode.told:
            self._keep(msgspec.structs.replace(episode, told=True))

    def _event(self, episode: Episode, state: EventState, at: datetime | None = None, **said: Any) -> Event:  # noqa: ANN401
        when = at or (episode.ended_at if state is EventState.ENDED else episode.began_at) or episode.began_at
        return Event(
            device=self._device,
            at=when,
            type=episode.type,
            severity=episode.severity,
            id=episode.id,
            state=state,
            **said,
        )

    def _keep(self, episode: Episode) -> None:
        self._episodes[episode.id] = episode
        self._save()

    def _save(self) -> None:
        try:
            replace_file(self._path, msgspec.json.encode(tuple(self._episodes.values())))
        except OSError as error:  # a full disk must not keep an alarm from being told
            log.warning("episodes_not_saved", device=self._device, reason=str(error))


def _read(path: Path) -> tuple[Episode, ...]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Episode, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError) as error:
        log.warning("episodes_unreadable", file=str(path.name), reason=str(error))
        return ()
