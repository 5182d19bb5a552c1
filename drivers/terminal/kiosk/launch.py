"""Run as a program: put two pipes where Chromium looks for them, and become the browser.

    python launch.py READ WRITE browser argument…

`--remote-debugging-pipe` reads commands from descriptor 3 and writes answers to 4. The browser ends with the agent.
"""

import ctypes
import fcntl
import os
import signal
import sys

_COMMANDS = 3
_ANSWERS = 4
_FREE = 10
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Replace this process by the browser. Raises OSError when there is none."""
    commands, answers = (fcntl.fcntl(int(each), fcntl.F_DUPFD, _FREE) for each in arguments[:2])
    os.dup2(commands, _COMMANDS)
    os.dup2(answers, _ANSWERS)
    os.closerange(_ANSWERS + 1, 256)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execvp(arguments[2], arguments[2:])  # noqa: S606 - the site's own configuration names the browser


if __name__ == "__main__":
    main(sys.argv[1:])
