"""How well networks enlarge photos that they never saw: beside bicubic and Lanczos, and in which time.

    python benchmarks/enlarge.py PHOTOS [--factor 4] [--clean 0.3] [--count 21] [--detail 0 1] [--slim MODELS]
    python benchmarks/enlarge.py --upsampling PHOTOS --train MORE_PHOTOS [--steps 300]
    python benchmarks/enlarge.py PHOTOS --cards FILE [FILE ...]

PHOTOS is a folder that was kept out of training; we use the 21 photos of the Kodak set in ours, of 384 x 576
pixels. Each is shrunk, bicubic, or damaged mildly as well (a blur, noise and JPEG of half the strength that
`train-enlarge` draws), and enlarged again. Columns:

psnr, ssim: of the luma of BT.601, without 4 pixels at the borders, after rounding to levels.
feature: perceptual distance through the built-in network, relative to bicubic's.
grid: spread over its places of the mean difference to the truth at each place of a grid of FACTOR pixels, in
    levels; dots and checkerboards are seen from about 1 on.
back: mean difference to the input, in levels, when made small again; the truth's own for comparison.
time: CPU seconds of one thread from 512 x 512 pixels, in float32 and, where the machine multiplies it, in
    bfloat16; in strips, as the command works, and all at once.

With --slim FOLDER the networks of UpscalerJS are compared, too, which are small and under the MIT licence
as ours are: the folder `models` of what `npm pack @upscalerjs/esrgan-slim` fetches.
With --cards the networks in files are measured each by itself, as at the end of their training but on PHOTOS,
and the scores are written into their cards, which `styler models show` prints.
With --upsampling four small networks are trained, equal but for how they enlarge, and their grids printed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import get_args

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from styler.device import form_for
from styler.events import result_of
from styler.features import Extractor
from styler.image.degrade import shrunk
from styler.image.levels import from_pixels, to_levels, to_pixels, to_unit
from styler.jobs.enlarge import open_networks
from styler.jobs.training.enlarge import train_enlarge
from styler.losses.metrics import enlarging_scores, phase_spread
from styler.networks import strips
from styler.networks.enlarge import EnlargeNetwork
from styler.options.enlarge import EnlargeOptions, TrainEnlargeOptions, Way
from styler.storage.datasets.photos import find
from styler.storage.models import enlargers, library, vgg
from styler.storage.pictures.load import load_picture
from styler.tasks.enlarge.enlarger import STORED
from styler.tasks.enlarge.train import Pair, validate, validation_pairs

Enlarge = Callable[[Tensor], Tensor]
ROUNDS = 3


@dataclass(frozen=True)
class Row:
    """Mean figures of one way to enlarge."""

    psnr: float
    ssim: float
    feature: float
    grid: float
    back: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--factor", type=int, default=4, choices=(2, 4))
    parser.add_argument("--clean", type=float, default=EnlargeOptions().clean)
    parser.add_argument("--count", type=int, default=21)
    parser.add_argument("--model", default="")
    parser.add_argument("--detail", type=float, nargs="+", default=[0.0, 0.5, 1.0])
    parser.add_argument("--slim", type=Path)
    parser.add_argument("--cards", type=Path, nargs="+")
    parser.add_argument("--upsampling", action="store_true")
    parser.add_argument("--train", default="")
    parser.add_argument("--steps", type=int, default=300)
    words = parser.parse_args()
    torch.set_num_threads(1)
    photos = [load_picture(path).image for path in find(words.photos)[: words.count]]
    if words.upsampling:
        upsampling(photos, words.train, words.steps)
    elif words.cards:
        for path in words.cards:
            measure_card(path, photos, words.photos.name)
    else:
        others = {"slim": slim(words.slim / f"x{words.factor}")} if words.slim else {}
        compare(photos, words.factor, words.model, words.clean, words.detail, others)


def measure_card(path: Path, photos: Sequence[Tensor], name: str) -> None:
    """Validate the network in a file on photos, and write its scores into its card."""
    model = library.read(path)
    network, trained = enlargers.of(path, model).network, model.card.information["training"]["options"]
    options = TrainEnlargeOptions(
        **{key: trained[key] for key in ("factor", "blur", "noise", "jpeg", "seed")}
    )
    pairs = validation_pairs(photos, options, network.config.inputs)
    scores = validate(network, pairs, vgg.load("compact"))
    about = {"validation": scores, "validated on": f"{len(photos)} photos of {name}"}
    card = replace(model.card, information={**model.card.information, **about})
    library.write(path, replace(model, card=card))
    print(path.stem, *(f"  {kind}: {figures}" for kind, figures in scores.items()), sep="\n", flush=True)


def compare(
    photos: Sequence[Tensor],
    factor: int,
    model: str,
    clean: float,
    details: Sequence[float],
    others: Mapping[str, Enlarge],
) -> None:
    """Table of all ways to enlarge."""
    extractor = vgg.load("compact")
    ways: dict[str, Enlarge] = {
        "bicubic": pillow(factor, Image.Resampling.BICUBIC),
        "Lanczos": pillow(factor, Image.Resampling.LANCZOS),
        **others,
    }
    for detail in details:
        options = EnlargeOptions(model=model, detail=detail, clean=clean)
        network = open_networks(options, torch.device("cpu")).networks[factor]
        ways[f"detail {detail:g}"] = partial(network, mode=STORED)
    for kind, pairs in pairs_of(photos, factor).items():
        print(f"x{factor}, {len(pairs)} photos, {kind}, --clean {clean:g}")
        base = None
        for name, way in ways.items():
            row = measured(way, pairs, extractor)
            base = base or row
            print(
                f"  {name:<11} psnr {row.psnr:.2f}  ssim {row.ssim:.4f}"
                f"  feature {row.feature / base.feature:.3f}  grid {row.grid:.2f}  back {row.back:.2f}",
                flush=True,
            )
    print(times(network))


def pairs_of(photos: Sequence[Tensor], factor: int) -> Mapping[str, Sequence[Pair]]:
    """Photos shrunk, bicubic, and damaged mildly."""
    damaged = validation_pairs(photos, TrainEnlargeOptions(factor="4" if factor == 4 else "2"), 3)["damaged"]
    clean = []
    for photo in photos:
        height, width = (side // factor * factor for side in photo.shape[-2:])
        target = photo[..., :height, :width]
        clean.append(Pair(to_unit(to_levels(shrunk(target, factor))), target))
    return {"clean": clean, "damaged mildly": damaged}


@torch.inference_mode()
def measured(way: Enlarge, pairs: Sequence[Pair], extractor: Extractor) -> Row:
    """Means over pairs."""
    rows = []
    for small, target in ((pair.inputs, pair.targets) for pair in pairs):
        image = way(small).clamp(0, 1)
        factor = image.shape[-1] // small.shape[-1]
        scores = enlarging_scores(image, target, extractor)
        back = 255 * (shrunk(image, factor, "box") - shrunk(target, factor, "box")).abs().mean().item()
        grid = phase_spread(image, target, factor)
        rows.append(Row(scores["psnr"], scores["ssim"], scores["perceptual"], grid, back))
    return Row(*map(fmean, zip(*(vars(row).values() for row in rows), strict=True)))


def pillow(factor: int, way: Image.Resampling) -> Enlarge:
    """Enlargement by Pillow."""

    def enlarge(small: Tensor) -> Tensor:
        picture = Image.fromarray(to_pixels(small))
        size = (factor * picture.width, factor * picture.height)
        return from_pixels(np.array(picture.resize(size, way)))

    return enlarge


def slim(folder: Path) -> Enlarge:
    """The network in a folder of UpscalerJS (MIT), a graph of Keras, layer by layer."""
    about = json.loads((folder / "model.json").read_text())
    data, weights, start = b"", dict[str, Tensor](), 0
    for group in about["weightsManifest"]:
        data += b"".join((folder / name).read_bytes() for name in group["paths"])
        for entry in group["weights"]:
            values = np.frombuffer(data, np.float32, int(np.prod(entry["shape"])), start)
            weights[entry["name"]] = torch.from_numpy(values.reshape(entry["shape"]).copy())
            start += values.nbytes

    def enlarge(small: Tensor) -> Tensor:
        maps: dict[str, Tensor] = {}
        for layer in about["modelTopology"]["model_config"]["config"]["layers"]:
            name, config = layer["name"], layer["config"]
            given = [maps[node[0]] for node in layer["inbound_nodes"][0]] if layer["inbound_nodes"] else []
            match layer["class_name"]:
                case "InputLayer":
                    maps[name] = small
                case "Conv2D":
                    kernel = weights[f"{name}/kernel"].permute(3, 2, 0, 1)
                    maps[name] = F.conv2d(given[0], kernel, weights[f"{name}/bias"], padding="same")
                case "Activation":
                    maps[name] = given[0].relu()
                case "Concatenate":
                    maps[name] = torch.cat(given, 1)
                case "Add":
                    maps[name] = given[0] + given[1]
                case "UpSampling2D":
                    maps[name] = F.interpolate(given[0], scale_factor=config["size"][0], mode="nearest")
        return maps[name]

    return enlarge


def times(network: EnlargeNetwork) -> str:
    """Line with the CPU seconds for 512 x 512 pixels, in each number type that suits the machine."""
    image, parts = torch.rand(1, 3, 512, 512), []
    for form in {form_for(precision, torch.device("cpu")) for precision in ("float32", "auto")}:
        strip = strips.thinnest(network, 512, form.dtype)
        all_at_once, in_strips = (
            min(
                seconds(partial(strips.paint, network, image, STORED, rows, form=form)) for _ in range(ROUNDS)
            )
            for rows in (512, strip)
        )
        parts.append(
            f"{str(form.dtype).removeprefix('torch.')} {in_strips:.2f} s in strips of {strip} rows, as it "
            f"does; {all_at_once:.2f} s whole, {all_at_once / in_strips:.2f} times as long"
        )
    return "\n".join(parts)


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def upsampling(photos: Sequence[Tensor], dataset: str, steps: int) -> None:
    """Train small networks that differ in how they enlarge alone, and print their grids."""
    pairs, extractor = pairs_of(photos, 4)["clean"], vgg.load("compact")
    base = TrainEnlargeOptions(
        width=16, blocks=2, steps=steps, average=0.99, save=steps, clean_pairs=1, blur=0
    )
    for way in get_args(Way):
        output = f"upsampling-{way}.safetensors"
        result_of(train_enlarge(dataset, output, replace(base, upsampling=way), overwrite=True))
        network = enlargers.mixture(Path(output), 0, 0).network
        row = measured(partial(network, mode=STORED), pairs, extractor)
        print(f"{way:<11} psnr {row.psnr:.2f}  grid {row.grid:.2f}  {times(network)}", flush=True)


if __name__ == "__main__":
    main()
