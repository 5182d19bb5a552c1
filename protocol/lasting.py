"""Writing files so that a power cut leaves the old content or the new one, never none and never half of it."""

import os
from pathlib import Path


def replace_file(file: Path, content: bytes) -> None:
    """Give a file new content, readable by its owner alone; on return it is on the disk. Raises OSError."""
    fresh = file.with_name(f".{file.name}.fresh")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as writing:
        writing.write(content)
        writing.flush()
        os.fsync(writing.fileno())
    fresh.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can. Raises OSError."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
