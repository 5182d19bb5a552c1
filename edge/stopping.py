"""Being told to stop or to begin anew, and stopping in time, whatever a driver does to the loop."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

STOP: Final = (signal.SIGTERM, signal.SIGINT)
BEGIN_ANEW: Final = signal.SIGHUP

Act = Callable[[], None]


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


def hold_back() -> None:
    """Let the order to begin anew wait until it can be acted on, in this thread and all that it begins."""
    # Linux keeps a signal that is blocked even where it is ignored (kernel/signal.c, sig_ignored).
    signal.pthread_sigmask(signal.SIG_BLOCK, {BEGIN_ANEW})


@contextmanager
def told(acts: Mapping[int, Act]) -> Iterator[None]:
    """Act on these signals, on a thread of its own: a loop that is blocked hears of no signal.

    What `hold_back` held back is acted on now. After this is left the order to begin anew is ignored, also by a program
    that takes the process over, until it holds it back: by then it will not have read its configuration.
    """
    ear, mouth = socket.socketpair()
    mouth.settimeout(0)
    before = {number: signal.signal(number, _pass_over) for number in acts}
    woken = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    listening = threading.Thread(target=_listen, args=(ear, acts), name="signals", daemon=True)
    listening.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {BEGIN_ANEW})
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if number == BEGIN_ANEW else handler)
        mouth.close()
        listening.join()
        ear.close()


def _listen(ear: socket.socket, acts: Mapping[int, Act]) -> None:
    while numbers := ear.recv(64):
        for number in numbers:
            if number in acts:
                acts[number]()


def _pass_over(*_: object) -> None:
    """Have the signal written to the thread that listens, and nothing else done about it."""
