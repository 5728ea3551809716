"""The discriminator against a plain definition, and the figures that others have published."""

import pytest
import torch
import torch.nn.functional as F
from nets import stirred
from torch import nn

from styler.networks.patch import (
    HALVINGS,
    PatchArchitecture,
    PatchDiscriminator,
    receptive_field,
    smallest_side,
)


def picture(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("field", "expected"),
    [(1, 9_024), (16, 139_585), (34, 666_433), (70, 2_768_705), (142, 6_964_033), (286, 11_159_361)],
)
def test_discriminators_have_as_many_parameters_as_published(field, expected):
    with torch.device("meta"):
        assert (
            sum(
                p.numel()
                for p in PatchDiscriminator(PatchArchitecture(halvings=HALVINGS[field])).parameters()
            )
            == expected
        )


@pytest.mark.parametrize("field", HALVINGS)
def test_a_logit_sees_just_its_patch(field):
    """By the gradient of one in the middle, with respect to a picture."""
    halvings = HALVINGS[field]
    assert receptive_field(halvings) == field
    judge = PatchDiscriminator(PatchArchitecture(inputs=1, width=2, halvings=halvings, norm="none"))
    for parameter in judge.parameters():
        nn.init.constant_(parameter, 0.1)  # no ReLU is shut
    image = torch.full((1, 1, 512, 512), 0.6, requires_grad=True)
    ((*_, logits),) = judge(image)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    rows, columns = image.grad[0, 0].nonzero(as_tuple=True)
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (field, field)


@pytest.mark.parametrize(("field", "side"), [(1, 256), (16, 126), (34, 62), (70, 30), (142, 14), (286, 6)])
def test_as_many_answers_as_published(field, side):
    judge = PatchDiscriminator(PatchArchitecture(width=1, halvings=HALVINGS[field]))
    assert judge(torch.zeros(1, 6, 256, 256))[0][-1].shape == (1, 1, side, side)


def test_the_discriminator_agrees_with_a_plain_one():
    judge = stirred(PatchDiscriminator(PatchArchitecture(inputs=4, width=8)))
    layers, widths = [nn.Conv2d(4, 8, 4, 2, 1), nn.LeakyReLU(0.2)], [8, 16, 32, 64]
    for before, after, stride in zip(widths, widths[1:], (2, 2, 1), strict=False):
        layers += [
            nn.Conv2d(before, after, 4, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2),
        ]
    twin = nn.Sequential(*layers, nn.Conv2d(64, 1, 4, 1, 1))
    for ours, theirs in zip(judge.parameters(), twin.parameters(), strict=True):
        theirs.data.copy_(ours)
    image = picture(2, 4, 64, 48)
    (found,) = judge(image)
    torch.testing.assert_close(found[-1], twin(2 * image - 1))
    torch.testing.assert_close(found[1], twin[:5](2 * image - 1))
    assert len(found) == 5


def test_each_scale_judges_a_smaller_picture():
    judge = PatchDiscriminator(PatchArchitecture(width=2, scales=3, halvings=2))
    shapes = [tuple(maps[-1].shape[2:]) for maps in judge(picture(1, 6, 96, 64))]
    assert shapes == [(22, 14), (10, 6), (4, 2)]
    with torch.no_grad():
        half = F.avg_pool2d(2 * picture(1, 6, 96, 64) - 1, 3, 2, 1, count_include_pad=False)
        alone = judge.scales[1][0](half)
        torch.testing.assert_close(judge(picture(1, 6, 96, 64))[1][0], F.leaky_relu(alone, 0.2))


@pytest.mark.parametrize("plan", [{}, {"scales": 2}, {"halvings": 0}, {"halvings": 4, "scales": 3}])
def test_smallest_sides_are_the_smallest(plan):
    made = PatchArchitecture(inputs=1, width=1, norm="none", **plan)
    side, judge = smallest_side(made), PatchDiscriminator(made)
    assert min(judge(torch.zeros(1, 1, side, side))[-1][-1].shape[2:]) >= 1
    if side > 1:
        with pytest.raises(RuntimeError):
            judge(torch.zeros(1, 1, side - 1, side - 1))


def test_spectral_norms_are_one():
    judge = stirred(PatchDiscriminator(PatchArchitecture(width=8, spectral=True, halvings=2)))
    image = picture(1, 6, 32, 32)
    for _ in range(60):
        judge(image)
    for layer in judge.scales[0]:
        assert (layer.norm is None and layer.conv.bias is not None) or layer is judge.scales[0][-1]
        normed = layer.spectral(layer.conv.weight, layer.direction).flatten(1)
        assert torch.linalg.matrix_norm(normed, 2).item() == pytest.approx(1, rel=1e-2)
    before = judge.scales[0][0].direction.clone()
    judge.eval()(image)
    assert torch.equal(judge.scales[0][0].direction, before)


@pytest.mark.parametrize("plan", [{}, {"norm": "instance"}, {"spectral": True, "scales": 2}, {"halvings": 0}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_discriminators_learn_in_any_form(plan, dtype):
    judge = stirred(PatchDiscriminator(PatchArchitecture(width=4, **plan)))
    image = picture(2, 6, 64, 64).to(dtype, memory_format=torch.channels_last).requires_grad_()
    answers = [judge(image), judge(1 - image)]  # as for real and fake, before the way back
    sum(maps[-1].float().square().mean() for answer in answers for maps in answer).backward()
    assert image.grad.isfinite().all() and image.grad.any()
    for name, parameter in judge.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name
