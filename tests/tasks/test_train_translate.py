"""Training of generators: what is built, losses and whom they teach, resume, averages, and that it learns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from narrow import NARROW
from nets import architecture
from test_processes import finish, free_port, start
from torch import Tensor
from torch.func import functional_call

from styler.engine.fit import AVERAGE_EVERY, TrainingState, update_average
from styler.errors import InputError
from styler.events import TrainStep
from styler.features import Extractor
from styler.image.conditions import Pair
from styler.losses.adversarial import accuracy, both_sides
from styler.networks.kinds import build
from styler.networks.layers import Mode, initialize
from styler.networks.patch import PatchArchitecture, PatchDiscriminator
from styler.networks.residual import ResidualNetwork
from styler.networks.unet import UNet
from styler.networks.vgg import random_convolutions
from styler.options.translate import TRANSLATE_PRESETS, TrainTranslateOptions
from styler.storage.runs import load_state, save_state
from styler.tasks.train_translate import (
    ACCURACY_RATE,
    GAN,
    architecture_for,
    blocked,
    deepest,
    discriminator_for,
    dropout_seed,
    new_pix2pix,
    optimizers,
    train_translate,
)

TINY: dict[str, Any] = {
    "width": 4,
    "discriminator_width": 4,
    "field": "16",
    "crop": 16,
    "batch": 2,
    "steps": 6,
    "report": 1,
    "save": 3,
    "precision": "float32",
}
SHARED: dict[str, Any] = {
    "dropout": False,  # its masks are drawn for the pictures of a process
    "feature_weight": 1.0,
    "learning_rate": 2e-5,  # so little that rounding errors do not grow tenfold with each step
}
EVERYTHING = {"feature_weight": 1.0, "perceptual_weight": 1.0}
SIDES = {"generator/gan", "generator/features", "generator/l1", "generator/perceptual"}


def options(**changed: Any) -> TrainTranslateOptions:
    return TrainTranslateOptions(**{**TINY, **changed})


def pair(index: int = 0, count: int = 2, side: int = 16) -> Pair:
    """Two colors that become two others, in blots."""
    draw = torch.Generator().manual_seed(index)
    blots = F.interpolate(torch.rand(count, 1, 4, 4, generator=draw), (side, side), mode="bicubic") > 0.5
    inputs = blots.float().repeat(1, 3, 1, 1)
    return Pair(inputs, torch.cat([0.8 * inputs[:, :1], 1 - inputs[:, 1:2], 0.3 + 0 * inputs[:, 2:]], 1))


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor("compact", random_convolutions("compact", NARROW))


def run(
    chosen: TrainTranslateOptions, extractor: Extractor | None = None, start: TrainingState | None = None
) -> tuple[GAN, list[TrainStep], list[TrainingState]]:
    networks = new_pix2pix(chosen, 3, 3)
    events = list(
        train_translate(networks, extractor, lambda i: pair(i, chosen.batch, chosen.crop), chosen, start)
    )
    steps = [event for event in events if isinstance(event, TrainStep)]
    return networks, steps, [event for event in events if isinstance(event, TrainingState)]


def losses(chosen: TrainTranslateOptions, networks: GAN | None = None) -> dict[str, Tensor]:
    networks = networks or new_pix2pix(chosen, 3, 3)
    found: dict[str, Tensor] = networks(pair().inputs, pair().targets)
    return found


# What is built


def test_the_paper_is_a_recipe() -> None:
    chosen = TrainTranslateOptions(**TRANSLATE_PRESETS["classic"])
    assert architecture_for(chosen, 3, 3) == architecture()
    assert discriminator_for(chosen, 3, 3) == PatchArchitecture()
    for optimizer in optimizers(new_pix2pix(options(), 3, 3), chosen):
        assert optimizer.defaults["betas"] == (0.5, 0.999) and optimizer.defaults["lr"] == 2e-4


@pytest.mark.parametrize("recipe", TRANSLATE_PRESETS)
def test_recipes_name_options_of_train_translate(recipe: str) -> None:
    assert TrainTranslateOptions(**TRANSLATE_PRESETS[recipe])


def test_a_network_is_as_deep_as_the_crops_allow() -> None:
    sides = {16: 4, 64: 6, 128: 7, 192: 6, 256: 8, 286: 6, 1024: 8, 17: 1}
    assert {side: deepest(side, "transposed") for side in sides} == sides
    assert {side: deepest(side, "resize") for side in sides} == sides | {16: 3, 64: 5, 128: 6, 256: 7}
    assert architecture_for(options(crop=128), 3, 3).halvings == 6
    assert architecture_for(options(crop=128, upsampling="transposed"), 3, 3).halvings == 7
    assert architecture_for(options(crop=128, halvings=5), 3, 3).halvings == 5


def test_through_one_pixel_nothing_is_learned():
    """A norm of copies of one value is zero; not so of what transposed convolutions make of it."""
    for upsampling, norm, halvings in product(
        ("resize", "transposed"), ("instance", "batch", "none"), (4, 5)
    ):
        made = architecture_for(options(upsampling=upsampling, norm=norm, halvings=halvings), 3, 3)
        assert blocked(made, 32) == (upsampling == "resize" and norm != "none" and halvings == 5)
        network = build(made).double()
        initialize(network, 0)
        network(torch.rand(1, 3, 32, 32).double()).square().sum().backward()
        assert (next(network.down[-1].parameters()).grad.abs().max() < 1e-12) == blocked(made, 32)


@pytest.mark.parametrize("upsampling", ["resize", "transposed"])
def test_the_bottleneck_has_a_say(upsampling: Any) -> None:
    networks, known = new_pix2pix(options(upsampling=upsampling), 3, 3), pair()
    before = networks.generator(known.inputs)
    with torch.no_grad():
        networks.generator.down[-1].conv.weight.mul_(-1)
    assert (networks.generator(known.inputs) - before).abs().max() > 1e-4


def test_dropout_is_where_the_paper_has_it() -> None:
    assert architecture_for(options(crop=128), 3, 3).dropout == (1, 2, 3)
    assert architecture_for(options(halvings=3), 3, 3).dropout == (1, 2)
    assert architecture_for(options(dropout=False), 3, 3).dropout == ()
    residual = architecture_for(options(generator="residual", blocks=6), 1, 3)
    assert residual.dropout and (residual.halvings, residual.blocks, residual.inputs) == (2, 6, 1)


def test_the_discriminator_is_that_of_the_options() -> None:
    made = discriminator_for(options(field="34", crop=64, scales=2, spectral=True), 1, 3)
    assert made == PatchArchitecture(4, 4, 2, "instance", 2, True)
    assert discriminator_for(options(conditional=False), 1, 3).inputs == 3


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(InputError, match=r"--field 286 .* 96 pixels at least"):
        new_pix2pix(options(field="286", crop=64), 3, 3)
    assert new_pix2pix(options(field="286", crop=96, halvings=1), 3, 3)
    with pytest.raises(InputError, match="nothing to work towards"):
        new_pix2pix(options(gan_weight=0, l1_weight=0), 3, 3)


# The losses


def test_each_weight_at_0_drops_its_term(extractor: Extractor) -> None:
    everything = {"discriminator/real", "discriminator/fake", *SIDES}
    for name in SIDES:
        weight = name.removeprefix("generator/").replace("features", "feature") + "_weight"
        networks, steps, _ = run(options(**EVERYTHING | {weight: 0.0}, steps=1), extractor)
        assert set(steps[0].losses) == everything - {name}
        assert networks.discriminator is not None
    networks, steps, _ = run(options(gan_weight=0.0, steps=1))
    assert networks.discriminator is None and set(steps[0].losses) == {"generator/l1"}


def test_terms_are_worth_their_weights(extractor: Extractor) -> None:
    names = dict(zip(["gan", "l1", "feature", "perceptual"], sorted(SIDES), strict=False))
    once = run(options(gan_weight=1, l1_weight=1, **EVERYTHING, steps=1), extractor)[1][0].losses
    twice = options(gan_weight=2, l1_weight=2, feature_weight=2, perceptual_weight=2, steps=1)
    doubled = run(twice, extractor)[1][0].losses
    assert len(names) == 4
    for name in SIDES:
        assert doubled[name] == pytest.approx(2 * once[name], rel=1e-4)
    for name in ("discriminator/real", "discriminator/fake"):
        assert doubled[name] == pytest.approx(once[name], rel=1e-4)


def test_l1_is_of_values_from_minus_1_to_1() -> None:
    chosen = options(gan_weight=0, l1_weight=3)
    networks, known = new_pix2pix(chosen, 3, 3), pair()
    made = networks.generator(known.inputs, Mode("batch"))
    wanted = 3 * ((2 * made - 1) - (2 * known.targets - 1)).abs().mean()
    torch.testing.assert_close(losses(chosen, networks)["generator/l1"], wanted)


@pytest.mark.parametrize("gan", ["bce", "least-squares", "hinge"])
@pytest.mark.parametrize(
    "changed", [{}, {"conditional": False}, {"scales": 2, "crop": 32}, {"spectral": True}]
)
def test_each_side_is_taught_by_its_own_losses_alone(gan: Any, changed: dict[str, Any]) -> None:
    """Against a plain definition, which asks the discriminator three times and cuts the graph by hand."""
    chosen = options(gan=gan, feature_weight=2.0, l1_weight=0, norm="batch", **changed)
    networks, known = new_pix2pix(chosen, 3, 3), pair(side=chosen.crop)
    found = networks(known.inputs, known.targets)
    discriminator = networks.discriminator
    assert discriminator is not None
    weights, judges = list(networks.generator.parameters()), list(discriminator.parameters())
    names = [name for name in found if name.startswith("generator")]
    own = torch.stack([found[name] for name in names]).sum()
    other = found["discriminator/real"] + found["discriminator/fake"]
    assert_none(torch.autograd.grad(own, judges, retain_graph=True, allow_unused=True))
    assert_none(torch.autograd.grad(other, weights, retain_graph=True, allow_unused=True))

    again = new_pix2pix(chosen, 3, 3)
    plain_own, plain_other = plain(again, known, chosen)
    torch.testing.assert_close((own, other), (plain_own, plain_other))
    assert again.discriminator is not None
    for loss, of, wanted_loss, wanted_of in (
        (own, weights, plain_own, list(again.generator.parameters())),
        (other, judges, plain_other, list(again.discriminator.parameters())),
    ):
        gradients = torch.autograd.grad(loss, of, retain_graph=True)
        wanted = torch.autograd.grad(wanted_loss, wanted_of, retain_graph=True)
        torch.testing.assert_close(gradients, wanted, rtol=1e-4, atol=1e-6)


def assert_none(gradients: Sequence[Tensor | None]) -> None:
    assert all(gradient is None or not gradient.any() for gradient in gradients)


def plain(networks: GAN, known: Pair, chosen: TrainTranslateOptions) -> tuple[Tensor, Tensor]:
    """The generator's and the discriminator's loss as one writes them without further thought."""
    loss = {
        "bce": lambda x, goal: F.binary_cross_entropy_with_logits(x, torch.full_like(x, goal)),
        "least-squares": lambda x, goal: F.mse_loss(x, torch.full_like(x, goal)),
        "hinge": lambda x, goal: F.relu(1 - (2 * goal - 1) * x).mean(),
    }[chosen.gan]
    judge = networks.discriminator
    assert judge is not None
    made = networks.generator(known.inputs, Mode("batch"))

    def see(image: Tensor, buffers: dict[str, Tensor] | None = None) -> list[list[Tensor]]:
        shown = torch.cat([known.inputs, image], 1) if chosen.conditional else image
        maps: list[list[Tensor]] = functional_call(judge, buffers or {}, (shown,))
        return maps

    count = chosen.scales
    real = see(known.targets)
    known_by_now = {name: value.clone() for name, value in judge.named_buffers()}
    fake = see(made.detach())
    lured = see(made, known_by_now)  # spectral norms learn with each call
    other = sum(0.5 * (loss(r[-1], 1.0) + loss(f[-1], 0.0)) for r, f in zip(real, fake, strict=True)) / count
    cheat = (lambda x: -x.mean()) if chosen.gan == "hinge" else (lambda x: loss(x, 1.0))
    own = sum(cheat(maps[-1]) for maps in lured) / count
    for some, others in zip(lured, real, strict=True):
        for x, y in zip(some[:-1], others[:-1], strict=True):
            own = own + 2.0 * F.l1_loss(x, y.detach()) / count
    return own, other


def test_a_discriminator_sees_each_picture_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    whole = PatchDiscriminator.forward
    monkeypatch.setattr(PatchDiscriminator, "forward", lambda self, x: calls.append(len(x)) or whole(self, x))
    sum(losses(options(feature_weight=1.0)).values()).backward()
    assert calls == [2, 2]


def test_both_sides_pass_gradcheck() -> None:
    judge = PatchDiscriminator(PatchArchitecture(1, 2, 1, "none")).double()
    image = torch.rand(1, 1, 8, 8, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: both_sides(judge, x)[0][0][-1], image)
    weight = judge.scales[0][0].conv.weight
    (found,) = torch.autograd.grad(both_sides(judge, image)[1][0][-1].sum(), weight)
    torch.testing.assert_close(found, torch.autograd.grad(judge(image)[0][-1].sum(), weight)[0])


def test_the_accuracy_is_that_of_late() -> None:
    networks, known = new_pix2pix(options(conditional=False), 3, 3), pair()
    judge = networks.discriminator
    assert judge is not None and networks.accuracy == 0.5
    with torch.no_grad():
        images = known.targets, networks.generator(known.inputs)
        judge.scales[0][-1].conv.bias -= torch.cat([judge(image)[0][-1] for image in images]).mean()
        share = accuracy(*map(judge, images), 0.0).item()
    assert share != 0.5
    losses(options(), networks)
    assert networks.accuracy.item() == pytest.approx(0.5 + ACCURACY_RATE * (share - 0.5), rel=1e-6)
    losses(options(), networks)
    assert networks.accuracy.item() == pytest.approx(
        share + (1 - ACCURACY_RATE) ** 2 * (0.5 - share), rel=1e-6
    )


# Training


def test_it_learns_what_becomes_what(extractor: Extractor) -> None:
    chosen = options(steps=60, save=60, learning_rate=5e-3, perceptual_weight=1.0)
    networks, steps, _ = run(chosen, extractor)
    for name in ("generator/l1", "generator/perceptual"):
        assert steps[-1].losses[name] < 0.6 * steps[0].losses[name]
    unseen = pair(999, 4)
    with torch.no_grad():
        assert F.l1_loss(networks.averaged(unseen.inputs), unseen.targets) < 0.1


@pytest.mark.parametrize("changed", [{}, {"grain": 0.1}, {"spectral": True, "norm": "batch", "gan": "hinge"}])
def test_a_broken_run_goes_on_bit_for_bit(tmp_path: Path, changed: dict[str, Any]) -> None:
    """Through a file: fused Adam's moments and steps, averages, running statistics, and dropout."""
    chosen = options(steps=13, save=5, **changed)
    _, steps, states = run(chosen)
    assert [state.step for state in states] == [5, 10, 13]
    save_state(tmp_path, vars(states[1]))
    again, rest, ends = run(chosen, start=TrainingState(**load_state(tmp_path)))
    assert [step.losses for step in rest] == [step.losses for step in steps[10:]]
    assert states[-1].network.keys() == ends[-1].network.keys()
    assert all(torch.equal(value, ends[-1].network[name]) for name, value in states[-1].network.items())
    moments = [state.optimizers[0]["state"][0]["exp_avg"] for state in (states[-1], ends[-1])]
    assert torch.equal(*moments) and moments[0].any()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in ends[-1].network.items())


