"""Training of a generator against a discriminator on pairs of pictures (pix2pix, Isola et al. 2017)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Generic, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.device import Form, form_for
from styler.engine.fit import TrainingState, fit, update_average
from styler.errors import InputError
from styler.events import TrainStep
from styler.features import Extractor, borderless
from styler.image.color import colored
from styler.image.conditions import Pair, grained
from styler.losses import adversarial
from styler.losses.adversarial import ADVERSARIAL_LOSSES, both_sides, feature_matching, patch_loss
from styler.losses.metrics import PERCEPTUAL_LAYERS
from styler.losses.perceptual import shares
from styler.networks.kinds import PictureArchitecture, PictureNetwork, build
from styler.networks.layers import Mode, initialize
from styler.networks.patch import (
    HALVINGS,
    Discriminator,
    PatchArchitecture,
    PatchDiscriminator,
    smallest_side,
)
from styler.networks.unet import UNetArchitecture
from styler.options.enlarge import TrainEnlargeOptions
from styler.options.fields import Layers
from styler.options.translate import AdversarialOptions, TrainTranslateOptions
from styler.plans import PIX2PIX
from styler.processes import ALONE, Group

Losses = dict[str, Tensor]
PictureLoss = Callable[[Tensor, Tensor], Tensor]
"""Generated and target Images [N, C, H, W] -> scalar."""

BETAS = (0.5, 0.999)
"""Moment decays of Adam (Isola et al. 2017)."""
DROPOUT_LAYERS = (1, 2, 3)
"""Layers after the bottleneck with dropout (Isola et al. 2017)."""
_EVENLY: Layers = tuple((name, 1.0) for name in PERCEPTUAL_LAYERS)
DEEPEST = 8
"""Halvings of the U-Net of Isola et al. 2017."""
RIVALS = ("discriminator/real", "discriminator/fake", "generator/gan", "generator/features")
"""Losses that rise as the other side learns."""
ACCURACY_RATE = 0.02
"""Weight of a step in the running accuracy."""


G = TypeVar("G", bound=nn.Module)


class GAN(nn.Module, Generic[G]):
    """Generator, discriminator and the moving average of the generator's weights.

    Attributes:
        generator: Image [N, I, H, W] -> Image [N, O, H, W].
        discriminator: None where no weight asks for one.
        accuracy: running accuracy of the discriminator over patches; guessing gives 1/2.
    """

    accuracy: Tensor

    def __init__(
        self,
        generator: G,
        discriminator: Discriminator | None,
        options: AdversarialOptions,
    ) -> None:
        super().__init__()
        self.generator: G = generator
        self.discriminator, self.options = discriminator, options
        self.average = copy.deepcopy(generator).requires_grad_(False) if options.average else None
        self.register_buffer("accuracy", torch.tensor(0.5))

    @property
    def averaged(self) -> G:
        """The generator with averaged weights, or the trained one without an average."""
        return self.generator if self.average is None else self.average

    def figures(self) -> dict[str, float]:
        """Running accuracy of the discriminator, if there is one, for logs."""
        return {} if self.discriminator is None else {"accuracy": round(self.accuracy.item(), 4)}

    def forward(
        self,
        inputs: Tensor,
        targets: Tensor,
        dropout: int | None = None,
        seen: Tensor | None = None,
        more: Mapping[str, PictureLoss] = MappingProxyType({}),
        form: Form | None = None,
    ) -> Losses:
        """Weighted losses of generator and discriminator, each with gradients for its own weights alone.

        Both compute in `form`, or that of the inputs; `inputs` [N, I, H, W], `targets` [N, O, H, W] and
        losses are float32. The generator sees `seen` of the inputs, if it is given; the
        discriminator does not: it is to judge the picture, and not how that goes with noise. `more` are
        further losses of the generator, by name and weighted.
        """
        options, losses = self.options, Losses()
        image = self.generator(inputs if seen is None else seen, Mode("batch", dropout), form)
        if self.discriminator is not None:
            form = form or Form(inputs.dtype)
            losses |= self.adversarial(self.discriminator, *map(form, (inputs, image, targets)))
        if options.l1_weight:
            # The weight is that of values in [-1, 1].
            losses["generator/l1"] = 2 * options.l1_weight * F.l1_loss(image.float(), targets)
        return losses | {name: loss(image, targets) for name, loss in more.items()}

    def adversarial(
        self, discriminator: Discriminator, inputs: Tensor, image: Tensor, targets: Tensor
    ) -> Losses:
        """Losses from the discriminator, which sees each picture once."""
        options, loss = self.options, ADVERSARIAL_LOSSES[self.options.gan]
        if options.conditional:
            image, targets = (torch.cat([inputs, x], 1) for x in (image, targets))
        real = discriminator(targets)
        own, fake = both_sides(discriminator, image)
        with torch.no_grad():
            self.accuracy.lerp_(adversarial.accuracy(real, fake, loss.even), ACCURACY_RATE)
        losses = {
            "discriminator/real": 0.5 * patch_loss(loss.real, real),
            "discriminator/fake": 0.5 * patch_loss(loss.fake, fake),
        }
        if options.gan_weight:
            losses["generator/gan"] = options.gan_weight * patch_loss(loss.fooled, own)
        if options.feature_weight:
            losses["generator/features"] = options.feature_weight * feature_matching(own, real)
        return losses


def train_translate(
    networks: GAN[PictureNetwork],
    extractor: Extractor | None,
    batches: Callable[[int], Pair],
    options: TrainTranslateOptions,
    start: TrainingState | None = None,
    stop: Callable[[], bool] = lambda: False,
    group: Group = ALONE,
) -> Generator[TrainStep | TrainingState, None, TrainingState]:
    """Train generator and discriminator at once, each against the other as it was before the step.

    Args:
        networks: see `new_pix2pix`; on its device.
        extractor: the loss network, on that device; needed if there is a perceptual weight.
        batches: step -> this process's part of the pairs, on that device.
        stop: asked after each step; once true, the state is yielded and the training ends early.
        group: the processes that train together.

    Yields and returns as `fit`.
    """
    form, more = form_for(options.precision, networks.accuracy.device), {}
    if options.perceptual_weight:
        assert extractor is not None
        more["generator/perceptual"] = perceptual_loss(extractor, form, options.perceptual_weight)

    def dropout(index: int) -> int | None:
        return dropout_seed(options.seed, index, group.rank) if options.dropout else None

    def seen(index: int, inputs: Tensor) -> Tensor:
        first = (index * group.size + group.rank) * len(inputs)
        seeds = ((options.seed, 1, first + i) for i in range(len(inputs)))
        return grained(inputs, networks.generator.config.grain, *seeds)

    step = step_of(networks, more, form, dropout, seen, group)
    chosen = optimizers(networks, options)
    return (yield from fit(step, batches, networks, chosen, options, start, stop, group, RIVALS))


def step_of(
    networks: GAN[G],
    more: Mapping[str, PictureLoss],
    form: Form,
    dropout: Callable[[int], int | None] = lambda index: None,
    seen: Callable[[int, Tensor], Tensor] = lambda index, inputs: inputs,
    group: Group = ALONE,
) -> Callable[[int, Pair], Losses]:
    """The losses of a step, for `fit`.

    `dropout` gives the seed of its masks, `seen` what the generator sees of its inputs; `more` is as in GAN.
    """
    wrapped = group.wrap(networks.to(memory_format=form.memory_format))

    def step(index: int, pair: Pair) -> Losses:
        if networks.average is not None:
            update_average(networks.average, networks.generator, networks.options.average, index)
        targets = pair.targets.to(memory_format=form.memory_format)
        losses: Losses = wrapped(pair.inputs, targets, dropout(index), seen(index, pair.inputs), more, form)
        return losses

    return step


def optimizers(
    networks: GAN[G],
    options: TrainTranslateOptions | TrainEnlargeOptions,
    betas: tuple[float, float] = BETAS,
) -> list[torch.optim.Optimizer]:
    """Optimizers of the generator and, if there is one, of the discriminator."""
    sides: list[tuple[nn.Module | None, float]] = [
        (networks.generator, 1.0),
        (networks.discriminator, options.discriminator_rate),
    ]
    return [
        torch.optim.Adam(side.parameters(), rate * options.learning_rate, betas, fused=True)
        for side, rate in sides
        if side is not None
    ]


def dropout_seed(seed: int, index: int, rank: int) -> int:
    """Seed of a step's dropout masks: a function of these alone, so that a broken run can go on."""
    return int(np.random.default_rng((seed, index, rank)).integers(2**63))


