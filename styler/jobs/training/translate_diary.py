"""What a training of a generator leaves to look at: log, curves, preview, scores, and a page of it all."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from styler.engine.minimize import TrainingState
from styler.events import Note, TrainStep, relayed
from styler.features import Extractor
from styler.image.conditions import Pair
from styler.jobs.training.diary import Logbook
from styler.networks.layers import Mode
from styler.options.translate import TrainTranslateOptions
from styler.storage import disk, report
from styler.storage.names import STATES
from styler.storage.pictures.chart import chart
from styler.storage.pictures.save import encode_picture, save_picture
from styler.storage.pictures.sheet import sheet
from styler.storage.report import Html
from styler.tasks.train_translate import Contest
from styler.tasks.validate import SCORES, Best, best_of, scores_of, translated

PREVIEW, PAIRS, REPORT = "preview.png", "pairs.png", "report.html"
MOST = 6
"""Pairs on a preview."""
CELL = 256
"""Their long sides in pixels."""
ABREAST = 2
"""Pairs side by side."""
ROWS = 12
"""Newest scores that the page lists."""
WINS, LOSES, LONG = 0.95, 0.55, 10
"""Shares of right answers between which a discriminator teaches, and the reports in a row that count."""

Event = TrainStep | TrainingState | Note


@dataclass(eq=False)
class TranslateDiary:
    """The log, pictures and page of a training, all in the folder of `log`, and the best weights so far.

    Attributes:
        held: pairs of one picture each that are measured and shown, on the CPU.
        measured: whether they are; else they are shown only, as the training sees them too.
        extractor: the network that compares.
        mode: how the generator will be used.
        facts: what the page tells of the training, by name.
    """

    log: Logbook
    contest: Contest
    held: Sequence[Pair]
    measured: bool
    extractor: Extractor
    mode: Mode
    options: TrainTranslateOptions
    facts: Mapping[str, str]
    best: Best | None = None
    warned: str = field(default="", init=False)

    def keep(
        self, run: Generator[TrainStep | TrainingState, None, TrainingState]
    ) -> Generator[Event, None, TrainingState]:
        """Pass on what a training yields; log reports, warn, and measure and draw around each state."""
        return relayed(run, self._kept)

    def _kept(self, event: TrainStep | TrainingState) -> Iterator[Event]:
        if isinstance(event, TrainingState):
            if event.step % self.options.save == 0 or event.step == self.options.steps:
                self.measure(event.step)  # not where a run was interrupted: an unbroken one measures nothing
            yield event
            self.draw(event.step)
            return
        if event.losses:
            self.log.add(event, self._accuracy())
        yield event
        if event.losses:
            yield from self._warn()

    def _accuracy(self) -> dict[str, float]:
        judged = self.contest.discriminator is not None
        return {"accuracy": round(self.contest.accuracy.item(), 4)} if judged else {}

    def _warn(self) -> Iterator[Note]:
        """Tell of a contest that is out of balance, once each time that it gets so."""
        fault = self.imbalance()
        if fault and not self.warned:
            yield Note(fault)
        self.warned = fault

    def imbalance(self) -> str:
        """What is wrong with the contest of late, "" if nothing is."""
        shares = [share for _, share in self.log.journal.told("accuracy")]
        return imbalance(shares, self.options.discriminator_rate)

    def measure(self, step: int) -> None:
        """Score the averaged weights, log that, and keep them if they are the best so far."""
        generator = self.contest.averaged
        held = self.held if self.measured else ()
        scores = scores_of(generator, held, self.extractor, self.mode)
        self.best = best_of(self.best, step, scores, generator, self.options.keep)
        if scores:
            self.log.journal.add({"step": step, "validation": scores, "best": self.best.step})

    def beside(self) -> dict[str, Any]:
        """What a state must have beside it so that a broken run goes on with the same best weights."""
        return {"best": dict(vars(self.best))} if self.best else {}

    def draw(self, step: int) -> None:
        """Write curves, preview and page anew."""
        losses = self.log.draw()
        preview = self.preview()
        save_picture(self.log.folder / PREVIEW, preview, overwrite=True)
        text = self.page(step, preview, losses)
        disk.write(self.log.folder / REPORT, text.encode())

    def preview(self) -> Tensor:
        """The same few pairs each time, with what the averaged weights make of them: an Image."""
        shown = self.held[:MOST]
        made = [translated(self.contest.averaged, pair.inputs, self.mode).cpu() for pair in shown]
        rows = [[pair.inputs, image, pair.targets] for pair, image in zip(shown, made, strict=True)]
        return gallery(rows, ("input", "made", "real"))

    def page(self, step: int, preview: Tensor, losses: Tensor) -> str:
        """The page as HTML: what is known after `step` steps."""
        took = self.log.journal.last["seconds"] / max(1, step)
        state = f"{step:,} of {self.options.steps:,} steps, {took:.3g} s each"
        parts = [report.paragraph(state, "quiet")]
        if fault := self.imbalance():
            parts.append(report.paragraph(fault, "warning"))
        kind = "held out, never trained on" if self.measured else "from the training"
        caption = f"pairs {kind}: input, what is made of it, what it should be"
        name = self.log.folder.name.removesuffix(STATES)
        return report.page(
            name,
            *parts,
            report.section("Pictures", report.figure(_jpeg(preview), caption)),
            report.section("Scores", *self._scores()),
            report.section("Losses", report.figure(_png(losses), "weighted losses, their total first")),
            report.section("Discriminator", *self._judge()),
            report.section("Training", report.table([*self.facts.items(), *_changed(self.options)])),
        )

    def _scores(self) -> list[Html]:
        told = self.log.journal.told("validation")
        if not told or self.best is None:
            return []
        curves = {name: [(step, scores.get(name, 0)) for step, scores in told] for name in SCORES}
        shown = [one for one in told[:-ROWS] if one[0] == self.best.step] + told[-ROWS:]
        rows = [[f"{step:,}", *(f"{scores.get(name, 0):.4g}" for name in SCORES)] for step, scores in shown]
        marked = next((row for row, (step, _) in enumerate(shown) if step == self.best.step), None)
        meaning = "; ".join(f"{name}: {text}" for name, text in SCORES.items())
        about = f"Means over {len(self.held)} pairs, of averaged weights; those of the marked step are kept."
        return [
            report.table(rows, ["step", *SCORES], marked=marked),
            report.paragraph(f"{about} {meaning}.", "quiet"),
            report.figure(_png(chart(curves)), "scores on pairs that were held out"),
        ]

    def _judge(self) -> list[Html]:
        told = self.log.journal.told("accuracy")
        if not told:
            return []
        text = (
            f"Of late it is right about {told[-1][1]:.0%} of the patches that it judges; "
            f"between {LOSES:.0%} and {WINS:.0%} it teaches."
        )
        curve = {"right answers": told, "guessing": [(step, 0.5) for step, _ in told]}
        return [report.paragraph(text), report.figure(_png(chart(curve)), "share of right answers")]


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


def _changed(options: TrainTranslateOptions) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), str(value)) for name, value in options.changed().items()]


def _jpeg(image: Tensor) -> bytes:
    return encode_picture(image, "JPEG", quality=90)


def _png(image: Tensor) -> bytes:
    return encode_picture(image, "PNG")
