"""Lines to devices that talk by themselves: a serial port, a TCP server. Bytes come as they come, in any pieces."""

from typing import Protocol


class Line(Protocol):
    """An open line to a device."""

    async def read(self) -> bytes:
        """Wait for the next bytes and return them; empty means that no more will ever come.

        Raises DeviceUnreachableError when the line broke. Cancelling loses nothing.
        """
        ...
