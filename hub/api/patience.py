"""How long a request may take to arrive: whoever opens connections and says little must not hold them for ever."""

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_WITHIN_S: Final = 10.0
BODY_WITHIN_S: Final = 120.0


class PatientProtocol(H11Protocol):
    """Uvicorn's HTTP/1.1 that closes a connection whose request is not there in time. Answers may take as they like."""

    head_within_s = HEAD_WITHIN_S
    body_within_s = BODY_WITHIN_S

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as uvicorn calls it
        super().__init__(*args, **options)
        self._awaited: object = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        """Begin to wait for what has to come next, unless that is what is waited for."""
        awaited = self.conn.their_state
        if awaited is self._awaited:
            return
        self._stop_waiting()
        if awaited in {h11.IDLE, h11.SEND_BODY}:
            within_s = self.head_within_s if awaited is h11.IDLE else self.body_within_s
            self._awaited = awaited
            self._patience = self.loop.call_later(within_s, self.transport.close)

    def _stop_waiting(self) -> None:
        self._awaited = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