def test_dropout_is_drawn_anew_each_step_and_by_each_process() -> None:
    seeds = {dropout_seed(seed, step, rank) for seed in (0, 1) for step in range(9) for rank in (0, 1)}
    assert len(seeds) == 36
    known, wet = pair(), new_pix2pix(options(crop=32, halvings=4), 3, 3)
    one, same, other = (wet(known.inputs, known.targets, seed)["generator/l1"] for seed in (1, 1, 2))
    assert one == same != other


def test_grain_is_seen_by_the_generator_alone_and_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    networks, seen, judged = new_pix2pix(options(grain=0.1, dropout=False), 3, 3), [], []
    assert networks.generator.config.grain == 0.1 and networks.discriminator is not None
    networks.generator.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    networks.discriminator.register_forward_pre_hook(lambda _, given: judged.append(given[0]))
    for _ in train_translate(networks, None, lambda step: pair(), options(steps=2, dropout=False)):
        pass
    (one, other), inputs = seen[:2], pair().inputs
    assert 0.1 < (one - inputs).std() < 0.25 and not torch.equal(one, other)
    assert not torch.equal(one[0] - inputs[0], one[1] - inputs[1])
    assert all(torch.equal(x[:2, :3], inputs) for x in judged)


def test_the_average_follows_the_generator() -> None:
    networks = new_pix2pix(options(average=0.9), 3, 3)
    assert networks.averaged is not networks.generator
    assert not any(p.requires_grad for p in networks.averaged.parameters())
    weight, kept = networks.generator.up[0].conv.weight, networks.averaged.up[0].conv.weight
    values = []
    for index in range(400 * AVERAGE_EVERY + 1):
        with torch.no_grad():
            weight.fill_(float(index % AVERAGE_EVERY == 0))  # what it is in between, it does not see
        update_average(networks.averaged, networks.generator, 0.9, index)
        values.append(kept[0, 0, 0, 0].item())
    assert values[0] == values[-1] == 1
    with torch.no_grad():
        weight.fill_(0)
    update_average(networks.averaged, networks.generator, 0.9, 400 * AVERAGE_EVERY)
    assert kept[0, 0, 0, 0].item() == pytest.approx(0.9**AVERAGE_EVERY)
    update_average(networks.averaged, networks.generator, 0.9, AVERAGE_EVERY)  # early on it forgets quickly
    assert kept[0, 0, 0, 0].item() == pytest.approx(0.9**AVERAGE_EVERY / 11)


