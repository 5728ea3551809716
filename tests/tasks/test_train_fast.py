"""Training of feed-forward networks: the targets, the draw, the losses, and that it learns."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from narrow import NARROW

from styler.device import Form
from styler.engine.fit import AVERAGE_EVERY, TrainingState
from styler.features import Extractor
from styler.image.grain import COARSE
from styler.image.warp import displaced, displacement
from styler.losses.perceptual import grid_pattern, out_of_range
from styler.networks.layers import Mode
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.networks.vgg import random_convolutions
from styler.options.fast import FAST_PRESETS, TrainFastOptions
from styler.plans import ResidualArchitecture
from styler.tasks.train_fast import (
    draw_styles,
    fault_of,
    make_targets,
    objective_for,
    parameter_groups,
    train_fast,
    views_of,
)

FLOAT = Form(torch.float32, torch.contiguous_format)
LAYERS = {"style_layers": (("relu1_1", 1.0), ("relu2_1", 1.0)), "content_layers": (("relu2_1", 1.0),)}


def options(**changed):
    usual = {"steps": 6, "batch": 2, "crop": 32, "warmup": 0, "report": 1, "precision": "float32"}
    usual["grid_weight"] = 0.0
    return TrainFastOptions(**{**usual, **LAYERS, **changed})


def photos(index=0, count=2, side=32):
    """Smooth colors: what a photo is at this size."""
    draw = torch.Generator().manual_seed(index)
    coarse = torch.rand(count, 3, 5, 5, generator=draw)
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)


def style(seed=0, size=(40, 40)):
    """Stripes of two colors."""
    stripes = (torch.arange(size[1]) // (3 + seed) % 2).float().expand(1, 1, *size)
    colors = torch.rand(2, 3, 1, 1, generator=torch.Generator().manual_seed(seed))
    return stripes * colors[:1] + (1 - stripes) * colors[1:]


@pytest.fixture(scope="module")
def extractor():
    return Extractor("compact", random_convolutions("compact", NARROW))


def network(styles=1, width=8):
    torch.manual_seed(0)
    return ResidualNetwork(ResidualArchitecture(width=width, styles=styles))


def run(extractor, net, count=1, **changed):
    """The reported losses of a training, and its last state."""
    o = options(**changed)
    targets = make_targets(extractor, [style(i) for i in range(count)], [photos(99, 4)], o)
    events = list(train_fast(net, extractor, targets, lambda index: photos(index, o.batch), o))
    return [e.losses for e in events if not isinstance(e, TrainingState) and e.losses], events[-1]


def test_the_style_loss_of_photos_is_the_root_of_their_distance(extractor):
    o = options(batch=4)
    targets = make_targets(extractor, [style(0), style(1)], [photos(99, 4)], o)
    evaluate = objective_for(extractor, targets, o, FLOAT)
    for index in (0, 1):
        chosen = torch.full((4,), index)
        losses = evaluate(photos(99, 4), photos(99, 4), chosen, chosen * 0)
        found = sum(v for k, v in losses.items() if k.startswith("style")).item()
        assert found == pytest.approx(targets.distance[index].item(), rel=1e-4)
        assert losses["content/relu2_1"] == 0
    assert make_targets(extractor, [style()], [], o).distance.tolist() == [1]


def test_content_one_is_to_lose_all_variance(extractor):
    o = options(content_weight=1.0)
    same = photos(99, 4)
    targets = make_targets(extractor, [style()], [same], o)
    features = extractor(same, ["relu2_1"], padding="replicate")["relu2_1"]
    spread = features - features.mean((2, 3), keepdim=True)
    assert targets.spread["relu2_1"].item() == pytest.approx(spread.square().mean().item(), rel=1e-5)


def test_each_picture_is_compared_with_its_own_style(extractor):
    o = options(content_weight=0)
    targets = make_targets(extractor, [style(0), style(1)], [photos(99, 4)], o)
    evaluate = objective_for(extractor, targets, o, FLOAT)
    pair = torch.cat([style(0, (32, 32)), style(1, (32, 32))])
    right = sum(evaluate(pair, pair, torch.tensor([0, 1]), torch.tensor([0, 0])).values())
    wrong = sum(evaluate(pair, pair, torch.tensor([1, 0]), torch.tensor([0, 0])).values())
    assert right < 0.1 * wrong


def test_weights_and_layers_are_those_of_the_options(extractor):
    o = options(tv_weight=2.0, style_weight=3.0)
    targets = make_targets(extractor, [style()], [photos(99, 4)], o)
    found = objective_for(extractor, targets, o, FLOAT)(
        photos(), photos(1), torch.tensor([0, 0]), torch.tensor([0, 0])
    )
    assert set(found) == {"content/relu2_1", "style/relu1_1", "style/relu2_1", "tv"}
    once = objective_for(extractor, targets, options(tv_weight=1.0), FLOAT)
    single = once(photos(), photos(1), torch.tensor([0, 0]), torch.tensor([0, 0]))
    assert found["tv"].item() == pytest.approx(2 * single["tv"].item())
    assert found["style/relu1_1"].item() == pytest.approx(3 * single["style/relu1_1"].item())


def test_a_style_is_seen_at_its_size_or_in_squares_of_it():
    whole = style(size=(60, 80))
    assert [view.shape[-2:] for view in views_of(whole, options(style_size=40), 0)] == [(30, 40)]
    assert views_of(whole, options(style_size=4000), 0)[0].shape[-2:] == (60, 80)
    squares = views_of(whole, options(style_crops=5, crop=48), 0)
    assert [view.shape[-2:] for view in squares] == [(48, 48)] * 5
    assert not torch.equal(squares[0], squares[1])


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 9))
def test_styles_come_equally_often_whoever_draws_them(styles, count, seed):
    whole = draw_styles(seed, 0, 2 * count * styles, styles)
    assert [whole.count(s) for s in range(styles)] == [2 * count] * styles
    halves = draw_styles(seed, 0, count, styles) + draw_styles(
        seed, count, 2 * count * styles - count, styles
    )
    assert halves == whole


def test_training_lowers_the_loss_of_every_style(extractor):
    net = network(styles=2)
    losses, _ = run(extractor, net, count=2, steps=40, batch=4, learning_rate=3e-3, content_weight=0.01)
    first, last = (sum(sum(step.values()) for step in part) for part in (losses[:4], losses[-4:]))
    assert last < 0.5 * first


def test_the_same_seed_gives_the_same_network(extractor):
    one, other = (run(extractor, network())[1].network for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_only_the_last_styles_are_taught_and_frozen_parts_stay(extractor):
    net = network(styles=3)
    for name, parameter in net.named_parameters():
        parameter.requires_grad_("norm." in name)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    run(extractor, net, count=1)
    after = net.state_dict()
    for name, value in before.items():
        kept = slice(0, 2) if "norm." in name else slice(None)
        assert torch.equal(after[name][kept], value[kept]), name
    assert not torch.equal(after["down.0.norm.weight"][2], before["down.0.norm.weight"][2])


def test_norms_learn_faster_than_what_all_styles_share():
    shared, own = parameter_groups(network(), options())
    assert own["lr"] == 10 * shared["lr"]
    count = sum(len(group["params"]) for group in (shared, own))
    assert count == sum(p.requires_grad for p in network().parameters())


def test_a_steady_network_paints_moved_pictures_alike(extractor):
    def unsteady(net):
        field = displacement((4, 3, 32, 32), 5)
        mode, seen = Mode(mix=torch.ones(4, 1)), photos(7, 4)
        with torch.no_grad():
            painted = net(seen, mode)
            return (net(displaced(seen, field), mode) - displaced(painted, field)).square().mean().item()

    shaky, steady = network(), network()
    changed = {"steps": 30, "learning_rate": 3e-3, "content_weight": 0.3}
    plain, _ = run(extractor, shaky, **changed)
    losses, _ = run(extractor, steady, video_stable=True, **changed)
    assert set(losses[0]) - set(plain[0]) == {"stable"}
    assert unsteady(steady) < 0.8 * unsteady(shaky)


def test_patterns_in_step_with_the_grid_are_unlearned(extractor):
    """The weight takes out at least half of what the same training leaves without it."""

    def pattern(net):
        return grid_pattern(net(photos(50, 4), Mode(mix=torch.ones(4, 1)))).item()

    found = {}
    for weight in (0.0, 1000.0):
        net = network()
        losses, _ = run(extractor, net, steps=40, grid_weight=weight)
        assert ("grid" in losses[0]) == (weight > 0)
        found[weight] = pattern(net)
    assert found[1000.0] < 0.5 * found[0.0]


def test_a_texture_is_learned_from_noise(extractor):
    o = options(steps=30, network="texture", grid_weight=100.0)  # photos only have it
    torch.manual_seed(0)
    net = TextureNetwork(TextureArchitecture(scales=3))
    targets = make_targets(extractor, [style()], [], o)
    batches = lambda index: net.noise(32, 32, index, 2)  # noqa: E731
    events = [e for e in train_fast(net, extractor, targets, batches, o) if not isinstance(e, TrainingState)]
    first, last = (sum(events[i].losses.values()) for i in (0, -1))
    assert set(events[0].losses) == {"style/relu1_1", "style/relu2_1"}
    assert last < 0.5 * first


def test_recipes_name_options_of_train_fast():
    for recipe in FAST_PRESETS.values():
        assert TrainFastOptions(**recipe)


def test_faults():
    draw = torch.Generator().manual_seed(0)
    photo, style = (torch.rand(1, 3, 16, 16, generator=draw) for _ in range(2))
    painted = torch.rand(1, 3, 16, 16, generator=draw)
    assert fault_of([photo], [painted], style) == ""
    assert "flat" in fault_of([photo], [torch.zeros_like(photo)], style)
    assert "gray" in fault_of([photo], [painted[:, :1].expand(-1, 3, -1, -1)], style)
    assert "hardly change" in fault_of([photo], [photo + 0.01], style)
    assert "flat" in fault_of([], [torch.full_like(photo, 0.5)], style)
    engraving = style[:, :1].expand(-1, 3, -1, -1)  # which has no color to lose
    assert fault_of([photo], [painted[:, :1].expand(-1, 3, -1, -1)], engraving) == ""


def test_the_rate_of_norms_is_relative_to_that_of_convolutions():
    shared, own = parameter_groups(network(), options(learning_rate=1e-3, norm_rate=3.0))
    assert (shared["lr"], own["lr"]) == (1e-3, pytest.approx(3e-3))


def test_what_lies_outside_the_range_is_squared(extractor):
    """Half of the values at 1.5 and half at 0.5: a mean of (0.5^2 + 0) / 2."""
    painted = torch.full((1, 3, 32, 32), 0.5)
    painted[..., :16] = 1.5
    assert out_of_range(painted) == out_of_range(1 - painted) == 0.125
    o = options(range_weight=10.0)
    targets = make_targets(extractor, [style(0)], [photos(99, 4)], o)
    losses = objective_for(extractor, targets, o, FLOAT)(photos(0, 1), painted, *[torch.zeros(1).long()] * 2)
    assert losses["range"] == 1.25


def test_the_network_sees_grain_and_the_content_loss_does_not(extractor, monkeypatch):
    """What differs from a training without grain is what the network is given, new at each step."""
    net, given = grainy_network(0.05), []
    monkeypatch.setattr(net, "forward", lambda x, mode: (given.append(x), plain(x, mode))[1])
    plain, o = type(net).forward.__get__(net), options(steps=2)
    targets = make_targets(extractor, [style(0)], [photos(99, 4)], o)
    list(train_fast(net, extractor, targets, lambda index: photos(0, o.batch), o))
    level = photos(0, o.batch) - photos(0, o.batch).mean(
        (2, 3), keepdim=True
    )  # which the first norm ends with
    noise = [x - level for x in given]
    assert not torch.allclose(noise[0], noise[1])
    for x in noise:
        assert x.std() == pytest.approx(0.05 * (1 + COARSE**2) ** 0.5, rel=0.3)
        assert torch.allclose(x[:, 0], x[:, 2], atol=1e-6)


def test_the_average_is_that_of_the_weights_and_goes_on_from_a_saved_state(extractor):
    o = options(steps=2 * AVERAGE_EVERY + 1, average=0.9, save=AVERAGE_EVERY + 2)
    targets = make_targets(extractor, [style(0)], [photos(99, 4)], o)

    def trained(start=None):
        net, average = network(), network().requires_grad_(False)
        steps = train_fast(net, extractor, targets, lambda index: photos(index, 2), o, start, average=average)
        states = [event for event in steps if isinstance(event, TrainingState)]
        return net, average, states

    net, average, (middle, end) = trained()
    _, again, (same,) = trained(middle)
    weight = average.last.conv.weight
    assert torch.equal(weight, again.last.conv.weight) and torch.equal(
        weight, end.network["average.last.conv.weight"]
    )
    assert all(torch.equal(end.network[name], same.network[name]) for name in end.network)
    way = (net.last.conv.weight - network().last.conv.weight).norm()
    assert 0 < (weight - network().last.conv.weight).norm() < way  # it lags behind


def grainy_network(amount):
    torch.manual_seed(0)
    return ResidualNetwork(ResidualArchitecture(width=8, styles=1, grain=amount))
