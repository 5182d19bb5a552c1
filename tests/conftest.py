"""Fixtures that many suites share."""

pytest_plugins = ("tests.databases", "tests.serving")
