"""Repeat the ablations of Isola et al. 2017 in small, and check that they come out as in the paper.

    python benchmarks/translate_ablation.py [--results FILE] [--seeds 0,1] [--steps 1800]

400 pairs to learn from and 100 to be judged by, 64 pixels wide: see regions.py. A U-Net of 6 halvings and
width 16, pairs in batches of 4, all else as in the paper: batch norms with the picture's own moments, dropout
when translating too, no average of weights, a constant learning rate. In place of an FCN that reads street
scenes, a small network that was trained on the real pictures tells how many pixels it recognizes.

A training takes one to three minutes of one core. Each result goes to FILE at once, and trainings that are
there are not repeated. Ends with exit code 1 if a claim does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from regions import Regions, Score, Scorer, drawn, regions, score, trained_scorer

from styler.image.conditions import Pair
from styler.networks.kinds import PictureNetwork
from styler.networks.layers import Mode
from styler.options.translate import TrainTranslateOptions
from styler.storage import disk
from styler.tasks.train_translate import new_pix2pix, train_translate

PAIRS, JUDGED, SIDE, SCORER_STEPS = 400, 100, 64, 500
PAPER: dict[str, Any] = {
    "norm": "batch",
    "upsampling": "transposed",
    "dropout": True,
    "gan": "bce",
    "decay": "constant",
    "average": 0.0,
    "batch": 4,
    "width": 16,
    "discriminator_width": 16,
    "field": "16",
    "crop": SIDE,
    "precision": "float32",
}
L1: dict[str, Any] = {"gan_weight": 0.0}
GAN: dict[str, Any] = {"l1_weight": 0.0, "conditional": False}
CGAN: dict[str, Any] = {"l1_weight": 0.0}
L1_GAN: dict[str, Any] = {"conditional": False}
L1_CGAN: dict[str, Any] = {}
SEVERED: dict[str, Any] = {"generator": "encoder-decoder"}


@dataclass(frozen=True)
class Row:
    """One training of a table: what it changes of PAPER, and the paper's pixel accuracy and class IoU."""

    name: str
    changes: Mapping[str, Any]
    paper: Score


TABLES: dict[str, Sequence[Row]] = {
    "Loss (Table 1 of the paper), field 16": (
        Row("L1", L1, Score(0.42, 0.11)),
        Row("GAN, unconditional", GAN, Score(0.22, 0.01)),
        Row("cGAN", CGAN, Score(0.57, 0.16)),
        Row("L1+GAN", L1_GAN, Score(0.64, 0.15)),
        Row("L1+cGAN", L1_CGAN, Score(0.66, 0.17)),
    ),
    "Field of the discriminator (Table 3), L1+cGAN": (
        Row("1", {"field": "1"}, Score(0.39, 0.10)),
        Row("16", L1_CGAN, Score(0.65, 0.17)),
        Row("34; in the paper 70", {"field": "34"}, Score(0.66, 0.17)),
        Row("whole picture: 70; 286", {"field": "70"}, Score(0.42, 0.11)),
    ),
    "PictureNetwork (Table 2)": (
        Row("encoder-decoder, L1", SEVERED | L1, Score(0.35, 0.08)),
        Row("encoder-decoder, L1+cGAN", SEVERED | L1_CGAN, Score(0.29, 0.05)),
        Row("U-Net, L1", L1, Score(0.48, 0.13)),
        Row("U-Net, L1+cGAN", L1_CGAN, Score(0.55, 0.14)),
    ),
}
Results = Callable[[Mapping[str, Any]], Score]
"""What is changed of PAPER -> the mean score over seeds."""


