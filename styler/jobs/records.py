"""A trained network at its place, and what is told of a picture that it made."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from styler import device, processes
from styler.image.size import Size
from styler.options.shared import PassOptions, Precision
from styler.storage.inputs import Job
from styler.storage.pictures.load import Picture
from styler.tasks import onepass
from styler.tasks.onepass import Bounded
from styler.version import __version__

Record = dict[str, Any]


class Studio(ABC):
    """A network and its options at their place: what the `count` inputs of a batch have in common.

    Attributes:
        command: which command it works for.
        name, sha256: of the network, for recipes.
        passes: how often the network goes over each picture.
    """

    command: ClassVar[str]

    def __init__(self, name: str, sha256: str, options: PassOptions, count: int) -> None:
        self.name, self.sha256, self.options, self.count = name, sha256, options, count
        self.place = processes.placed(device.choose(options.device))
        self.passes = 1
        self._worker: Bounded | None = None
        self._pace: float | None = None

    @abstractmethod
    def employ(self, options: PassOptions, sample: Tensor, work: int | None) -> Bounded:
        """What works on all pictures, suited to a sample [1, 3, H, W]; `work` as in `worker`."""

    @abstractmethod
    def particulars(self) -> Record:
        """Options that recipes have besides those that differ from the default and those of every command."""

    def refusal(self, job: Job) -> str:
        """Why a job does not suit the options, for an InputError; "" if it does."""
        return ""

    def finish(self, picture: Picture, worker: Bounded) -> Picture:
        """The picture that is made of one, which has the output's size already."""
        return replace(picture, image=worker(picture.image))

    @property
    def sampled(self) -> bool:
        """Whether it has seen a sample and needs no other."""
        return self._pace is not None

    def worker(
        self, sample: Tensor | None, pixels: int | None = None, precision: Precision | None = None
    ) -> Bounded:
        """What works on pictures; it finds out on the first sample [1, 3, H, W] how to work on all.

        `pixels` are those of one picture out of `count`, None for many. `precision`, if given, holds from
        here on.
        """
        if self._worker is None:
            assert sample is not None
            options = replace(self.options, precision=precision or self.options.precision)
            self._worker = self.employ(options, sample, pixels and pixels * self.count * self.passes)
        elif precision:
            self._worker.form = device.form_for(precision, self.place)
        return self._worker

    @property
    def precision(self) -> str:
        """The number type that the work is done in, as `--precision` takes it."""
        assert self._worker is not None
        return str(self._worker.form.dtype).removeprefix("torch.")

    def pace(self, sample: Tensor | None) -> float:
        """Seconds that a pixel takes, measured on the first sample."""
        if self._pace is None:
            assert sample is not None
            work, piece = self.worker(sample), onepass.shrunk(sample)
            work(piece)  # the first time takes longer
            begun = time.monotonic()
            work(piece)
            self._pace = self.passes * (time.monotonic() - begun) / (piece.shape[-2] * piece.shape[-1])
        return self._pace

    def recipe(self, more: Mapping[str, object]) -> Record:
        """What makes a picture and can make it again; no path, no time."""
        certain = {
            **self.particulars(),
            "seed": self.options.seed,
            "threads": torch.get_num_threads(),
            "precision": self.precision,
        }
        return {
            "version": 1,
            "command": self.command,
            "options": dict(sorted((self.options.changed() | certain).items())),
            "model": {"name": self.name, "sha256": self.sha256},
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
