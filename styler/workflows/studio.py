"""A trained network at its place, and what is told of a picture that it painted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from styler import __version__, device, distributed
from styler.device import Form
from styler.geometry import Size
from styler.networks.texture import TextureNetwork
from styler.networks.transform import TransformNetwork
from styler.options import FastOptions, Precision
from styler.storage import cards, models
from styler.storage.inputs import Job
from styler.storage.models import Model
from styler.tasks import fast as task
from styler.tasks import sampling
from styler.tasks.fast import Painter

Record = dict[str, Any]


class Studio:
    """A network at its place, with its styles mixed: what the `count` inputs of a batch have in common."""

    def __init__(self, path: Path, model: Model, options: FastOptions, count: int) -> None:
        self.model, self.options, self.count = model, options, count
        self.name = Path(options.model).name or path.stem
        self.place = distributed.placed(device.choose(options.device))
        self.mix = models.mix(model.card, options.style).to(self.place)
        self.network = model.network.to(self.place).eval()
        self._painter: Painter | None = None
        self._pace: float | None = None

    @property
    def sampled(self) -> bool:
        """Whether it has seen a sample and needs no other."""
        return self._pace is not None

    def painter(
        self, sample: Tensor | None, work: int | None = None, precision: Precision | None = None
    ) -> Painter:
        """The painter, which finds out on the first sample [1, 3, H, W] how to paint all.

        `work` is the pixels that will be painted in all, None for many. `precision`, if given, holds from
        here on.
        """
        if self._painter is None:
            assert sample is not None
            network = cast(TransformNetwork, self.network)
            options = replace(self.options, precision=precision or self.options.precision)
            self._painter = task.painter(network, self.mix, options, self.place, sample, work)
        elif precision:
            self._painter.form = device.form_for(precision, self.place)
        return self._painter

    def texture(self, size: Size) -> Tensor:
        """Texture of that (height, width) as an Image [1, 3, H, W] on the CPU."""
        return sampling.sample(
            cast(TextureNetwork, self.network), self.mix, size, self.options, self._texture_form
        )

    @property
    def precision(self) -> str:
        """The number type that painting is done in, as `--precision` takes it."""
        form = self._texture_form if self._painter is None else self._painter.form
        return str(form.dtype).removeprefix("torch.")

    @property
    def _texture_form(self) -> Form:
        return sampling.form_of(self.options, self.place)

    def pace(self, sample: Tensor | None) -> float:
        """Seconds that a pixel takes, measured on the first sample."""
        if self._pace is None:
            assert sample is not None
            paint, piece = self.painter(sample), task.shrunk(sample)
            paint(piece)  # the first time takes longer
            begun = time.monotonic()
            paint(piece)
            self._pace = (time.monotonic() - begun) / (piece.shape[-2] * piece.shape[-1])
        return self._pace

    def recipe(self, more: Mapping[str, object]) -> Record:
        """What makes a picture and can make it again; no path, no time."""
        certain = {
            "model": self.name,
            "style": self.options.style or styles_of(self.model, self.options)[0],
            "seed": self.options.seed,
            "threads": torch.get_num_threads(),
            "precision": self.precision,
        }
        return {
            "version": 1,
            "command": "fast",
            "options": dict(sorted((self.options.changed() | certain).items())),
            "model": {"name": self.name, "sha256": self.model.card.sha256},
            "styles": [],
            **more,
            "versions": {"styler": __version__, "torch": torch.__version__},
        }

    def record(self, job: Job, size: Size, begun: float) -> Record:
        """What is told of a picture that is done, by `console.JSON_KEYS`; it was begun at that time."""
        return {
            "input": job.source,
            "output": job.target,
            "seed": self.options.seed,
            "device": str(self.place),
            "seconds": round(time.monotonic() - begun, 2),
            "sizes": [list(size)],
        }


def styles_of(model: Model, options: FastOptions) -> list[str]:
    """The names in "waves:0.6,ink:0.4", or the model's only style if none is named."""
    return list(cards.weights(options.style)) if options.style else [model.card.styles[0].name]
