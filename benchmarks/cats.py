"""Which terms of the loss make cats of drawings: the ablation behind `edges2cat`.

    python examples/render_cats.py 3000 -o cats/ && python examples/pair_cats.py cats/ -o pairs/
    python benchmarks/cats.py pairs/ [--steps 1500] [--crop 128] [--results FOLDER]

Trains the same network for as many steps with one term more in each row, on the same crops, and prints the
perceptual and the kernel distance of what it makes of drawings that were kept out, in brackets relative to
the first row's. Networks stay in the folder, and those that are there are not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from styler.events import result_of
from styler.jobs.training.translate import train_translate
from styler.options.translate import TrainTranslateOptions
from styler.storage import runs
from styler.storage.models import library

SHARED: dict[str, Any] = {
    "norm": "batch",
    "dropout": False,
    "width": 16,
    "halvings": 6,
    "batch": 2,
    "jitter": 1.35,
    "gan": "least-squares",
    "discriminator_width": 24,
    "discriminator_rate": 0.5,
    "learning_rate": 5e-4,
    "decay": "linear",
    "average": 0.995,
    "keep": "last",
    "threads": 1,
}
L1: dict[str, Any] = {"l1_weight": 30.0, "gan_weight": 0.0}
GAN: dict[str, Any] = {"l1_weight": 30.0, "gan_weight": 1.0}
FEATURES: dict[str, Any] = {"l1_weight": 10.0, "gan_weight": 3.0, "feature_weight": 8.0}
PERCEPTUAL: dict[str, Any] = {**FEATURES, "perceptual_weight": 6.0}
ROWS: dict[str, dict[str, Any]] = {
    "L1": L1,
    "L1, grain": {**L1, "grain": 0.04},
    "L1, GAN": GAN,
    "L1, GAN, features": FEATURES,
    "L1, GAN, features, perceptual": PERCEPTUAL,
    "L1, GAN, features, perceptual, dropout": {**PERCEPTUAL, "dropout": True},
    "L1, GAN, features, perceptual, grain": {**PERCEPTUAL, "grain": 0.04},
}


def main() -> None:
    """Train what is not trained yet, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pairs", help="folder of pair_cats.py")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--results", type=Path, default=Path("cats-ablation"))
    parser.add_argument("--rows", default=",".join(map(str, range(len(ROWS)))), help="numbers of rows")
    asked = parser.parse_args()
    print("| terms | perceptual distance | kernel distance |\n| --- | --- | --- |", flush=True)
    first: tuple[float, float] | None = None
    for index in map(int, asked.rows.split(",")):
        name, terms = list(ROWS.items())[index]
        scores = scored(asked, asked.results / f"{index}.safetensors", terms)
        first = first or scores
        cells = (f"{score:.3f} ({score / of:.2f})" for score, of in zip(scores, first, strict=True))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def scored(asked: argparse.Namespace, path: Path, terms: dict[str, Any]) -> tuple[float, float]:
    """Perceptual and kernel distance of a network that is trained with these terms, if it is not yet."""
    if not path.exists():
        options = TrainTranslateOptions(**{**SHARED, **terms}, steps=asked.steps, crop=asked.crop)
        begun = runs.folder_for(path).exists()
        result_of(train_translate(asked.pairs, str(path), options, resume=begun))
    scores = library.read_generator(path).card.information["validation"]
    return scores["perceptual"], scores["kernel"]


if __name__ == "__main__":
    main()
