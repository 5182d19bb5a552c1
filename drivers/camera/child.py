"""The process of one camera: `python -m drivers.camera.child`, spoken to over its standard input and output.

It ends by itself when its source is lost, when its recording is over, and when the agent is gone, which closes its
input.
"""

import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from drivers.camera.channel import GRACE_S, Alive, Begin, Ended, FromChild, Lost, Take, ToChild, from_agent, pack
from protocol import logs
from protocol.errors import DeviceUnreachableError

MEMORY_BYTES: Final = 768 << 20
"""More than a 4K camera and a snapshot of it need together; what a stream asks for beyond that is no picture."""
_FIRST_TO_GO: Final = "500"

log = logs.get(__name__)


class Voice:
    """The way to the agent, for several threads."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe, self._lock = pipe, threading.Lock()

    def say(self, message: FromChild) -> None:
        """Write one message, waiting while the pipe is full. Ends the process when the agent is gone."""
        with self._lock:
            try:
                self._pipe.write(pack(message))
                self._pipe.flush()
            except OSError:
                os._exit(0)


def main() -> None:
    """Run until told to stop."""
    # The agent gets Ctrl-C too, and closes the channel when it is ready for that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _stay_small()
    voice = Voice(_own_output())
    words = from_agent(sys.stdin.buffer)
    begin = next(words, None)
    if not isinstance(begin, Begin):
        return
    logs.configure(program="camera")
    orders: list[Callable[[int], None]] = []
    stop = threading.Event()
    threading.Thread(target=_obey, args=(words, orders, stop), name="orders", daemon=True).start()

    # Loading FFmpeg and OpenCV takes a second on a small box; the thread above already hears the agent go.
    from drivers.camera.watching import Watch  # noqa: PLC0415

    voice.say(Alive(pictures=0))
    watch = Watch(begin, voice.say, stop)
    orders.append(watch.take)
    try:
        watch.run()
    except DeviceUnreachableError as error:
        voice.say(Lost(reason=str(error)))
    except Exception as error:
        log.exception("camera_process_failed")
        voice.say(Lost(reason=f"its own process failed with {type(error).__name__}"))
    else:
        if not stop.is_set():
            voice.say(Ended())
    # A decoder stuck in a native call must not keep a process alive that has nothing left to do.
    sys.stderr.flush()
    os._exit(0)


def _obey(words: Iterator[ToChild], orders: list[Callable[[int], None]], stop: threading.Event) -> None:
    for word in words:
        if isinstance(word, Take):
            for order in orders:
                order(word.number)
    if not orders:
        os._exit(0)
    stop.set()
    threading.Event().wait(GRACE_S)
    os._exit(0)


def _stay_small() -> None:
    """Take no more memory than a camera may, and be the first to go when the box has none left."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")


def _own_output() -> BinaryIO:
    """Keep standard output for the agent alone: whatever a library prints goes to standard error."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return channel


if __name__ == "__main__":
    main()
