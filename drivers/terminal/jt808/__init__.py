"""Terminals after JT/T 808-2013 and -2019: vehicles and handhelds that call the box over TCP.

The way of a byte: `framing` cuts messages from a stream, `assembly` joins sub-packages, `messages` and `location` read
them, a `session` holds the dialogue of one connection, `terminal` tells the agent. `listener` is the port that they
share.
"""

from drivers.contract import DriverSpec
from drivers.terminal.jt808.options import Jt808Options
from drivers.terminal.jt808.terminal import open_terminal

SPEC = DriverSpec(
    name="terminal.jt808",
    summary="Terminals of vehicles and handhelds that call over TCP (JT/T 808-2013 and -2019)",
    options=Jt808Options,
    open=open_terminal,
)
