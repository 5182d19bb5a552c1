"""The health detectors on real recordings, untouched and tampered with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.vision.health import Health, open_health
from edge.vision.options import HealthOptions
from tests.simulators.camera_scenes import (
    Attack,
    Picture,
    attacked,
    blurred,
    covered,
    frozen,
    infrared,
    lit,
    moved,
    noisy,
    played,
    watch,
)

SINCE, UNTIL, LENGTH = 8.0, 22.0, 30.0
ATTACKS: dict[str, tuple[Callable[[], Attack], str]] = {
    "covered 100 %": (lambda: covered(1.0), "camera.covered"),
    "covered 85 %": (lambda: covered(0.85), "camera.covered"),
    "covered 70 %": (lambda: covered(0.7), "camera.covered"),
    "blurred by 5": (lambda: blurred(5), "camera.blurred"),
    "blurred by 8": (lambda: blurred(8), "camera.blurred"),
    "moved 15 %": (lambda: moved(0.15), "camera.moved"),
    "moved 20 %, turned 2 degrees": (lambda: moved(0.2, 2), "camera.moved"),
    "dark": (lambda: lit(0.05), "camera.dark"),
    "frozen": (frozen, "camera.frozen"),
}


def opened(folder: Path, *open_types: str) -> Health:
    return open_health(HealthOptions(), folder, frozenset(open_types))


@pytest.mark.parametrize("clip", ["person", "still", "scene"])
def test_an_untouched_camera_is_healthy(clip: str, tmp_path: Path) -> None:
    assert watch(opened(tmp_path), played(clip, 60)) == []


def test_a_sudden_change_of_light_is_no_tampering(tmp_path: Path) -> None:
    assert watch(opened(tmp_path), played("light", 30)) == []


@pytest.mark.parametrize("gain", [0.45, 1.5])
@pytest.mark.parametrize("clip", ["person", "still", "scene", "light"])
def test_other_light_is_no_tampering(clip: str, gain: float, tmp_path: Path) -> None:
    pictures = attacked(played(clip, LENGTH), lit(gain), SINCE, UNTIL)
    assert watch(opened(tmp_path), pictures) == []


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("clip", ["person", "still", "scene", "light"])
def test_an_attack_is_one_event_of_the_right_kind(clip: str, name: str, tmp_path: Path) -> None:
    make, kind = ATTACKS[name]
    seen = watch(opened(tmp_path), attacked(played(clip, LENGTH), make(), SINCE, UNTIL))
    assert [one.says for one in seen] == [(kind, "began"), (kind, "ended")]
    assert SINCE + 3.5 <= seen[0].seconds <= SINCE + 10.2
    assert UNTIL + 3.5 <= seen[1].seconds <= UNTIL + 6
    assert seen[0].finding.picture
    assert 0 < seen[0].finding.score <= 1


def test_a_covered_lens_is_never_learned(tmp_path: Path) -> None:
    """However long it hangs there, its end is seen, and the view is the old one."""
    pictures = attacked(played("person", 400), covered(0.85), SINCE, 380)
    assert [one.says[1] for one in watch(opened(tmp_path), pictures)] == ["began", "ended"]


def test_a_restart_under_the_cloth_goes_on_with_the_event(tmp_path: Path) -> None:
    before = opened(tmp_path)
    watch(before, attacked(played("person", 30), covered(0.85), SINCE, 30))
    after = opened(tmp_path, "camera.covered")
    seen = watch(after, attacked(played("person", 40), covered(0.85), 0, 20), start_s=1000)
    assert [one.says for one in seen] == [("camera.covered", "ended")]
    assert seen[0].seconds > 1020


def test_a_cloth_put_up_while_the_box_was_off_is_seen(tmp_path: Path) -> None:
    before = opened(tmp_path)
    watch(before, played("still", 20))
    before.close()
    seen = watch(opened(tmp_path), attacked(played("still", 20), covered(0.85), 0, 20))
    assert [one.says for one in seen] == [("camera.covered", "began")]


def blank(picture: Picture, number: int) -> Picture:
    return noisy(np.full_like(picture, 128), 2, number)


def test_a_camera_that_never_saw_anything_is_covered_until_it_does(tmp_path: Path) -> None:
    seen = watch(opened(tmp_path), attacked(played("person", 60), blank, 0, 25))
    assert [one.says for one in seen] == [("camera.covered", "began"), ("camera.covered", "ended")]
    assert seen[0].finding.data == {"structured": 0.0}


def test_infrared_at_night_is_a_look_of_its_own(tmp_path: Path) -> None:
    health = opened(tmp_path)
    evening = attacked(played("person", 60), infrared, 20, 60)
    assert watch(health, evening) == []
    assert (tmp_path / "references").exists()
    seen = watch(health, attacked(map(infrared, played("person", 30), range(150)), covered(1), 10, 30), start_s=60)
    assert [one.says for one in seen] == [("camera.covered", "began")]