def perceptual_loss(
    extractor: Extractor,
    form: Form,
    weight: float = 1.0,
    layers: Layers = _EVENLY,
) -> PictureLoss:
    """Mean absolute difference of features over the mean size of the target's; the mean over layers.

    It is 0 at the target and about 1 for a picture without features, whatever the network.
    """
    network = copy.deepcopy(extractor).to(form.dtype).to(memory_format=form.memory_format)
    padding, share = borderless(extractor), dict(shares(layers))

    def evaluate(image: Tensor, targets: Tensor) -> Tensor:
        with torch.no_grad():
            features = network(form(colored(targets)), share, padding=padding)
        errors = []
        for name, x in network.walk(form(colored(image)), set(share), padding=padding):
            target = features[name].float()
            size = target.abs().mean().clamp_min(1e-6)
            errors.append(share[name] * F.l1_loss(x.float(), target) / size)
        return weight * torch.stack(errors).sum()

    return evaluate


def new_pix2pix(options: TrainTranslateOptions, inputs: int, outputs: int) -> GAN[PictureNetwork]:
    """Build the networks for pictures of so many channels, with random weights (Isola et al. 2017).

    Raises InputError if a crop is too small for the discriminator.
    """
    adversarial = options.gan_weight or options.feature_weight
    generator = build(architecture_for(options, inputs, outputs))
    initialize(generator, options.seed)
    if not adversarial:
        return GAN(generator, None, options)
    discriminator = PatchDiscriminator(discriminator_for(options, inputs, outputs))
    initialize(discriminator, options.seed + 1)
    return GAN(generator, discriminator, options)


