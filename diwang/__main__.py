"""`python -m diwang` is the command `diwang`."""

from diwang.command import app

app()