def main() -> None:
    """Train what is not yet trained, print the tables and the claims."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--results", type=Path, default=Path("translate_ablation.json"))
    words.add_argument("--seeds", default="0", help="trainings of each kind, of which the means are shown")
    words.add_argument("--steps", type=int, default=1800)
    chosen = words.parse_args()
    torch.set_num_threads(1)
    real, test = regions(PAIRS, SIDE, seed=0), regions(JUDGED, SIDE, seed=1)
    scorer = trained_scorer(real, SCORER_STEPS)
    seeds = [int(seed) for seed in chosen.seeds.split(",")]

    def measure(options: TrainTranslateOptions) -> Score:
        return score_of(trained(options, real), scorer, test)

    known = completed(chosen.results, seeds, chosen.steps, measure)

    def results(changes: Mapping[str, Any]) -> Score:
        found = [known[key_of(changes, seed, chosen.steps)] for seed in seeds]
        return Score(*map(mean, zip(*found, strict=True)))

    print_tables(results, score(scorer, test.pair.targets, test.classes))
    sys.exit(0 if print_claims(results) else 1)


def completed(
    path: Path, seeds: Sequence[int], steps: int, measure: Callable[[TrainTranslateOptions], Score]
) -> dict[str, Score]:
    """The results of all rows and seeds: those in the file, and those that are measured and put there."""
    known = read(path)
    for seed, row in [(seed, row) for seed in seeds for rows in TABLES.values() for row in rows]:
        key = key_of(row.changes, seed, steps)
        if key not in known:
            known[key] = measure(options_for(row.changes, seed, steps))
            disk.write(path, json.dumps(known, indent=1).encode())
            print(f"{row.name}, seed {seed}: {known[key].accuracy:.2f}", file=sys.stderr, flush=True)
    return known


def read(path: Path) -> dict[str, Score]:
    """The results of a file; none if it is not there."""
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return {key: Score(*values) for key, values in found.items()}


def options_for(changes: Mapping[str, Any], seed: int, steps: int) -> TrainTranslateOptions:
    """The paper's options in small, with changes."""
    return TrainTranslateOptions(**{**PAPER, **changes}, seed=seed, steps=steps, save=steps)


def key_of(changes: Mapping[str, Any], seed: int, steps: int) -> str:
    """By what a result is found again."""
    return json.dumps({**PAPER, **changes, "seed": seed, "steps": steps}, sort_keys=True)


def trained(options: TrainTranslateOptions, real: Regions) -> PictureNetwork:
    """A generator that was trained as the options say."""
    networks = new_pix2pix(options, 3, 3)
    pair = real.pair

    def batch(step: int) -> Pair:
        chosen = drawn(len(pair.inputs), options.batch, step, options.seed)
        return Pair(pair.inputs[chosen], pair.targets[chosen])

    deque(train_translate(networks, None, batch, options), 0)  # all of it, and nothing kept
    return networks.averaged


@torch.inference_mode()
def score_of(generator: PictureNetwork, scorer: Scorer, test: Regions, seed: int = 0) -> Score:
    """How well its translations are recognized: as in the paper each by its own moments, and with dropout."""
    singly = enumerate(test.pair.inputs.split(1), seed)
    made = [generator(inputs, Mode("picture", dropout)) for dropout, inputs in singly]
    return score(scorer, torch.cat(made), test.classes)


def print_tables(results: Results, real: Score) -> None:
    """All tables, each row beside the paper's."""
    for title, rows in TABLES.items():
        print(f"\n{title:45} pixels   IoU    paper: pixels   IoU")
        for row in rows:
            ours = results(row.changes)
            print(
                f"{row.name:45} {ours.accuracy:6.2f} {ours.overlap:5.2f} "
                f"{row.paper.accuracy:16.2f} {row.paper.overlap:5.2f}"
            )
    print(f"{'real pictures':45} {real.accuracy:6.2f} {real.overlap:5.2f} {0.80:16.2f} {0.21:5.2f}")


def print_claims(results: Results) -> bool:
    """What the paper found and must be found here too; whether it was.

    Of the collapse the IoU tells: pictures that have nothing to do with their labels get 1/8 of the pixels
    right by chance, and an IoU of 1/15. In the paper a discriminator that sees the whole picture does worse
    than one of patches. Of pictures as small as these it does as well, so that is all that is claimed.
    """

    def accuracy(changes: Mapping[str, Any]) -> float:
        return results(changes).accuracy

    both, middle = accuracy(L1_CGAN), max(accuracy(L1_CGAN), accuracy({"field": "34"}))
    severed = max(accuracy(SEVERED | L1), accuracy(SEVERED | L1_CGAN))
    claims = {
        "an unconditional GAN collapses: IoU below 0.1": results(GAN).overlap < 0.1,
        "L1+cGAN beats L1 by 0.05 or more": both >= accuracy(L1) + 0.05,
        "a middle field beats single pixels": middle > accuracy({"field": "1"}),
        "to see the whole picture gains nothing": middle >= accuracy({"field": "70"}) - 0.03,
        "U-Nets beat encoder-decoders": min(accuracy(L1), both) > severed,
    }
    print()
    for claim, holds in claims.items():
        print(f"{'holds' if holds else 'FAILS'}: {claim}")
    return all(claims.values())


if __name__ == "__main__":
    main()
