"""Listening to a driver so that what it says is closed before the device is."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from drivers.contract import Health, Raw, Report, Reports


@asynccontextmanager
async def listening(driver: Reports) -> AsyncIterator[AsyncIterator[Report | Health | Raw]]:
    """Give what a driver says; on leaving, a generator's own clean-up has run."""
    said = driver.reports()
    try:
        yield said
    finally:
        if isinstance(said, AsyncGenerator):
            await said.aclose()