def architecture_for(options: TrainTranslateOptions, inputs: int, outputs: int) -> PictureArchitecture:
    """Architecture of the generator; dropout is where Isola et al. 2017 have it."""
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
            grain=options.grain,
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
        dropout=tuple(layer for layer in DROPOUT_LAYERS if layer < depth) if options.dropout else (),
        grain=options.grain,
    )


def deepest(crop: int, upsampling: str) -> int:
    """Most halvings of a crop, up to DEEPEST, with padding by an eighth at most.

    One pixel must be left, two if upsampling copies nearest pixels: copies of one pixel have no variance, and
    the norm that follows would set them to 0.
    """
    least = 2 if upsampling == "resize" else 1
    padded = {depth: padded_to(crop, depth) for depth in range(1, DEEPEST + 1)}
    return max(depth for depth, side in padded.items() if 8 * side <= 9 * crop and side >= least * 2**depth)


def padded_to(crop: int, depth: int) -> int:
    """Side of a crop padded to a multiple of 2**depth."""
    return -(-crop >> depth) << depth


def margin_of(config: PictureArchitecture, crop: int) -> int:
    """Pixels by which crops are padded, as pictures are to be that it translates; 0 of residual networks."""
    return padded_to(crop, config.halvings) - crop if isinstance(config, UNetArchitecture) else 0


def blocked(config: PictureArchitecture, crop: int) -> bool:
    """Whether crops shrink to one pixel, whose copies the norm sets to 0; see `deepest`."""
    copies = isinstance(config, UNetArchitecture) and config.upsampling == "resize" and config.norm != "none"
    return copies and padded_to(crop, config.halvings) == 2**config.halvings


def discriminator_for(options: TrainTranslateOptions, inputs: int, outputs: int) -> PatchArchitecture:
    """Architecture of the discriminator; InputError if a crop is too small for it."""
    config = PatchArchitecture(
        inputs=outputs + (inputs if options.conditional else 0),
        width=options.discriminator_width,
        halvings=HALVINGS[int(options.field)],
        norm=options.norm,
        scales=options.scales,
        spectral=options.spectral,
    )
    if options.crop < (least := smallest_side(config)):
        raise InputError(
            f"--crop is {options.crop} and --field {options.field} with --scales {options.scales} wants "
            f"{least} pixels at least: use --crop {least} or a smaller --field"
        )
    return config
