"""Files that root makes for the agent, which runs as a user of its own."""

import os
from pathlib import Path


def like(owner: os.stat_result, *paths: Path) -> None:
    """Give files to the owner of another one. Only root can, and only for root it is needed. Raises OSError."""
    if os.geteuid() != 0:
        return
    for path in paths:
        os.chown(path, owner.st_uid, owner.st_gid)
