"""Being told to stop, and stopping in time, whatever a driver does to the loop."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

ORDERS: Final = (signal.SIGTERM, signal.SIGINT)


class Deadline:
    """Acts once, so many seconds after the first `begin`, on a thread of its own."""

    def __init__(self, within_s: float, act: Callable[[], None]) -> None:
        self._timer = threading.Timer(within_s, act)
        self._timer.daemon = True
        self._beginning = threading.Lock()

    def begin(self) -> None:
        """Let the time run, from any thread; again changes nothing."""
        if self._beginning.acquire(blocking=False):
            self._timer.start()


@contextmanager
def told(act: Callable[[], None]) -> Iterator[None]:
    """Act on SIGTERM and Ctrl-C, on a thread of its own: a loop that is blocked hears of no signal."""
    ear, mouth = socket.socketpair()
    mouth.settimeout(0)
    before = {number: signal.signal(number, _pass_over) for number in ORDERS}
    woken = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    listening = threading.Thread(target=_listen, args=(ear, act), name="signals", daemon=True)
    listening.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        mouth.close()
        listening.join()
        ear.close()


def _listen(ear: socket.socket, act: Callable[[], None]) -> None:
    while numbers := ear.recv(64):
        if any(number in ORDERS for number in numbers):
            act()


def _pass_over(*_: object) -> None:
    """Have the signal written to the thread that listens, and nothing else done about it."""
