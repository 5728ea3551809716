"""Random movements."""

import torch

from styler.image.warp import displaced, displacement


def test_movement_is_smooth_and_each_pictures_own() -> None:
    field = displacement((2, 3, 64, 64), seed=1)
    assert field.shape == (2, 2, 64, 64)
    assert torch.equal(displacement((1, 3, 64, 64), seed=1, first=1), field[1:])
    assert field.diff(dim=-1).abs().max() < 1
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(displaced(image, torch.zeros(2, 2, 64, 64)), image, atol=1e-5, rtol=0)
    right = torch.zeros(2, 2, 64, 64)
    right[:, 0] = 3
    torch.testing.assert_close(displaced(image, right)[..., :-3], image[..., 3:], atol=1e-5, rtol=0)
