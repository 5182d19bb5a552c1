"""A disk that is full: SQLite's own file layer with a quota over everything in a folder, the ballast included."""

from pathlib import Path
from typing import Any

import apsw


class FullDisk(apsw.VFS):
    """Register it as SQLite's default layer; `close` gives the real one back."""

    def __init__(self, folder: Path, quota: int) -> None:
        self.folder = folder
        self.quota = quota
        self.refusals = 0
        super().__init__("full-disk", "unix", makedefault=True)

    def close(self) -> None:
        self.unregister()

    def xOpen(self, name: Any, flags: list[int]) -> "_File":  # noqa: N802 - apsw's names
        return _File(self, name, flags)

    def used(self) -> int:
        """Return the bytes of all files of the folder."""
        return sum(file.stat().st_size for file in self.folder.iterdir() if file.is_file())


class _File(apsw.VFSFile):
    def __init__(self, disk: FullDisk, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        growth = offset + len(data) - self.xFileSize()
        if growth > 0 and self._disk.used() + growth > self._disk.quota:
            self._disk.refusals += 1
            raise apsw.FullError("the disk is full")
        super().xWrite(data, offset)
