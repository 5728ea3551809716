"""Grain: its spectrum and variance, seeds, and that pictures without any stay what they are."""

from __future__ import annotations

import numpy as np
import pytest

from styler.image.grain import COARSE, FLAT, flatness, grain, lacking, noise_anew, noise_for


def test_grain_is_white_noise_and_smooth_noise_of_the_same_variance() -> None:
    """By Parseval: high frequencies have the white part alone, all of them 1 and the square of 1.5."""
    noise = grain((256, 320), 5)
    assert noise.shape == (256, 320) and noise.dtype == np.float32
    power = np.abs(np.fft.fft2(noise.astype(float))) ** 2 / (256 * 320)
    assert power.mean() == pytest.approx(1 + COARSE**2, rel=0.1)
    down, right = (np.abs(np.fft.fftfreq(side)) for side in power.shape)
    fine = power[np.hypot(down[:, None], right[None]) > 0.35]
    assert fine.mean() == pytest.approx(1, rel=0.05)
    # The Gaussian of 1.8 pixels has the gain 4 pi 1.8^2 at the origin, for a variance of 1.
    low = power[np.hypot(down[:, None], right[None]) < 0.01]
    assert low.mean() == pytest.approx(1 + COARSE**2 * 4 * np.pi * 1.8**2, rel=0.3)


def white(height: int, width: int) -> np.ndarray:
    return np.ones((3, height, width), np.float32)


def rough(height: int, width: int) -> np.ndarray:
    """A photo with the noise of a camera."""
    noise = 0.5 + 0.02 * np.random.default_rng(0).standard_normal((1, height, width), np.float32)
    return np.repeat(noise, 3, 0)


def ramp(height: int, width: int) -> np.ndarray:
    """An even ramp in steps of whole levels, as a picture of the sky has it."""
    rows = np.linspace(90, 190, height).round().astype(np.float32) / 255
    return np.broadcast_to(rows[:, None], (3, height, width)).copy()


def test_a_networks_grain_is_the_same_on_every_photo_and_other_in_each_step_of_training() -> None:
    photo = rough(20, 24)
    assert np.array_equal(noise_for(photo, 0.02), np.float32(0.02) * grain((20, 24), 0, 0))
    one = noise_anew(photo, 0.02, 4, 6)
    assert np.array_equal(one, noise_anew(white(20, 24), 0.02, 4, 6))
    assert not np.array_equal(one, noise_anew(photo, 0.02, 4, 7))


def test_grain_moves_to_its_place_and_that_of_flat_places_does_not() -> None:
    photo = np.full((3, 40, 60), 0.5, np.float32)
    assert np.array_equal(
        noise_for(photo, 0.02, (3.4, -5.6)), np.roll(noise_for(photo, 0.02), (3, -6), (0, 1))
    )
    assert np.array_equal(noise_for(photo, 0, (3, 5)), noise_for(photo, 0))


def test_flat_places_get_a_little_grain_and_others_none() -> None:
    """The least that a camera would make: half a level, once white and once smooth."""
    photo = rough(300, 64)
    assert not lacking(photo).any() and np.array_equal(noise_for(photo, 0.0), lacking(photo))
    for flat in (white(300, 64), ramp(300, 64)):
        added = lacking(flat)
        deviation = FLAT * (1 + COARSE**2) ** 0.5
        assert 0.5 * deviation < added.std() < 1.1 * deviation and abs(added).max() < 0.05
        photo[..., 32:] = flat[..., 32:]
        changed = lacking(photo) != 0
        assert not changed[:, :28].any() and changed[:, 36:].mean() > 0.9


def test_flatness_is_that_of_the_squares_around() -> None:
    """By the definition, pixel by pixel: deviations from means of 3 x 3, squared, over 7 x 7."""
    photo = white(12, 14) * 0.5
    photo[:, 5:8, 6:9] += np.float32(1e-2)
    gray = np.pad(photo[0].astype(float), 4, mode="edge")
    deviation = np.array([[gray[y, x] - gray[y - 1 : y + 2, x - 1 : x + 2].mean() for x in range(1, 21)]
                          for y in range(1, 19)])  # fmt: skip
    # What is beyond the border repeats the deviation at the border.
    deviation = np.pad(deviation[3:-3, 3:-3], 3, mode="edge")
    wanted = [
        [1 - 255 * (deviation[y : y + 7, x : x + 7] ** 2).mean() ** 0.5 for x in range(14)] for y in range(12)
    ]
    assert np.allclose(flatness(photo), np.maximum(0, wanted), atol=1e-4)
    assert flatness(white(32, 24)).min() == 1


def test_the_grain_of_flat_places_is_the_same_each_time_and_at_every_height() -> None:
    """A taller picture begins as the shorter one: no seam between the rows that are made at once."""
    made = lacking(white(600, 40))
    assert np.array_equal(made, lacking(white(600, 40))) and np.array_equal(
        lacking(white(300, 40)), made[:300]
    )
    steps = abs(made[1:] - made[:-1]).mean(1)
    assert steps[255] < 1.5 * steps.mean()  # where two bands meet


def test_in_training_flat_places_get_other_grain_in_each_step() -> None:
    one = noise_anew(white(32, 24), 0.0, 5, 0)
    assert np.array_equal(one, noise_anew(white(32, 24), 0.0, 5, 0)) and one.std() > 0
    assert not np.array_equal(one, noise_anew(white(32, 24), 0.0, 5, 1))
    assert not noise_anew(rough(32, 24), 0.0, 5, 0).any()


@pytest.mark.usefixtures("examples")
def test_the_example_without_styler_makes_the_same_grain() -> None:
    pytest.importorskip("onnxruntime")
    from paint_with_onnx import grain as theirs

    np.testing.assert_allclose(theirs(37, 53), grain((37, 53), 0, 0), atol=1e-5)
