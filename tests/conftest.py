"""Fixtures that many suites share."""

from hypothesis import settings

pytest_plugins = ("tests.databases", "tests.serving")

# How long one example takes says something of the machine, not of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
