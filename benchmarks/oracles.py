"""Print the measured error of each oracle of the gradient pictures, dreams, inversions and textures.

    python benchmarks/oracles.py [NETWORK]

The network is one of `styler weights list`, the built-in one by default; captum and SciPy are in the extra
`test`. The same oracles are tests, with random networks: tests/tasks/see, tests/tasks, tests/losses.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop, Saliency
from scipy.stats import spearmanr
from seeing import PHOTO, modules_of
from torch import Tensor, nn

from styler.classifiers import SCORES, HeadedVGG, activation
from styler.engine.parameterization import FourierImage
from styler.events import Step, result_of
from styler.features import Extractor, pool, rectify
from styler.losses.perceptual import gradient_norm
from styler.networks.vgg import random_convolutions
from styler.options.see import DreamOptions, ImagineOptions
from styler.options.synthesis import InvertOptions
from styler.storage.models import vgg
from styler.storage.pictures.load import load_picture
from styler.tasks import synthesis
from styler.tasks.see import dream, imagine
from styler.tasks.see.gradients import METHODS, gradient_at, gradient_of, saliency, strongest
from styler.tasks.see.units import Unit, value_of
from styler.ui.cli import styler

CAPTUM = {"gradient": Saliency, "guided": GuidedBackprop, "deconv": Deconvolution}

RANDOM = Extractor("vgg19", random_convolutions("vgg19", (16,) * 5))
"""A whole VGG-19, narrow, in place of a network that has no fifth pooling, or other borders than zeros."""


def relative(x: Tensor, y: Tensor) -> float:
    """Largest difference over the largest value."""
    return float((x - y).abs().max() / y.abs().max())


def toy(network: Extractor, image: Tensor) -> str:
    """O1: captum's toy network; the three pictures as its test has them."""
    worst = 0.0
    rows = {"gradient": "0111011101110000", "guided": "0111133213321221", "deconv": "2331355235521221"}
    for method, digits in rows.items():
        x = torch.arange(16.0).view(1, 1, 4, 4).requires_grad_()
        y = rectify(F.conv2d(x, torch.ones(2, 1, 3, 3), torch.tensor([-50.0, -75.0])), method).flatten(1)
        out = rectify(F.linear(y, torch.tensor([1.0, 1, 1, 1, 1, -1, -1, -1]).expand(4, 8)), method)[0, 0]
        (gradient,) = torch.autograd.grad(out, x)
        worst = max(worst, float((gradient.flatten() - torch.tensor([float(d) for d in digits])).abs().max()))
    return f"{worst:.0e}"


def class_score(network: Extractor, image: Tensor) -> str:
    """O2: a class score of a whole VGG, its head of random values, against captum; relative."""
    draw = torch.Generator().manual_seed(1)
    whole = network if "pool5" in network.layers else RANDOM
    sides = [(64, 49 * whole.widths()["pool5"]), (64, 64), (10, 64)]
    head = [(0.1 * torch.randn(side, generator=draw), torch.randn(side[0], generator=draw)) for side in sides]
    linear = [nn.Linear(weight.shape[1], len(weight)) for weight, _ in head]
    for module, (weight, bias) in zip(linear, head, strict=True):
        module.load_state_dict({"weight": weight, "bias": bias})
    top = [nn.AdaptiveAvgPool2d(7), nn.Flatten(), linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2]]
    net, seen = nn.Sequential(*modules_of(whole).values(), *top).eval(), whole.normalize(image)
    errors = []
    for method in METHODS:
        more = {"abs": False} if method == "gradient" else {}
        theirs = CAPTUM[method](net).attribute(seen.clone().requires_grad_(), target=3, **more)
        theirs = (theirs.flip(1) if whole.normalization.order == "bgr" else theirs) / whole.std
        errors.append(relative(gradient_of(HeadedVGG(whole, head), image, Unit(SCORES, 3), method), theirs))
    return " ".join(f"{method} {error:.1e}" for method, error in zip(METHODS, errors, strict=True))


def unpooling(network: Extractor, image: Tensor) -> str:
    """O4: unpooling and transposed convolutions, written out, at conv2_2; relative."""
    network = network if network.padding == "zero" else RANDOM
    modules, x, switches, sides = modules_of(network), image, [], []
    names = network.layers[: network.layers.index("conv2_2") + 1]
    first = modules[names[0]]
    with torch.no_grad():
        x = network.normalize(image)
        for name in names:
            sides.append(x.shape)
            if name.startswith("pool"):
                x, indices = F.max_pool2d(x, 2, return_indices=True)
                switches.append(indices)
            else:
                x = modules[name](x)
        signal, place = torch.zeros_like(x), torch.unravel_index(x.argmax(), x.shape)
        signal[place] = 1
        for name, side in zip(reversed(names), reversed(sides), strict=True):
            if name.startswith("conv"):
                signal = F.conv_transpose2d(signal, modules[name].weight, padding=1)
            elif name.startswith("relu"):
                signal = signal.clamp_min(0)
            else:
                signal = F.max_unpool2d(signal, switches.pop(), 2, output_size=side)
    assert isinstance(first, nn.Conv2d)
    signal = (signal.flip(1) if network.normalization.order == "bgr" else signal) / network.std
    return f"{relative(gradient_at(network, image, 'conv2_2', lambda x: x[place], 'deconv'), signal):.1e}"


