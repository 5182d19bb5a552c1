"""When a failed job is tried again, and when it is given up."""

import random
from datetime import datetime, timedelta
from typing import Final

from hub.jobs.model import Job

GIVEN_UP_AFTER: Final = timedelta(hours=24)
FIRST_DELAY_S: Final = 1.0
LONGEST_DELAY_S: Final = 300.0


def delay_s(tries: int) -> float:
    """Return how long to wait after the given number of tries: 1, 2, 4 … 300 s, shortened by up to a half at random.

    The chance keeps jobs that failed together from coming back together.
    """
    longest = min(FIRST_DELAY_S * 2.0 ** min(tries - 1, 32), LONGEST_DELAY_S)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing


def exhausted(job: Job, now: datetime) -> bool:
    """Tell whether a job that fails now is given up: it is a day old."""
    return now - job.created_at >= GIVEN_UP_AFTER
