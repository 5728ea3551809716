"""Log, curves, previews and scores of a training of a generator."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from styler.engine.fit import TrainingState
from styler.events import Note, TrainStep, relay
from styler.features import Extractor
from styler.image.conditions import Pair
from styler.jobs.training.diary import Logbook
from styler.networks.pix2pix import Mode
from styler.options.translate import TrainTranslateOptions
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet
from styler.tasks.train_translate import Pix2Pix
from styler.tasks.validate import Best, better_of, translate, validate

PREVIEW, PAIRS = "preview.png", "pairs.png"
MOST = 6
"""Pairs on a preview."""
CELL = 256
"""Their long sides in pixels."""
ABREAST = 2
"""Pairs side by side."""
WINS, LOSES, LONG = 0.95, 0.55, 10
"""Shares of right answers between which a discriminator teaches, and the reports in a row that count."""

Event = TrainStep | TrainingState | Note


@dataclass(eq=False)
class TranslateDiary:
    """The log and pictures of a training, all in the folder of `log`, and the best weights so far.

    Attributes:
        held: pairs of one picture each that are measured and shown, on the CPU.
        measured: whether they are; else they are shown only, as the training sees them too.
        extractor: the network that compares.
        mode: how the generator will be used.
    """

    log: Logbook
    networks: Pix2Pix
    held: Sequence[Pair]
    measured: bool
    extractor: Extractor
    mode: Mode
    options: TrainTranslateOptions
    best: Best | None = None
    warned: str = field(default="", init=False)

    def keep(
        self, run: Generator[TrainStep | TrainingState, None, TrainingState]
    ) -> Generator[Event, None, TrainingState]:
        """Pass on what a training yields; log reports, warn, and measure and draw around each state."""
        return relay(run, self._kept)

    def _kept(self, event: TrainStep | TrainingState) -> Iterator[Event]:
        if isinstance(event, TrainingState):
            if event.step % self.options.save == 0 or event.step == self.options.steps:
                self.measure(event.step)  # not where a run was interrupted: an unbroken one measures nothing
            yield event
            self.draw()
            return
        if event.losses:
            self.log.add(event, self._accuracy())
        yield event
        if event.losses:
            yield from self._warn()

    def _accuracy(self) -> dict[str, float]:
        judged = self.networks.discriminator is not None
        return {"accuracy": round(self.networks.accuracy.item(), 4)} if judged else {}

    def _warn(self) -> Iterator[Note]:
        """Tell of networks that are out of balance, once each time that they get so."""
        fault = self.imbalance()
        if fault and not self.warned:
            yield Note(fault)
        self.warned = fault

    def imbalance(self) -> str:
        """What is wrong with the networks, "" if nothing is."""
        shares = [share for _, share in self.log.journal.told("accuracy")]
        return imbalance(shares, self.options.discriminator_rate)

    def measure(self, step: int) -> None:
        """Score the averaged weights, log that, and keep them if they are the best so far."""
        generator = self.networks.averaged
        held = self.held if self.measured else ()
        scores = validate(generator, held, self.extractor, self.mode)
        self.best = better_of(self.best, step, scores, generator, self.options.keep)
        if scores:
            self.log.journal.add({"step": step, "validation": scores, "best": self.best.step})

    def beside(self) -> dict[str, Any]:
        """What a state must have beside it so that a broken run goes on with the same best weights."""
        return {"best": dict(vars(self.best))} if self.best else {}

    def draw(self) -> None:
        """Write curves and preview anew."""
        self.log.draw()
        save_picture(self.log.folder / PREVIEW, self.preview(), overwrite=True)

    def preview(self) -> Tensor:
        """The same few pairs each time, with what the averaged weights make of them: an Image."""
        shown = self.held[:MOST]
        made = [translate(self.networks.averaged, pair.inputs, self.mode).cpu() for pair in shown]
        rows = [[pair.inputs, image, pair.targets] for pair, image in zip(shown, made, strict=True)]
        return gallery(rows, ("input", "made", "real"))


def gallery(rows: Sequence[Sequence[Tensor]], labels: Sequence[str]) -> Tensor:
    """Rows of pictures under their labels, ABREAST rows side by side: an Image."""
    lines = [[x for row in rows[i : i + ABREAST] for x in row] for i in range(0, len(rows), ABREAST)]
    heads = [*labels] * min(ABREAST, len(rows))
    return sheet(lines, column_labels=heads, cell=CELL)


def imbalance(shares: Sequence[float], rate: float) -> str:
    """What the last LONG readings of a discriminator's right answers show to be wrong, "" if nothing.

    `rate` is its learning rate relative to the generator's.
    """
    late = shares[-LONG:]
    if len(late) < LONG:
        return ""
    if min(late) > WINS:
        return (
            f"the discriminator wins: it is right about {late[-1]:.0%} of real and made patches, and a judge "
            f"that nothing deceives teaches little; try --discriminator-rate {rate / 2:g} or more pairs"
        )
    if max(late) < LOSES:
        return (
            f"the discriminator guesses: it is right about {late[-1]:.0%} of real and made patches, and what "
            f"it teaches is noise; try --discriminator-rate {rate * 2:g} or a larger --discriminator-width"
        )
    return ""
