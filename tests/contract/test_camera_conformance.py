"""The camera driver against the conformance suite, with a scene that is covered while it looks."""

from itertools import islice
from pathlib import Path

import pytest

from diwang.demo.scenes import covered_kitchen, encode
from drivers import conformance
from drivers.conformance import Candidate
from tests.simulators.ports import free_port


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "covered.mp4"
    film = list(islice(covered_kitchen(), 460))
    encode(path, iter(film[60:160] + film[410:440]))
    return path


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
async def test_camera(check: conformance.Check, clip: Path, tmp_path: Path) -> None:
    options = {"url": f"file:{clip}", "loop": True, "analysis_options": {"health": {"hold_s": 1.0, "learn_s": 2.0}}}
    nobody = {"url": f"rtsp://127.0.0.1:{free_port()}/none", "offline_after_s": 1.0}
    candidate = Candidate("camera", options, nobody, reports=2, patience_s=40)
    await check(candidate, tmp_path)
