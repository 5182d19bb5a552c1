"""Ports of loopback for servers that a test starts."""

import os
import random
import socket
from contextlib import closing
from typing import Final

FIRST, LAST = 20_000, 32_000
"""Below the ports that the kernel gives to outgoing connections, so that none of those can take one meanwhile."""

_chance: Final = random.Random(os.getpid())
_given: Final[set[int]] = set()


def free_port() -> int:
    """Return a TCP port of loopback on which nobody listens; never the same one again in this process."""
    while True:
        port = _chance.randrange(FIRST, LAST)
        if port in _given:
            continue
        _given.add(port)
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
