"""What a hub that was killed may leave behind: a broker that still holds its ports and its folder."""

import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from protocol import logs

log = logs.get(__name__)

GONE_WITHIN_S: Final = 3.0


def end_predecessor(pid_file: Path, settings_file: Path) -> None:
    """End the server of a former hub on the same folder, if it still runs. Any other process is left alone.

    Where there is no /proc nothing is done: the new server then says that its port is taken.
    """
    with suppress(OSError, ValueError):
        pid = int(pid_file.read_text(encoding="utf-8"))
        handle = os.pidfd_open(pid)
        try:
            if os.fsencode(settings_file) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                log.warning("broker_of_former_hub_ended", pid=pid)
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                select.select([handle], [], [], GONE_WITHIN_S)
        finally:
            os.close(handle)
    pid_file.unlink(missing_ok=True)
