"""The recorder driver against the conformance suite, with a dock in which a unit lies."""

from pathlib import Path

import pytest

from drivers import conformance
from drivers.conformance import Candidate
from tests.simulators.recorder_units import film, put


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_recorder(check: conformance.Check, tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / "docks/unit-a", f"DCIM/1234567_035012_202611240830{number:02}_0001.MP4", film(number))
    options = {"url": f"mount:{tmp_path}/docks", "mounted": False, "look_every_s": 0.05, "reserve_bytes": 0}
    candidate = Candidate("recorder", options, options | {"url": f"mount:{tmp_path}/nobody"}, patience_s=30)
    await check(candidate, tmp_path)