def test_without_an_average_there_is_no_second_network() -> None:
    one, two = (new_pix2pix(options(average=average), 3, 3) for average in (0.0, 0.9))
    assert one.averaged is one.generator
    extra = set(two.state_dict()) - set(one.state_dict())
    assert extra == {f"average.{name}" for name in two.generator.state_dict()}


def test_bfloat16_has_losses_of_float32(extractor: Extractor) -> None:
    chosen = options(precision="bfloat16", **EVERYTHING, steps=3)
    networks, steps, _ = run(chosen, extractor)
    _, exact, _ = run(options(**EVERYTHING, steps=3), extractor)
    known = pair()
    found = networks(known.inputs.bfloat16(), known.targets)
    assert {loss.dtype for loss in found.values()} == {torch.float32}
    for name, value in exact[0].losses.items():
        assert steps[0].losses[name] == pytest.approx(value, rel=0.05)
    assert all(p.dtype == torch.float32 for p in networks.parameters())


def test_grey_pictures_become_colors_and_colors_grey(extractor: Extractor) -> None:
    known, chosen = pair(), options(**EVERYTHING, steps=1)
    grey = Pair(known.inputs[:, :1], known.targets)
    for sample in (grey, Pair(grey.targets, grey.inputs)):
        channels = sample.inputs.shape[1], sample.targets.shape[1]
        networks = new_pix2pix(chosen, *channels)
        first = next(train_translate(networks, extractor, lambda _, sample=sample: sample, chosen))
        assert isinstance(first, TrainStep) and all(map(math.isfinite, first.losses.values()))


