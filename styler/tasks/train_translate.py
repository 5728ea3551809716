"""Training of generators on pairs of pictures, against a discriminator: Isola et al. 2017 (pix2pix)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.device import Form, form_for
from styler.engine.minimize import TrainingState, fit
from styler.errors import InputError
from styler.events import TrainStep
from styler.features import Extractor, borderless
from styler.image.color import colored
from styler.image.conditions import Pair
from styler.losses import adversarial
from styler.losses.adversarial import GAMES, both_sides, feature_matching, judged
from styler.losses.metrics import SEEN
from styler.networks.kinds import PictureArchitecture, PictureNetwork, build
from styler.networks.layers import Mode, initialize
from styler.networks.patch import HALVINGS, PatchArchitecture, PatchDiscriminator, smallest_side
from styler.networks.residual import PIX2PIX
from styler.networks.unet import UNetArchitecture
from styler.options.translate import TrainTranslateOptions
from styler.processes import ALONE, Group

Losses = dict[str, Tensor]
Comparison = Callable[[Tensor, Tensor], Tensor]
"""Translated and wanted Images [N, C, H, W] -> how different they look, a scalar."""

BETAS = (0.5, 0.999)
"""Of Adam, as in the paper."""
DROPPED = (1, 2, 3)
"""Layers after the bottleneck that have dropout in the paper."""
DEEPEST = 8
"""Halvings of the paper's U-Net."""
EVERY = 8
"""Steps between two updates of the averaged weights: each costs as much as an optimizer's step."""
LATELY = 0.02
"""Weight of a step in the running accuracy."""


class Contest(nn.Module):
    """A generator, the discriminator that it is to deceive, and the average of the generator's weights.

    Attributes:
        generator: Image [N, I, H, W] -> Image [N, O, H, W].
        discriminator: None where no weight asks for one.
        accuracy: of late, the share of patches that the discriminator called right; guessing gives 1/2.
    """

    accuracy: Tensor

    def __init__(
        self,
        generator: PictureNetwork,
        discriminator: PatchDiscriminator | None,
        options: TrainTranslateOptions,
    ) -> None:
        super().__init__()
        self.generator, self.discriminator, self.options = generator, discriminator, options
        self.average = copy.deepcopy(generator).requires_grad_(False) if options.average else None
        self.register_buffer("accuracy", torch.tensor(0.5))

    @property
    def averaged(self) -> PictureNetwork:
        """The generator with averaged weights, which is to be kept; the trained one if none are averaged."""
        return self.generator if self.average is None else self.average

    def forward(
        self,
        inputs: Tensor,
        targets: Tensor,
        dropout: int | None = None,
        compare: Comparison | None = None,
    ) -> Losses:
        """The weighted losses of both sides, float32; those of one give the other's weights no gradient.

        Both compute in the number type of `inputs` [N, I, H, W]; `targets` [N, O, H, W] are float32.
        """
        options, losses = self.options, Losses()
        made = self.generator(inputs, Mode("batch", dropout))
        if self.discriminator is not None:
            losses |= self.judgement(self.discriminator, inputs, made, targets.to(inputs.dtype))
        if options.l1_weight:
            # The weight is that of values in [-1, 1].
            losses["generator/l1"] = 2 * options.l1_weight * F.l1_loss(made.float(), targets)
        if compare is not None:
            losses["generator/perceptual"] = options.perceptual_weight * compare(made, targets)
        return losses

    def judgement(
        self, discriminator: PatchDiscriminator, inputs: Tensor, made: Tensor, targets: Tensor
    ) -> Losses:
        """The losses in which the discriminator has a say. It sees each picture once."""
        options, game = self.options, GAMES[self.options.gan]
        seen, wanted = made, targets
        if options.conditional:
            seen, wanted = (torch.cat([inputs, image], 1) for image in (made, targets))
        real = discriminator(wanted)
        lured, fake = both_sides(discriminator, seen)
        with torch.no_grad():
            self.accuracy.lerp_(adversarial.share_right(real, fake, game.even), LATELY)
        losses = {
            "discriminator/real": 0.5 * judged(game.real, real),
            "discriminator/fake": 0.5 * judged(game.fake, fake),
        }
        if options.gan_weight:
            losses["generator/gan"] = options.gan_weight * judged(game.fooled, lured)
        if options.feature_weight:
            losses["generator/features"] = options.feature_weight * feature_matching(lured, real)
        return losses

    @torch.no_grad()
    def follow(self, index: int) -> None:
        """Draw the averaged weights to the generator's before step `index`, less far the later it is."""
        if self.average is None or index % EVERY:
            return
        count = index // EVERY
        kept = min(self.options.average**EVERY, count / (count + 10))  # at first little: it was random
        weights = self.generator.state_dict()
        for name, value in self.average.state_dict().items():
            value.lerp_(weights[name], 1 - kept)


def train_translate(
    contest: Contest,
    extractor: Extractor | None,
    batches: Callable[[int], Pair],
    options: TrainTranslateOptions,
    start: TrainingState | None = None,
    stop: Callable[[], bool] = lambda: False,
    group: Group = ALONE,
) -> Generator[TrainStep | TrainingState, None, TrainingState]:
    """Train both sides of a contest at once: each on what the other was before the step, as its authors did.

    Args:
        contest: see `contest_for`; on its device.
        extractor: the loss network, on the same; needed if there is a perceptual weight.
        batches: step -> pairs on the same; of several processes each has its part of them.
        stop: asked after each step; once true, the state is yielded and the training ends early.
        group: the processes that train together.

    Yields a TrainStep a step and from time to time the TrainingState, of which it returns the last.
    """
    form = form_for(options.precision, contest.accuracy.device)
    contest.to(memory_format=form.memory_format)
    compare = None
    if options.perceptual_weight:
        assert extractor is not None
        compare = comparison(extractor, form)
    play = group.wrap(contest)

    def step(index: int, pair: Pair) -> Losses:
        contest.follow(index)
        dropout = dropout_seed(options.seed, index, group.rank) if options.dropout else None
        targets = pair.targets.to(memory_format=form.memory_format)
        losses: Losses = play(form(pair.inputs), targets, dropout, compare)
        return losses

    return (yield from fit(step, batches, contest, optimizers(contest, options), options, start, stop))