def sums(network: Extractor, image: Tensor) -> str:
    """O5: sums over places against the picture of a sum, relu3_1; relative, small for the gradient alone."""
    image = image[..., :24, :24]
    side, found = activation(network, image, "relu3_1").shape[-1], []
    for method in METHODS:
        whole = gradient_at(network, image, "relu3_1", lambda x: x[0, 0].sum(), method)
        places = [(row, column) for row in range(side) for column in range(side)]
        values = [lambda x, r=row, c=column: x[0, 0, r, c] for row, column in places]
        parts = [gradient_at(network, image, "relu3_1", value, method) for value in values]
        found.append(f"{method} {relative(torch.stack(parts).sum(0), whole):.1e}")
    return " ".join(found)


def averaged(network: Extractor, image: Tensor) -> str:
    """O6: deconvnet pictures of two photos through average pooling, which differ by nothing."""
    pictures = []
    for seen in (image, image.flip(3)):
        x = seen.clone().requires_grad_()
        y = rectify(F.conv2d(x, network.get_buffer("conv1_1_weight")), "deconv")
        pictures.append(torch.autograd.grad(rectify(pool(y, "average"), "deconv")[0, 0].sum(), x)[0])
    return f"{float((pictures[0] - pictures[1]).abs().max()):.0e}"


def support(network: Extractor, image: Tensor) -> str:
    """O7: largest gradient of a unit outside of its receptive field, over layers and methods."""
    worst, fields, size = 0.0, network.receptive_fields(), image.shape[-2:]
    for layer in ("conv1_2", "pool2", "relu3_2", "conv4_1"):
        x = activation(network, image, layer)
        row, column = x.shape[-2] // 2, x.shape[-1] // 3
        box = fields[layer].box(row, column, *size)
        for method in METHODS:
            value = lambda x, r=row, c=column: x[0, :, r, c].sum()  # noqa: E731
            gradient = gradient_at(network, image, layer, value, method)
            gradient[(..., *box)] = 0
            worst = max(worst, float(gradient.abs().max()))
    return f"{worst:.0e}"


def positive(network: Extractor, image: Tensor) -> str:
    """O9: with positive weights the three methods are one; relative."""
    weights = {n: (w.abs(), b.abs()) for n, (w, b) in random_convolutions("vgg19", (8,) * 5).items()}
    net = Extractor("vgg19", weights)
    shifted = image + net.mean.amax()
    pictures = [gradient_of(net, shifted, Unit("relu3_1", 2), method) for method in METHODS]
    return f"{max(relative(picture, pictures[0]) for picture in pictures):.0e}"


def unchanged(network: Extractor, image: Tensor) -> str:
    """O8, O10: the same picture twice, and the same features after; largest differences."""
    before = activation(network, image, "relu4_1").clone()
    first, second = (gradient_of(network, image, Unit("relu4_1"), "guided") for _ in range(2))
    after = activation(network, image, "relu4_1")
    return f"{float((first - second).abs().max()):.0e}, {float((before - after).abs().max()):.0e}"


def randomized(network: Extractor, image: Tensor) -> str:
    """O11: rank correlation of saliency maps with those of random weights; Adebayo et al. 2018."""
    draw, found = torch.Generator().manual_seed(1), list[str]()
    weights = {
        name: (w.std() * torch.randn(w.shape, generator=draw), 0 * b)
        for name in network.layers
        if name.startswith("conv")
        for w, b in [(network.get_buffer(f"{name}_weight"), network.get_buffer(f"{name}_bias"))]
    }
    other = Extractor(network.network, weights)
    for method in ("gradient", "guided"):
        maps = [saliency(gradient_of(n, image, Unit("relu4_1"), method)).flatten() for n in (network, other)]
        found.append(f"{method} {spearmanr(*maps).statistic:.2f}")
    return " ".join(found)


def inverted(network: Extractor, image: Tensor) -> str:
    """O12: relative errors of inversions without a regularizer, 32 pixels; zero from the picture itself.

    The error of maxima of few channels has local minima: at pool1, of the built-in network's 32, it stays at
    6e-3 for 4000 steps, and falls to 2e-9 from 0.001 beside the picture and to 1e-5 with average pooling; of
    64 random channels to 1e-13, of 32 to 1e-2.
    """
    wanted, found = image[..., :32, :32], []
    options = InvertOptions(regularizer="none", steps=200)
    walk = synthesis.walk_of(network, options)
    for layer in ("conv1_1", "relu1_1", "pool1", "relu2_1"):
        features = dict(walk(wanted, {layer}))[layer]
        run = synthesis.invert(features, layer, synthesis.noise(wanted, 0), network, options)
        errors = [e.losses["features"] for e in run if isinstance(e, Step) and e.losses]
        found.append(f"{layer} {min(errors):.0e}")
    return " ".join(found)


