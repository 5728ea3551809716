"""Print how far gradient pictures are from captum's, and the CPU seconds of each command at 512 pixels.

    python benchmarks/seeing.py oracles [NETWORK ...]
    python benchmarks/seeing.py times

Networks are those of `styler weights list`; without any, the built-in one. captum is in the extra `test`.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
from captum.attr import NeuronDeconvolution, NeuronGradient, NeuronGuidedBackprop
from torch import Tensor, nn

from styler.classifiers import activation
from styler.engine.parameterization import FourierImage
from styler.features import Extractor
from styler.storage.models import vgg
from styler.storage.pictures.load import load_picture
from styler.tasks.see.gradients import gradient_at
from styler.ui.cli import styler

PHOTO = Path(__file__).parents[1] / "examples" / "cat.jpg"
LAYERS = ("conv1_1", "conv2_1", "relu3_1", "conv4_2", "relu5_1")
METHODS = {"gradient": NeuronGradient, "guided": NeuronGuidedBackprop, "deconv": NeuronDeconvolution}
COMMANDS = {
    "saliency of a layer, three methods": f"saliency {PHOTO} --size 512 --layer relu4_2",
    "features, 5 layers of 9 maps": f"features {PHOTO} --size 512",
    "imagine, 20 steps": "imagine --size 512 --channel conv4_2:17 --steps 20",
    "dream, 4 octaves of 10 steps": f"dream {PHOTO} --size 512",
    "invert, one layer, 20 steps": f"invert {PHOTO} --size 512 --layers relu3_1 --seeds 1 --steps 20",
    "texture, 4 steps": "texture waves --size 512 --steps 4 --coarse-steps 4",
}


def main() -> None:
    """Print what is asked for."""
    what, names = (sys.argv[1:2] or ["oracles"])[0], sys.argv[2:] or ["compact"]
    image = load_picture(PHOTO, long_side=160).image
    if what == "times":
        times()
        return
    back = float((FourierImage.of(image)() - image).detach().abs().max())
    print(f"a photo, to spectra and back: largest difference {back:.1e}")
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # captum's, of its hooks
            against_captum(name, image)


def against_captum(name: str, image: Tensor) -> None:
    """Print largest differences of gradients of a unit and of a map, relative to their largest values."""
    network = vgg.load(name)
    modules = modules_of(network)
    net, seen = nn.Sequential(*modules.values()).eval(), network.normalize(image)
    print(f"{name}: {'layer':9}{'method':10}{'unit':>9}{'sum':>9}")
    for layer in LAYERS:
        x = activation(network, image, layer)
        c, row, column = (int(i) for i in torch.unravel_index(x[0].argmax(), x.shape[1:]))
        for method, kind in METHODS.items():
            errors = []
            for selector, value in (
                ((c, row, column), lambda x, at=(0, c, row, column): x[at]),
                (lambda x, c=c: x[:, c].sum((1, 2)), lambda x, c=c: x[0, c].sum()),
            ):
                theirs = kind(net, modules[layer]).attribute(seen.clone().requires_grad_(), selector)
                theirs = (theirs.flip(1) if network.normalization.order == "bgr" else theirs) / network.std
                ours = gradient_at(network, image, layer, value, method)
                errors.append(float((ours - theirs).abs().max() / theirs.abs().max()))
            print(f"{'':{len(name) + 2}}{layer:9}{method:10}{errors[0]:9.1e}{errors[1]:9.1e}")


def modules_of(network: Extractor) -> dict[str, nn.Module]:
    """The same VGG of torch's modules, by layer."""
    modules: dict[str, nn.Module] = {}
    for name in network.layers:
        if name.startswith("conv"):
            weight = network.get_buffer(f"{name}_weight")
            mode = "zeros" if network.padding == "zero" else network.padding
            modules[name] = nn.Conv2d(weight.shape[1], len(weight), 3, padding=1, padding_mode=mode)
            modules[name].load_state_dict({"weight": weight, "bias": network.get_buffer(f"{name}_bias")})
        else:
            modules[name] = nn.ReLU() if name.startswith("relu") else nn.MaxPool2d(2)
    return modules


def times() -> None:
    """Run each command on one thread, and print the seconds of its core, which other work hardly changes."""
    torch.set_num_threads(1)
    for name, words in COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:
            begun = time.process_time()
            more = ["--threads", "1", "-q", "-o", f"{folder}/made.png"]
            styler.main([*words.split(), *more], standalone_mode=False, obj={})
        print(f"{name}: {time.process_time() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    main()
