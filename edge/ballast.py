"""Room set aside on a disk, to be given up when the disk is full."""

import os
from pathlib import Path


class Ballast:
    """A file of real blocks that holds `size` bytes of the disk."""

    def __init__(self, file: Path, size: int) -> None:
        self.size = size
        self._file = file

    def fill(self) -> None:
        """Take the room if it is not held and there is so much."""
        if self._file.exists():
            return
        try:
            with self._file.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.size)
        except OSError:
            self.give_up()

    def give_up(self) -> None:
        """Let others have the room."""
        self._file.unlink(missing_ok=True)
