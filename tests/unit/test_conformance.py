"""The conformance suite passes a sound driver, and finds what is wrong with each of the others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import conformance
from tests.simulators import ticking


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conformance, "_SETTLING_S", 0.2)


@pytest.fixture(autouse=True)
def _cleaning_up_after_them() -> Iterator[None]:
    yield
    ticking.forgotten.close()


def candidate(name: str) -> conformance.Candidate:
    return conformance.Candidate(
        f"tests.simulators.ticking:{name}", options={}, unreachable={"there": False}, patience_s=0.5
    )


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_a_sound_driver_passes(check: conformance.Check, tmp_path: Path) -> None:
    await check(candidate("SPEC"), tmp_path)


@pytest.mark.parametrize(
    ("name", "check", "finding"),
    [
        ("LEAVES_A_TASK", conformance.leaves_nothing_when_closed, "left behind: task"),
        ("LEAVES_A_TASK", conformance.leaves_nothing_after_an_error, "left behind: task"),
        ("LEAVES_A_TASK", conformance.leaves_nothing_when_cancelled, "left behind: task"),
        ("LEAVES_A_THREAD", conformance.leaves_nothing_when_closed, "left behind: thread"),
        ("LEAVES_A_FILE", conformance.leaves_nothing_when_closed, "left behind: descriptor"),
        ("LEAVES_A_CHILD", conformance.leaves_nothing_when_closed, "left behind: child"),
        ("SWALLOWS_ERRORS", conformance.leaves_nothing_after_an_error, "was swallowed"),
        ("IS_ALWAYS_THERE", conformance.says_unreachable, "nothing was said"),
        ("IN_LOCAL_TIME", conformance.reports_valid_records, "is not in UTC"),
        ("OF_ANOTHER_DEVICE", conformance.reports_valid_records, "a record of device 'another'"),
        ("WITHOUT_ITS_PICTURE", conformance.reports_valid_records, "the pictures are not those"),
        ("NOT_A_NUMBER", conformance.reports_valid_records, "does not survive the wire"),
        ("OBEYS_ANYTHING", conformance.refuses_unknown_commands, "was not refused"),
        ("NEVER_RESTS", conformance.comes_to_rest, "does not come to rest"),
        ("IS_TOO_PATIENT", conformance.comes_to_rest, "its patience is 3600"),
    ],
)
async def test_what_is_wrong_is_found(name: str, check: conformance.Check, finding: str, tmp_path: Path) -> None:
    with pytest.raises(conformance.NonconformityError, match=finding):
        await check(candidate(name), tmp_path)