def test_the_encoder_decoder_and_the_residual_network_train_too() -> None:
    for generator in ("encoder-decoder", "residual"):
        chosen = options(generator=generator, blocks=1, upsampling="transposed", norm="batch", steps=2)
        networks, steps, _ = run(chosen)
        known = UNet if generator == "encoder-decoder" else ResidualNetwork
        assert isinstance(networks.generator, known) and len(steps) == 2


def test_rates_are_those_of_the_options() -> None:
    chosen = options(discriminator_rate=0.5, learning_rate=1e-3)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers(new_pix2pix(chosen, 3, 3), chosen)]
    assert rates == [1e-3, 5e-4]
    assert len(optimizers(new_pix2pix(options(gan_weight=0), 3, 3), chosen)) == 1


def test_one_step_moves_both_sides_from_where_they_were() -> None:
    """Unlike a loop that lets one side answer to what the other has just learned."""
    chosen = options(steps=1, average=0.0, dropout=False)
    networks = new_pix2pix(chosen, 3, 3)
    networks.to(memory_format=torch.channels_last)  # Adam's first step makes much of rounding errors
    images = (image.to(memory_format=torch.channels_last) for image in (pair(0).inputs, pair(0).targets))
    sum(networks(*images).values()).backward()
    for optimizer in optimizers(networks, chosen):
        optimizer.step()
    trained, _, _ = run(chosen)
    for name, parameter in trained.named_parameters():
        torch.testing.assert_close(parameter, networks.get_parameter(name), rtol=1e-5, atol=1e-6)


def test_two_processes_train_as_one_with_the_double_batch(tmp_path: Path) -> None:
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "2"}
    ranks = [{"RANK": str(rank), "TORCHELASTIC_RUN_ID": "x"} | address for rank in (0, 1)]
    script, output = Path(__file__).with_name("two_sides.py"), tmp_path / "two.pt"
    for process in [start(str(script), str(output), **rank) for rank in ranks]:
        finish(process)
    networks, steps, _ = run(options(batch=4, **SHARED))
    found = torch.load(output, weights_only=True)
    for step, told in zip(steps, found["losses"], strict=True):
        assert told == pytest.approx(step.losses, rel=1e-4)
    for name, value in networks.state_dict().items():
        if name != "accuracy":  # of rank 0's patches
            torch.testing.assert_close(found["network"][name], value, rtol=1e-4, atol=1e-5)
