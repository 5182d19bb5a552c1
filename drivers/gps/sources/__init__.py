"""Where a receiver's bytes come from: a serial port, a TCP server, a recording."""

from typing import Protocol


class Source(Protocol):
    """An open line to a receiver."""

    async def read(self) -> bytes:
        """Wait for the next bytes and return them; empty means that no more will ever come.

        Raises DeviceUnreachableError when the line broke. Cancelling loses nothing.
        """
        ...
