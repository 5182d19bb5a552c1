"""A serial port behind the one thread that owns it.

Opening may block for seconds (a Bluetooth port connects first), so the thread opens, reads and closes; nothing else
touches the port but `cancel_read`, which is made for it.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import serial

from drivers.lines import Line
from protocol import logs
from protocol.errors import DeviceUnreachableError

log = logs.get(__name__)

_OPEN_TIMEOUT_S: Final = 15.0
_CLOSE_TIMEOUT_S: Final = 2.0
_WRITE_TIMEOUT_S: Final = 5.0
# Seconds of a busy line. When the rest of the box is slower than that the oldest bytes go: old fixes are worth least,
# and the framer counts the sentence that is cut.
_PIECES: Final = 1024


class _SerialLine:
    def __init__(self, path: str, baud: int, greeting: bytes) -> None:
        self._path = path
        self._baud = baud
        self._greeting = greeting
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._pieces: asyncio.Queue[bytes | DeviceUnreachableError] = asyncio.Queue(_PIECES)
        self._closing = threading.Event()
        self._ended = asyncio.Event()
        self._lock = threading.Lock()
        self._port: serial.Serial | None = None
        self._owner = threading.Thread(target=self._run, name=f"serial {path}", daemon=True)

    async def open(self) -> None:
        self._owner.start()
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                await self._opened
        except TimeoutError as error:
            raise DeviceUnreachableError(f"{self._path} does not open") from error

    async def read(self) -> bytes:
        piece = await self._pieces.get()
        if isinstance(piece, DeviceUnreachableError):
            raise piece
        return piece

    async def close(self) -> None:
        """Let the thread end, and wait for it: for ever would be in vain when it hangs in opening."""
        self._closing.set()
        with self._lock:
            if self._port is not None:
                self._port.cancel_read()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._ended.wait()
        except TimeoutError:
            log.warning("serial_port_hangs", port=self._path)
        else:
            self._owner.join()

    def _run(self) -> None:
        try:
            self._own()
        finally:
            with suppress(RuntimeError):  # it hung in opening for longer than the loop lived
                self._loop.call_soon_threadsafe(self._ended.set)

    def _own(self) -> None:
        try:
            port = serial.Serial(self._path, self._baud, exclusive=True, write_timeout=_WRITE_TIMEOUT_S)
        except (OSError, ValueError) as error:
            self._tell(self._refuse, DeviceUnreachableError(f"{self._path}: {error}"))
            return
        self._port = port
        try:
            self._read(port)
        finally:
            # Waking a port that is just closing would write to a descriptor that may already be somebody else's.
            with self._lock:
                self._port = None
                port.close()

    def _read(self, port: serial.Serial) -> None:
        try:
            port.write(self._greeting)
        except OSError as error:  # also when the unit takes nothing for too long
            self._tell(self._refuse, DeviceUnreachableError(f"{self._path}: {error}"))
            return
        self._tell(self._accept)
        while not self._closing.is_set():
            try:
                piece = port.read(max(1, port.in_waiting))
            except OSError as error:
                self._tell(self._offer, DeviceUnreachableError(f"{self._path}: {error}"))
                return
            if piece:
                self._tell(self._offer, piece)

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        if not self._closing.is_set():
            self._loop.call_soon_threadsafe(callback, *args)

    def _accept(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    def _refuse(self, error: DeviceUnreachableError) -> None:
        if not self._opened.done():
            self._opened.set_exception(error)

    def _offer(self, piece: bytes | DeviceUnreachableError) -> None:
        if self._pieces.full():
            self._pieces.get_nowait()
            log.warning("serial_bytes_dropped", port=self._path)
        self._pieces.put_nowait(piece)


@asynccontextmanager
async def opened(path: str, baud: int, greeting: bytes = b"") -> AsyncIterator[Line]:
    """Open the port for this process alone, and send the greeting.

    Raises DeviceUnreachableError when it is absent, busy or does not open, or takes no greeting.
    """
    line = _SerialLine(path, baud, greeting)
    try:
        await line.open()
        yield line
    finally:
        await line.close()
