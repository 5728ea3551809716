"""Luma, its exchange, matching of colors, and channels."""

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from styler.image.color import in_channels, luma, luminance_only, match_colors, match_histogram


def picture(seed: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    return low + (high - low) * torch.rand(2, 3, 9, 7, generator=torch.Generator().manual_seed(seed))


def test_luma_by_hand() -> None:
    colors = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5]]).view(4, 3, 1, 1)
    torch.testing.assert_close(luma(colors).flatten(), torch.tensor([0.2126, 0.7152, 0.0722, 0.5]))


@given(st.integers(0, 10_000))
def test_luma_is_the_paintings_and_hue_the_photos(seed: int) -> None:
    painted, content = picture(seed), picture(seed + 1)
    found = luminance_only(painted, content)
    assert found.min() >= 0 and found.max() <= 1
    torch.testing.assert_close(luma(found), luma(painted), atol=1e-5, rtol=0)
    before, after = content - luma(content), found - luma(found)
    torch.testing.assert_close(
        before * after.norm(dim=1, keepdim=True), after * before.norm(dim=1, keepdim=True), atol=1e-4, rtol=0
    )


def test_chroma_is_kept_where_there_is_room() -> None:
    painted, content = picture(1, 0.45, 0.55), picture(2, 0.45, 0.55)
    found = luminance_only(painted, content)
    torch.testing.assert_close(found - luma(found), content - luma(content), atol=1e-5, rtol=0)


def test_gray_photo_gives_gray_and_own_luma_gives_the_photo() -> None:
    photo = picture(3)
    gray = luminance_only(photo, luma(picture(4)).expand(-1, 3, -1, -1))
    torch.testing.assert_close(gray, luma(photo).expand(-1, 3, -1, -1), atol=1e-5, rtol=0)
    torch.testing.assert_close(luminance_only(photo, photo), photo, atol=1e-5, rtol=0)


def test_channels_are_made_of_each_other() -> None:
    gray = luma(picture(0))
    assert in_channels(gray, 3).shape == (2, 3, 9, 7)
    torch.testing.assert_close(in_channels(in_channels(gray, 3), 1), gray)
    assert in_channels(gray, 1) is gray


# Matching


def calm(seed: int, size: tuple[int, int] = (40, 50)) -> torch.Tensor:
    """Correlated colors with room to both ends."""
    generator = torch.Generator().manual_seed(seed)
    mixing = 0.05 * torch.eye(3) + 0.02 * torch.randn(3, 3, generator=generator)
    noise = torch.randn(3, size[0] * size[1], generator=generator).clamp(-2, 2)
    return (0.5 + mixing @ noise).view(1, 3, *size)


def statistics(image: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    colors = image[0].flatten(1).double().numpy()
    return colors.mean(1), np.cov(colors, bias=True)


def test_matched_colors_have_mean_and_covariance_of_the_target() -> None:
    found, target = match_colors(calm(1), calm(2, (30, 20))), calm(2, (30, 20))
    for own, wanted in zip(statistics(found), statistics(target), strict=True):
        np.testing.assert_allclose(own, wanted, atol=1e-4)


def test_the_map_is_the_one_of_scipys_matrix_roots() -> None:
    image, target = calm(3), calm(4)
    (mean, own), (aim, wanted) = statistics(image), statistics(target)
    own, wanted = own + 1e-5 * np.eye(3), wanted + 1e-5 * np.eye(3)
    root = scipy.linalg.sqrtm(own).real
    inverse = scipy.linalg.inv(root)
    matrix = inverse @ scipy.linalg.sqrtm(root @ wanted @ root).real @ inverse
    colors = image[0].flatten(1).double().numpy()
    expected = (matrix @ (colors - mean[:, None]) + aim[:, None]).reshape(image.shape)
    np.testing.assert_allclose(match_colors(image, target).numpy(), expected, atol=1e-5)


def test_histograms_are_equal_after_matching_them() -> None:
    found, target = match_histogram(calm(5), calm(6)), calm(6)
    torch.testing.assert_close(
        found.flatten(2).sort().values, target.flatten(2).sort().values, atol=1e-4, rtol=0
    )
    np.testing.assert_allclose(statistics(found)[1], statistics(target)[1], atol=1e-4)


@pytest.mark.parametrize("match", [match_colors, match_histogram])
def test_gray_and_flat_pictures_are_matched_without_nan(match) -> None:
    flat, gray = torch.full((1, 3, 20, 30), 0.3), luma(picture(1)[:1]).expand(-1, 3, -1, -1)
    for image in (flat, gray, calm(7)):
        for target in (flat, gray, calm(8)):
            found = match(image, target)
            assert found.isfinite().all() and found.min() >= 0 and found.max() <= 1
    assert match(flat, calm(7)).std((2, 3)).max() < 1e-6
    assert (match(calm(7), gray) - luma(match(calm(7), gray))).abs().mean() < 0.01
    torch.testing.assert_close(match(calm(7), calm(7)), calm(7), atol=1e-5, rtol=0)
