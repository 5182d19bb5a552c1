"""What is logged of a crash, and of secrets that somebody logs by mistake, by programs in processes of their own."""

import os
import subprocess
import sys

import pytest

CANARY = "s3cret-canary"
PROGRAM = """
import os
from protocol import logs

def connect(password):
    also_here = [password]
    raise OSError("no route to the broker")

logs.configure(program="hub", json_lines={json_lines})
canary = os.environ["CANARY"]
try:
    connect(canary)
except OSError:
    logs.get("broker").exception("broker_away", broker_password=canary, api_key=canary, address="broker.example")
{last}
"""


def stderr_of(program: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "CANARY": CANARY},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not ran.stdout
    return ran.stderr


@pytest.mark.parametrize("json_lines", [True, False])
@pytest.mark.parametrize("last", ["", "connect(canary)"], ids=["logged", "crashed"])
def test_a_trace_says_where_and_why_and_shows_no_secret_that_was_at_hand(last: str, *, json_lines: bool) -> None:
    said = stderr_of(PROGRAM.format(json_lines=json_lines, last=last))
    for fact in ("broker_away", "broker.example", "no route to the broker", "in connect"):
        assert fact in said
    assert said.count("no route to the broker") == (2 if last else 1)
    assert CANARY not in said
