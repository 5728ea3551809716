"""Losses of generator and discriminator: by hand, by gradcheck, and what each side wants."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from styler.losses.adversarial import (
    ADVERSARIAL_LOSSES,
    AdversarialLoss,
    accuracy,
    feature_matching,
    patch_loss,
)

LOGITS = torch.linspace(-4, 4, 33, dtype=torch.double)


@pytest.mark.parametrize(
    ("name", "real", "fake", "fooled"),
    [
        ("bce", math.log(1 + math.exp(-2)), math.log(1 + math.exp(2)), math.log(1 + math.exp(-2))),
        ("least-squares", 1, 4, 1),
        ("hinge", 0, 3, -2),
    ],
)
def test_losses_of_a_logit_of_2(name: str, real: float, fake: float, fooled: float) -> None:
    kind, logit = ADVERSARIAL_LOSSES[name], torch.tensor([2.0], dtype=torch.double)
    found = [loss(logit).item() for loss in (kind.real, kind.fake, kind.fooled)]
    assert found == pytest.approx([real, fake, fooled])


def test_bce_is_torchs() -> None:
    torchs, ours = torch.nn.functional.binary_cross_entropy_with_logits, ADVERSARIAL_LOSSES["bce"]
    ones, zeros = torch.ones_like(LOGITS), torch.zeros_like(LOGITS)
    torch.testing.assert_close(patch_loss(ours.real, [[LOGITS]]), torchs(LOGITS, ones).float())
    torch.testing.assert_close(patch_loss(ours.fake, [[LOGITS]]), torchs(LOGITS, zeros).float())


@pytest.mark.parametrize("kind", ADVERSARIAL_LOSSES.values(), ids=ADVERSARIAL_LOSSES)
def test_each_side_pulls_its_own_way(kind: AdversarialLoss) -> None:
    """At the answer that says nothing; and no answer can please the discriminator and its opponent."""
    logit = torch.tensor(kind.even, dtype=torch.double, requires_grad=True)
    slopes = [torch.autograd.grad(loss(logit), logit)[0] for loss in (kind.real, kind.fake, kind.fooled)]
    assert slopes[0] < 0 < slopes[1] and slopes[2] < 0
    assert torch.autograd.gradcheck(kind.real, logit) and torch.autograd.gradcheck(kind.fooled, logit)


def maps(*values: float, side: int = 2) -> list[Tensor]:
    return [torch.full((1, 3, side, side), value) for value in values]


def test_scales_count_alike_whatever_their_size() -> None:
    answers = [maps(0.0, 1.0, side=8), maps(0.0, 3.0, side=2)]
    assert patch_loss(torch.square, answers) == 5
    assert (
        patch_loss(torch.square, [[x.bfloat16() for x in scale] for scale in answers]).dtype == torch.float32
    )


def test_feature_matching_sums_layers_and_leaves_the_logits_out() -> None:
    fake, real = [maps(1.0, 2.0, 9.0), maps(4.0, 4.0, 9.0)], [maps(0.0, 4.0, 0.0), maps(4.0, 0.0, 0.0)]
    assert feature_matching(fake, real) == ((1 + 2) + (0 + 4)) / 2
    assert feature_matching(real, real) == 0


def test_the_share_that_is_right() -> None:
    real = [[torch.tensor([-1.0, 0.4, 0.6, 2.0]).view(1, 1, 2, 2)]]
    fake = [[torch.tensor([-1.0, -0.4, 0.6, 0.8]).view(1, 1, 2, 2)]]
    assert accuracy(real, fake, 0.0) == pytest.approx((3 / 4 + 2 / 4) / 2)
    assert accuracy(real, fake, 0.5) == pytest.approx((2 / 4 + 2 / 4) / 2)
    assert accuracy([*real, *real], [*fake, *real], 0.0) == pytest.approx((5 / 8 + 4 / 8) / 2)
