from dataclasses import replace

import numpy as np
import pytest

from tokengs_nerfstudio.data.procedural.meshes.config import PhotoConfig
from tokengs_nerfstudio.data.procedural.meshes.photos import as_photographed

NONE = PhotoConfig(white_balance=0, exposure=0, gamma=(1.0, 1.0), blur=0, noise=0, jpeg=(0, 0))
SEEDS = range(24)


def pictures(height: int = 20, width: int = 28) -> np.ndarray:
    """Smooth ones with a line, in [0.2, 0.8]."""
    y, x = np.mgrid[:height, :width] / 28
    channels = np.stack([0.5 + 0.3 * np.sin(5 * x + k) * np.cos(4 * y) for k in range(3)])
    channels[:, height // 2] = 0.25
    return np.stack([channels, channels[:, ::-1]]).astype(np.float32)


def taken(seed: int, **effects) -> np.ndarray:
    return as_photographed(pictures(), np.random.default_rng(seed), replace(NONE, **effects))


def test_no_effect_leaves_pictures_as_they_are():
    for seed in SEEDS:
        before = pictures()
        assert np.array_equal(as_photographed(before, np.random.default_rng(seed), NONE), pictures())
        assert np.array_equal(before, pictures())


def test_photos_are_float32_within_zero_and_one_and_follow_from_the_generator():
    loud = PhotoConfig(white_balance=0.5, exposure=0.9, noise=0.5)
    for seed in SEEDS:
        first, again = (as_photographed(pictures(), np.random.default_rng(seed), loud) for _ in range(2))
        assert first.dtype == np.float32
        assert first.min() >= 0
        assert first.max() <= 1
        assert np.array_equal(first, again)


def test_white_balance_turns_red_against_blue_within_its_range():
    gains = np.array([(taken(seed, white_balance=0.1) / pictures()).mean((0, 2, 3)) for seed in SEEDS])
    assert np.allclose(gains[:, 1], 1, atol=1e-6)
    assert np.allclose(gains[:, 0] + gains[:, 2], 2, atol=1e-5)
    assert 0.05 < abs(gains - 1).max() <= 0.1 + 1e-5


def test_exposure_differs_between_views_in_half_of_the_scenes():
    gains = np.array([(taken(seed, exposure=0.1) / pictures()).mean((1, 2, 3)) for seed in SEEDS])
    changed = abs(gains - 1).max(1) > 1e-6
    assert 4 < changed.sum() < 20
    assert (abs(gains[changed, 0] - gains[changed, 1]) > 1e-4).all()
    assert 0.05 < abs(gains - 1).max() <= 0.1 + 1e-5


def test_the_tone_curve_is_a_power_within_its_range():
    powers = [np.log(taken(seed, gamma=(0.8, 1.3))) / np.log(pictures()) for seed in SEEDS]
    assert max(power.std() for power in powers) < 1e-5
    means = [power.mean() for power in powers]
    assert 0.8 <= min(means) < 0.95
    assert 1.15 < max(means) <= 1.3


def test_blur_spreads_as_a_gaussian_of_that_width_and_keeps_what_there_is():
    point = np.zeros((1, 3, 9, 9), np.float32)
    point[..., 4, 4] = 1.0
    offsets = np.arange(9) - 4
    widths = []
    for seed in SEEDS:
        blurred = as_photographed(point, np.random.default_rng(seed), replace(NONE, blur=0.6))[0, 0]
        assert blurred.sum() == pytest.approx(1, abs=1e-5)
        across, down = ((blurred.sum(axis) * offsets**2).sum() for axis in (0, 1))
        assert across == pytest.approx(down, abs=1e-6)
        widths.append(np.sqrt(max(across, 0)))
    assert 4 < np.count_nonzero(widths) < 20
    assert 0.3 < max(widths) <= 0.6
    assert np.allclose(as_photographed(0 * point + 0.7, np.random.default_rng(3), replace(NONE, blur=0.6)), 0.7)


def test_noise_has_no_mean_and_a_deviation_within_its_range():
    deviations = [(taken(seed, noise=0.05) - pictures()).std() for seed in SEEDS]
    assert 4 < np.count_nonzero(deviations) < 20
    assert 0.03 < max(deviations) < 0.052
    assert max(abs((taken(seed, noise=0.05) - pictures()).mean()) for seed in SEEDS) < 0.01


def test_jpeg_errs_more_with_lower_quality_and_views_do_not_mix():
    def error(quality: int) -> float:
        return max(float(abs(taken(seed, jpeg=(quality, quality)) - pictures()).mean()) for seed in SEEDS)

    assert 0.0005 < error(95) < error(20) < 0.05
    black_and_white = np.stack([np.zeros((3, 20, 28)), np.ones((3, 20, 28))]).astype(np.float32)
    for seed in SEEDS:
        read = as_photographed(black_and_white, np.random.default_rng(seed), replace(NONE, jpeg=(30, 30)))
        assert np.allclose(read, black_and_white, atol=0.01)
