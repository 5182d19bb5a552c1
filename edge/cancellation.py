"""Cancellation that others have lost on the way."""

import asyncio


def obey_cancellation() -> None:
    """Raise CancelledError if this task was told to stop and something it awaited did not pass that on.

    `asyncio.wait_for` of Python 3.11 does so when the answer comes in the same moment, and so may any driver.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