def variation(network: Extractor, image: Tensor) -> str:
    """O14: total variation of a ramp of 8 x 8 (728), and the gradient at a flat picture (0)."""
    ramp = (2 * torch.arange(8.0)[:, None] + 3 * torch.arange(8.0))[None, None]
    flat = torch.full((1, 3, 8, 8), 0.3, requires_grad=True)
    (gradient,) = torch.autograd.grad(gradient_norm(flat, 1.0), flat)
    return f"{float(gradient_norm(ramp)) * ramp.numel():.4f}, {float(gradient.abs().max()):.0e}"


def spectra(network: Extractor, image: Tensor) -> str:
    """O15: a photo to spectra and back; largest difference."""
    return f"{float((FourierImage.of(image)() - image).detach().abs().max()):.1e}"


def dreams(network: Extractor, image: Tensor) -> str:
    """O16, O17, O18: mean step of 255, difference after no steps, excitation before and after four."""
    value, middle = value_of(network, Unit("relu3_1")), 0.25 + image / 2

    def dreamed(steps: int) -> Tensor:
        options = DreamOptions(steps=steps, octaves=1)
        return result_of(dream.dream(middle, lambda: ("", value), options))

    one, none, four = dreamed(1), dreamed(0), dreamed(4)
    step, still = 255 * float((one - middle).abs().mean()), float((none - middle).abs().max())
    return f"{step:.6f}, {still:.0e}, {float(value(middle)):.3f} -> {float(value(four)):.3f}"


def excited(network: Extractor, image: Tensor) -> str:
    """O18: excitation of a channel before and after, of both forms of imagine."""
    unit, found = Unit("conv3_1", 2), []
    for plain in (False, True):
        score = [
            value_of(network, unit)(x)
            for x in (
                result_of(imagine.imagine(network, unit, (48, 48), ImagineOptions(steps=steps, plain_=plain)))
                for steps in (1, 24)
            )
        ]
        found.append(f"{float(score[0]):.3f} -> {float(score[1]):.3f}")
    return "; ".join(found)


def gram(network: Extractor, image: Tensor) -> str:
    """O19: gradient of the Gram error (Gatys et al. 2015, eq. 6) by hand against autograd; relative."""
    x, y = torch.rand(2, 3, 40, dtype=torch.float64)
    x.requires_grad_()
    grams = [z @ z.T for z in (x, y)]
    (gradient,) = torch.autograd.grad((grams[0] - grams[1]).square().sum() / (4 * 3**2 * 40**2), x)
    by_hand = ((grams[0] - grams[1]) @ x / (3**2 * 40**2)).detach()
    return f"{relative(gradient, by_hand):.0e}"


def counts(network: Extractor, image: Tensor) -> str:
    """O20: parameters of the paper's texture model at each depth."""
    widths = (64, 64, 128, 256, 512)
    return " ".join(f"{synthesis.count(widths[: depth + 1], 'gram'):,}" for depth in range(5))


def order(network: Extractor, image: Tensor) -> str:
    """O21: places at which the order of maps differs from NumPy's of their sums."""
    x = activation(network, image, "relu3_1")
    found = [one.channel for one in strongest("relu3_1", x, 9)]
    expected = np.argsort(-x[0].double().sum((1, 2)).numpy(), kind="stable")[:9].tolist()
    return f"{sum(a != b for a, b in zip(found, expected, strict=True))} of 9"


def repeated(network: Extractor, image: Tensor) -> str:
    """O22: hashes of a dream made twice, and with another seed."""
    hashes = []
    with tempfile.TemporaryDirectory() as folder:
        for index, seed in enumerate((0, 0, 1)):
            words = f"dream {PHOTO} --size 96 --steps 2 --octaves 1 --seed {seed} -q -o {folder}/{index}.png"
            styler.main(words.split(), standalone_mode=False, obj={})
            hashes.append(hashlib.sha256(Path(folder, f"{index}.png").read_bytes()).hexdigest()[:8])
    return " ".join(hashes)


ORACLES: dict[str, Callable[[Extractor, Tensor], str]] = {
    "O1": toy,
    "O2": class_score,
    "O4": unpooling,
    "O5": sums,
    "O6": averaged,
    "O7": support,
    "O8 O10": unchanged,
    "O9": positive,
    "O11": randomized,
    "O12": inverted,
    "O14": variation,
    "O15": spectra,
    "O16 O17 O18": dreams,
    "O18": excited,
    "O19": gram,
    "O20": counts,
    "O21": order,
    "O22": repeated,
}


def main() -> None:
    """Print a line for each; O3 is `python benchmarks/seeing.py oracles`."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # captum's, of its hooks
    network, image = vgg.load((sys.argv[1:] or ["compact"])[0]), load_picture(PHOTO, long_side=96).image
    for name, oracle in ORACLES.items():
        text = " ".join((oracle.__doc__ or "").partition(": ")[2].split())
        print(f"{name:12}{oracle(network, image):60}{text}", flush=True)


if __name__ == "__main__":
    main()
