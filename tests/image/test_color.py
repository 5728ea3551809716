"""Luma, its exchange, and channels."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from styler.image.color import in_channels, luma, luminance_only


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