def optimizers(contest: Contest, options: TrainTranslateOptions) -> list[torch.optim.Optimizer]:
    """Of the generator and, if there is one, of the discriminator."""
    sides: list[tuple[nn.Module | None, float]] = [
        (contest.generator, 1.0),
        (contest.discriminator, options.discriminator_rate),
    ]
    return [
        torch.optim.Adam(side.parameters(), rate * options.learning_rate, BETAS, fused=True)
        for side, rate in sides
        if side is not None
    ]


def dropout_seed(seed: int, index: int, rank: int) -> int:
    """The seed of a step's dropout masks: a function of these alone, so that a broken run can go on."""
    return int(np.random.default_rng((seed, index, rank)).integers(2**63))


def comparison(extractor: Extractor, form: Form) -> Comparison:
    """How far a picture's features are from the wanted one's: at each of SEEN the mean absolute difference.

    It is divided by the mean size of the wanted features, so that it is 0 at the target and about 1 for a
    picture without features, whatever the network; the mean over layers.
    """
    seeing = copy.deepcopy(extractor).to(form.dtype).to(memory_format=form.memory_format)
    padding = borderless(extractor)

    def compare(made: Tensor, targets: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = seeing(form(colored(targets)), SEEN, padding=padding)
        errors = [
            F.l1_loss(x.float(), wanted[name].float()) / wanted[name].float().abs().mean().clamp_min(1e-6)
            for name, x in seeing.walk(form(colored(made)), SEEN, padding=padding)
        ]
        return torch.stack(errors).mean()

    return compare


def contest_for(options: TrainTranslateOptions, inputs: int, outputs: int) -> Contest:
    """What the options ask for, with the paper's random weights, for pictures of so many channels.

    Raises:
        InputError: if nothing would teach the generator, or a crop is too small for the discriminator.
    """
    judges = options.gan_weight or options.feature_weight
    if not (judges or options.l1_weight or options.perceptual_weight):
        raise InputError("all weights are 0, so there is nothing to learn: use --l1-weight or --gan-weight")
    generator = build(architecture_for(options, inputs, outputs))
    initialize(generator, options.seed)
    if not judges:
        return Contest(generator, None, options)
    discriminator = PatchDiscriminator(discriminator_for(options, inputs, outputs))
    initialize(discriminator, options.seed + 1)
    return Contest(generator, discriminator, options)


def architecture_for(options: TrainTranslateOptions, inputs: int, outputs: int) -> PictureArchitecture:
    """The generator that the options ask for; dropout is where the paper has it."""
    if options.generator == "residual":
        return replace(
            PIX2PIX,
            inputs=inputs,
            outputs=outputs,
            width=options.width,
            halvings=options.halvings or PIX2PIX.halvings,
            blocks=options.blocks,
            norm=options.norm,
            upsampling=options.upsampling,
            dropout=options.dropout,
        )
    depth = options.halvings or deepest(options.crop, options.upsampling)
    return UNetArchitecture(
        skips=options.generator == "unet",
        inputs=inputs,
        outputs=outputs,
        width=options.width,
        halvings=depth,
        norm=options.norm,
        upsampling=options.upsampling,
        dropout=tuple(place for place in DROPPED if place < depth) if options.dropout else (),
    )


def deepest(crop: int, upsampling: str) -> int:
    """As many halvings as a crop can take, up to DEEPEST; it is padded by an eighth at most.

    One pixel must be left; two where nearest pixels double them, as copies of one pixel have no variance and
    the norm that follows would let nothing of them through.
    """
    least = 2 if upsampling == "resize" else 1
    padded = {depth: padded_to(crop, depth) for depth in range(1, DEEPEST + 1)}
    return max(depth for depth, side in padded.items() if 8 * side <= 9 * crop and side >= least * 2**depth)


def padded_to(crop: int, depth: int) -> int:
    """The side of a crop that is padded until it can be halved so often."""
    return -(-crop >> depth) << depth


def blocked(config: PictureArchitecture, crop: int) -> bool:
    """Whether crops shrink to one pixel, whose copies the norm wipes out; see `deepest`."""
    copied = isinstance(config, UNetArchitecture) and config.upsampling == "resize" and config.norm != "none"
    return copied and padded_to(crop, config.halvings) == 2**config.halvings


def discriminator_for(options: TrainTranslateOptions, inputs: int, outputs: int) -> PatchArchitecture:
    """The discriminator that the options ask for; InputError if there is nothing to judge in a crop."""
    made = PatchArchitecture(
        inputs=outputs + (inputs if options.conditional else 0),
        width=options.discriminator_width,
        halvings=HALVINGS[int(options.field)],
        norm=options.norm,
        scales=options.scales,
        spectral=options.spectral,
    )
    if options.crop < smallest_side(made):
        raise InputError(
            f"--crop is {options.crop} and --field {options.field} with --scales {options.scales} wants "
            f"{smallest_side(made)} pixels at least: use --crop {smallest_side(made)} or a smaller --field"
        )
    return made
