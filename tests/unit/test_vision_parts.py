"""The small parts of the health detectors, each alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from drivers.camera.analysis import HEIGHT, WIDTH, Finding
from edge.vision.clock_mask import ClockMask
from edge.vision.frozen import Stillness
from edge.vision.health import open_health
from edge.vision.holding import Hold
from edge.vision.measures import COLUMNS, FINE, ROWS, block_means, likeness, measure, pattern, saturation_of
from edge.vision.options import HealthOptions, Rectangle
from edge.vision.reference import Draft, Look, Reference, Shelf
from edge.vision.view import Verdict
from protocol.messages import EventState, Severity
from tests.simulators.camera_scenes import Picture, noisy, recording, watch

YES = Verdict(0.9, {"lost": 0.81234})
EVERYWHERE = np.ones((HEIGHT, WIDTH), np.bool_)


def grey(name: str = "person", number: int = 0) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(recording(name)[number], cv2.COLOR_BGR2GRAY), np.uint8)


def with_clock(picture: Picture, seconds: float, *, place: tuple[int, int] = (12, 28)) -> Picture:
    """Write a clock into a picture, as cameras do."""
    result = picture.copy()
    text = f"2026-11-24 08:{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
    cv2.putText(result, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 5)
    cv2.putText(result, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2)
    return result


# Measures


@settings(max_examples=25, deadline=None)
@given(
    image=arrays(np.float32, (FINE[1], FINE[0]), elements=st.floats(0, 255, width=16)),
    gain=st.floats(0.5, 2),
    shift=st.floats(-20, 20),
)
def test_likeness_stays_within_its_bounds_and_ignores_light(
    image: NDArray[np.float32], gain: float, shift: float
) -> None:
    first, second = pattern(image), pattern((image * np.float32(gain) + np.float32(shift)).astype(np.float32))
    alike = likeness(first, second)
    assert alike.shape == (ROWS, COLUMNS)
    assert np.all(np.abs(alike) <= 1.01)
    structured = (first.spread > 5) & (second.spread > 5)
    assert np.all(alike[structured] > 0.98)


def test_blocks_are_where_they_should_be() -> None:
    image = np.zeros((FINE[1], FINE[0]), np.float32)
    image[20:30, 150:160] = 100
    means = block_means(image)
    assert means[2, 15] == 100
    assert means.sum() == 100


def test_detail_is_what_a_blur_takes() -> None:
    sharp = measure(grey(), 0)
    soft = measure(np.asarray(cv2.GaussianBlur(grey(), (0, 0), 6), np.uint8), 0)
    strong = sharp.detail > 5
    assert np.median(soft.detail[strong] / sharp.detail[strong]) < 0.3
    assert soft.contrast == pytest.approx(sharp.contrast, rel=0.1)


def test_an_infrared_picture_has_no_saturation() -> None:
    assert saturation_of(np.repeat(grey()[..., None], 3, axis=2)) == 0
    assert saturation_of(recording("person")[0]) > 20


# Holding


def hold(*, is_open: bool = False) -> Hold:
    return Hold("camera.covered", Severity.MAJOR, begin_s=4, end_s=2, is_open=is_open)


def seen(faults: Hold, verdicts: list[Verdict | None], step_s: float = 0.5) -> list[tuple[float, Finding]]:
    findings = [(number * step_s, faults.see(number * step_s, verdict)) for number, verdict in enumerate(verdicts)]
    return [(seconds, finding) for seconds, finding in findings if finding]


def test_a_fault_must_hold_to_begin_and_stay_away_to_end() -> None:
    findings = seen(hold(), [YES] * 12 + [None] * 8)
    assert [(seconds, finding.state) for seconds, finding in findings] == [
        (4.0, EventState.BEGAN),
        (7.5, EventState.ENDED),
    ]
    assert findings[0][1].data == {"lost": 0.812}


def test_a_passing_fault_is_nothing() -> None:
    assert seen(hold(), [*[YES] * 7, None, None, None, *[YES] * 3]) == []


def test_a_gap_in_time_proves_nothing() -> None:
    faults = hold()
    assert [faults.see(seconds, YES) for seconds in (0, 100, 200, 300)] == [None] * 4
    assert faults.see(301, YES) is not None


def test_what_cannot_be_seen_stays_as_it_is() -> None:
    faults = hold(is_open=True)
    assert all(faults.see(second, None, unknown=True) is None for second in range(60))
    assert faults.is_open
    assert [bool(faults.see(60 + second, None)) for second in range(3)] == [False, True, False]


@given(verdicts=st.lists(st.sampled_from([YES, None]), max_size=80), is_open=st.booleans())
def test_beginnings_and_ends_alternate(verdicts: list[Verdict | None], is_open: bool) -> None:  # noqa: FBT001
    states = [finding.state for _, finding in seen(hold(is_open=is_open), verdicts)]
    expected = [EventState.ENDED, EventState.BEGAN] if is_open else [EventState.BEGAN, EventState.ENDED]
    assert states == (expected * len(states))[: len(states)]


# Frozen


def test_a_picture_is_frozen_when_not_one_bit_moves_for_long_enough() -> None:
    still, picture = Stillness(10), grey()
    for number in range(50):
        still.look(picture.copy(), EVERYWHERE, number / 5)
        assert still.verdict is None
    still.look(picture.copy(), EVERYWHERE, 10)
    assert still.verdict is not None
    changed = picture.copy()
    changed[200, 300] ^= 1
    still.look(changed, EVERYWHERE, 10.2)
    assert still.verdict is None
    assert still.moves


# The clock in the picture


def test_a_clock_is_found_and_a_frozen_picture_seen_behind_it(tmp_path: Path) -> None:
    """A recorder writes its clock into the picture that a dead camera has left."""
    health = open_health(HealthOptions(), tmp_path, frozenset())
    live = (noisy(with_clock(recording("person")[n % 60], n / 5), 2, n) for n in range(150))
    assert watch(health, live) == []
    stopped = recording("person")[20]
    seen_then = watch(health, (with_clock(stopped, 30 + n / 5) for n in range(100)), start_s=30)
    assert [one.says for one in seen_then] == [("camera.frozen", "began")]


def test_a_given_clock_is_left_out_at_once(tmp_path: Path) -> None:
    clock = (Rectangle(left=0, top=0, width=0.6, height=0.12),)
    health = open_health(HealthOptions(clock=clock), tmp_path, frozenset())
    stopped = recording("person")[20]
    found = watch(health, (with_clock(stopped, n / 5) for n in range(60)))
    assert [one.says for one in found] == [("camera.frozen", "began")]


def test_a_busy_scene_is_no_clock() -> None:
    mask = ClockMask(None)
    for number in range(150):
        shifting = np.roll(measure(grey(), 0).fine.image, 9 * number, axis=1)
        mask.look(np.asarray(shifting, np.float32), number / 5)
    assert mask.usable.all()


def test_a_clock_in_the_picture_is_masked_where_it_is() -> None:
    mask = ClockMask(None)
    for number in range(150):
        picture = with_clock(recording("still")[0], number / 5)
        mask.look(measure(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8), 0).fine.image, number / 5)
    rows, columns = np.nonzero(~mask.usable)
    assert set(rows) == {0}
    assert 1 <= len(columns) <= 4
    assert not mask.pixels[20, columns[0] * 40 + 20]


# References


def learned(name: str) -> Reference:
    draft = Draft()
    for number, picture in enumerate(recording(name)[:10]):
        draft.add(measure(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8), 0), number / 5)
    return draft.finished()


def test_references_survive(tmp_path: Path) -> None:
    shelf = Shelf.read(tmp_path / "references")
    assert shelf.any is None
    shelf.put(Look.DAY, learned("person"))
    shelf.put(Look.NIGHT, learned("still"))
    shelf.save()
    again = Shelf.read(tmp_path / "references")
    for look, name in ((Look.DAY, "person"), (Look.NIGHT, "still")):
        reference = again.get(look)
        assert reference is not None
        np.testing.assert_array_equal(reference.measures.fine.image, learned(name).measures.fine.image)
        np.testing.assert_array_equal(reference.detail, learned(name).detail)


@settings(max_examples=30, deadline=None)
@given(place=st.integers(0, 20_000), noise=st.binary(min_size=1, max_size=40), cut=st.booleans())
def test_a_damaged_reference_never_stops_the_watch(place: int, noise: bytes, cut: bool) -> None:  # noqa: FBT001
    import tempfile  # noqa: PLC0415 - hypothesis and tmp_path do not go together

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "references"
        shelf = Shelf.read(path)
        shelf.put(Look.DAY, learned("person"))
        shelf.save()
        body = bytearray(path.read_bytes())
        start = place % len(body)
        path.write_bytes(body[:start] if cut else body[:start] + noise + body[start + len(noise) :])
        reference = Shelf.read(path).get(Look.DAY)
        assert reference is None or np.isfinite(reference.measures.fine.image).all()


def test_a_draft_is_of_one_view() -> None:
    draft = Draft()
    first = measure(grey("person"), 0)
    assert draft.continues(first)
    draft.add(first, 0)
    assert draft.continues(measure(grey("person", 5), 0))
    assert not draft.continues(measure(grey("still"), 0))
    assert not draft.continues(measure(np.full((HEIGHT, WIDTH), 128, np.uint8), 0))


def test_a_reference_follows_slowly() -> None:
    reference, other = learned("person"), measure(grey("still"), 0)
    before = reference.measures.fine.image
    reference.blend(other, 0.1)
    np.testing.assert_allclose(reference.measures.fine.image, 0.9 * before + 0.1 * other.fine.image, atol=0.01)
    assert reference.shows_something
