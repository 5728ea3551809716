"""What a training leaves to look at: a log, loss curves, and a grid of pictures as they get better."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.engine.minimize import TrainingState
from styler.events import TrainStep, relayed
from styler.jobs.training.diary import Logbook
from styler.options.fast import TrainFastOptions
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet
from styler.tasks import faults
from styler.tasks.train_fast import Inputs

PREVIEW = "preview.png"
MOST = 6
"""Styles that a preview shows."""


class Diary:
    """The log, curves and preview of a training of `network`, all in one folder.

    Args:
        folder: where they are written.
        done: steps that are done already.
        samples: what the network makes pictures of, one each: photos [1, 3, H, W] or noise.
        styles: names and Images of the styles that are learned, the last ones of the network's.
        skipped: tells how many pictures could not be read so far.
    """

    def __init__(
        self,
        folder: Path,
        done: int,
        network: nn.Module,
        samples: Sequence[Inputs],
        styles: Sequence[tuple[str, Tensor]],
        options: TrainFastOptions,
        skipped: Callable[[], int],
    ) -> None:
        self.folder, self.network, self.samples, self.options = folder, network, samples, options
        self.styles, self.total = styles[:MOST], len(styles)
        self.log = Logbook(folder, done, options, skipped)
        self.painted: list[list[Tensor]] = []

    def keep(
        self, run: Generator[TrainStep | TrainingState, None, TrainingState]
    ) -> Generator[TrainStep | TrainingState, None, TrainingState]:
        """Pass on what a training yields; log each report, and draw after each state is dealt with."""
        return relayed(run, self._kept)

    def _kept(self, event: TrainStep | TrainingState) -> Iterator[TrainStep | TrainingState]:
        if isinstance(event, TrainStep) and event.losses:
            self.log.add(event)
        yield event
        if isinstance(event, TrainingState):
            self.draw()

    def draw(self) -> None:
        """Write curves and preview anew; `painted` has a row of Images for each style."""
        self.log.draw()
        self.painted = [
            [paint(self.network, sample, self._mix(style)) for sample in self.samples]
            for style in range(len(self.styles))
        ]
        heads = [style.cpu() for _, style in self.styles]
        rows = [[head, *row] for head, row in zip(heads, self.painted, strict=True)]
        labels = [name for name, _ in self.styles]
        shown = [sample for sample in self.samples if isinstance(sample, Tensor)]
        if shown:
            blank = torch.ones(1, 3, 16, 16)
            rows, labels = [[blank, *shown], *rows], ["", *labels]
        save_picture(self.folder / PREVIEW, sheet(rows, row_labels=labels), overwrite=True)

    def _mix(self, style: int) -> Tensor:
        known: int = self.network.config.styles  # type: ignore[union-attr, assignment]
        index = torch.tensor([known - self.total + style])
        return F.one_hot(index, known).float()

    def faults(self) -> list[str]:
        """What the last preview and the last losses show to be wrong, by style."""
        photos = [sample for sample in self.samples if isinstance(sample, Tensor)]
        found = [
            (name, faults.found(photos, painted, style.cpu()))
            for (name, style), painted in zip(self.styles, self.painted, strict=False)
        ]
        return [f"{name}: {fault}" for name, fault in found if fault] or self._far(bool(photos))

    def _far(self, photos: bool) -> list[str]:
        """A fault if the style errors, which are relative to those of photos, have not become less."""
        style = [loss for name, loss in self.log.journal.last["losses"].items() if name.startswith("style/")]
        if not self.options.style_weight or sum(style) < self.options.style_weight:
            return []
        other = "photos are" if photos else "blank paper is"
        return [f"it is no nearer to the style than {other}: {faults.MORE}"]


@torch.no_grad()
def paint(network: nn.Module, inputs: Inputs, mix: Tensor) -> Tensor:
    """The Image [1, 3, H, W] that a network makes of one photo or of noise, on the CPU."""
    place = next(network.parameters()).device
    moved = inputs.to(place) if isinstance(inputs, Tensor) else [noise.to(place) for noise in inputs]
    painted: Tensor = network(moved, mix.to(place))
    return painted.float().clamp(0, 1).cpu()
