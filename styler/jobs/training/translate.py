"""Training of a translator on pairs of pictures, from files to files."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from styler.errors import InputError
from styler.events import Event, Note
from styler.features import Extractor
from styler.image.conditions import Pair, check_heeded
from styler.jobs.training.diary import Diary, Steps, fixed
from styler.jobs.training.run import Request, Saved, Training, train
from styler.losses.metrics import PERCEPTUAL_LAYERS
from styler.networks.kinds import PictureArchitecture, PictureNetwork, build, described
from styler.networks.layers import Mode
from styler.options.translate import TrainTranslateOptions
from styler.processes import Group
from styler.storage import disk, runs
from styler.storage.datasets.pairs import PairSet, open_pairs, photo_pairs
from styler.storage.header import SUFFIX
from styler.storage.models import library, vgg
from styler.storage.models.library import Card, Model, Translation, Translator
from styler.storage.names import slug
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet
from styler.storage.runs import Log
from styler.tasks import train_translate as task
from styler.tasks.train_translate import GAN, new_pix2pix
from styler.tasks.validate import Best, better_of, translate, validate

_FEW = 100
"""With fewer pairs a network learns these rather than what they have in common."""
_ARCHITECTURE = ("generator", "width", "halvings", "blocks", "norm", "upsampling")
"""Options that a network to start from has settled."""
PAIRS = "pairs.png"
FIRST, SHOWN = 12, 6
"""Pairs on the sheet before the first step, and on a preview."""
CELL = 256
"""Their long sides in pixels."""
_ABREAST = 2
"""Pairs side by side."""
WINS, LOSES, LONG = 0.95, 0.55, 10
"""Accuracies between which a discriminator teaches, and the reports in a row that count."""


def train_translate(
    dataset: str,
    output: str,
    options: TrainTranslateOptions,
    *,
    edges: str = "",
    init: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    credits: str = "",
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, dict[str, Any]]:
    """Train a translator, which turns one kind of picture into another, and write it; returns the record.

    Of the averaged weights those are written that did best on pairs that were held out.

    Args:
        dataset: pairs, see `storage.datasets.pairs`; "" if `edges` is given.
        output: the translator's file, or a folder for it, where it is called as the dataset.
        edges: photos, of which the pairs are made by drawing their edges.
        init: name or file of a translator to start from.
        resume, overwrite, credits, stop: see `Request`.

    Raises as `train`.
    """
    base = library.locate_generator(init) if init else None
    inputs = [base] if base else []
    output = disk.file_for(output, slug(Path(dataset or edges).resolve().stem) + SUFFIX)
    request = Request("train-translate", output, options, resume, overwrite, credits, stop, inputs)
    make = functools.partial(_make_training, dataset, edges, runs.folder_for(output), options, base)
    return (yield from train(make, request))


def _make_training(
    dataset: str,
    edges: str,
    folder: Path,
    options: TrainTranslateOptions,
    init: Path | None,
    group: Group,
    device: torch.device,
) -> Generator[Event, None, Training[Pair]]:
    """Open pairs and build the networks."""
    if options.perceptual_weight:
        options = replace(options, loss_network=(yield from vgg.choose(options.loss_network)))
    pairs = _open(dataset, edges, options, group)
    options = with_steps(options, len(pairs), group.size)
    base = library.read_generator(init) if init else None
    networks = _networks(options, pairs, base).to(device)
    if group.main:
        yield from _notes(options, pairs, networks.generator.config, base)
    work = PairTraining(networks, pairs, options, folder)

    def batch(step: int) -> Pair:
        return pairs.batch(step, options.batch, options.crop, group.rank * options.batch).to(device)

    return Training(
        options=options,
        crop=options.crop,
        count=len(pairs),
        ingredients={
            "options": fixed(options),
            "pairs": pairs.digest(),
            "weights to start from": base.card.sha256 if base else "",
        },
        batches=batch,
        fit=functools.partial(work.fit, group),
        diary=Diary(work.preview, lambda: pairs.skipped, work.networks.figures, work.validate, work.fault),
        write=work.write,
        extras=work.extras,
    )


def _open(dataset: str, edges: str, options: TrainTranslateOptions, group: Group) -> PairSet:
    if not edges:
        check_heeded("", options)
        return open_pairs(dataset, options, group.size)
    if options.direction == "BtoA":
        raise InputError(
            "--edges makes photos of edges, the only way that is to be learned: no --direction BtoA"
        )
    if options.labels:
        raise InputError("edges are no label pictures: leave out --labels")
    return photo_pairs(edges, "edges", options, group.size)


def with_steps(options: TrainTranslateOptions, pairs: int, processes: int) -> TrainTranslateOptions:
    """Options with the steps of their epochs, if they have any."""
    if not options.epochs:
        return options
    return replace(options, steps=max(1, round(options.epochs * pairs / (options.batch * processes))))


def _networks(options: TrainTranslateOptions, pairs: PairSet, base: Translator | None) -> GAN[PictureNetwork]:
    """Random networks, or with the generator of `base`; InputError if that is for other pictures."""
    networks = new_pix2pix(options, *pairs.channels)
    if base is None:
        return networks
    config = base.network.config
    if (config.inputs, config.outputs) != pairs.channels:
        raise InputError(
            f"the network to start from makes {config.outputs} channels of {config.inputs}, and the pairs "
            f"have {pairs.channels[1]} for {pairs.channels[0]}: leave out --init"
        )
    if options.grain:
        base.network.config = replace(config, grain=options.grain)
    return GAN(base.network.requires_grad_().train(), networks.discriminator, options)


def _notes(
    options: TrainTranslateOptions, pairs: PairSet, config: PictureArchitecture, base: Translator | None
) -> Iterator[Note]:
    """Notes on what is learned, and on what may not be as the user thinks."""
    (inputs, outputs), lost = pairs.names, pairs.held_count - len(pairs.held)
    if lost:
        yield Note(f"{lost} of the {pairs.held_count} pairs to be held out cannot be read")
    held = f"{len(pairs.held)} more are held out to measure progress" if pairs.held else "none is held out"
    yield Note(f"{len(pairs)} pairs, {inputs} -> {outputs}; {held}")
    if pairs.labels:
        yield Note(f"the inputs are label pictures, of {len(pairs.labels)} labels: {', '.join(pairs.labels)}")
    yield from map(Note, pairs.notes)
    if len(pairs) < _FEW:
        yield Note(f"few pairs ({len(pairs)}): with {_FEW} or more the network does better on other pictures")
    if not pairs.held:
        why = "with none held out" if options.validation else "without --validation"
        yield Note(f"{why} the last weights are kept, however good they are")
    if task.blocked(config, options.crop):
        yield Note(
            f"{config.halvings} halvings leave one pixel of a crop of {options.crop}, through "
            f"which nothing is learned: take --halvings {config.halvings - 1}, or larger crops"
        )
    if base and (unused := sorted(options.changed().keys() & set(_ARCHITECTURE))):
        flags = ", ".join(f"--{name}" for name in unused)
        yield Note(f"the network to start from has its own architecture: {flags} not used")


@dataclass(eq=False)
class PairTraining:
    """Training of a translator, and its best weights so far.

    Attributes:
        folder: of the training.
        extractor: the loss network, as soon as it is loaded.
    """

    networks: GAN[PictureNetwork]
    pairs: PairSet
    options: TrainTranslateOptions
    folder: Path
    extractor: Extractor | None = None
    best: Best | None = None

    @property
    def mode(self) -> Mode:
        """How the generator will be used, and therefore is validated."""
        return _mode_for(self.networks.generator, self.options)

    @functools.cached_property
    def samples(self) -> list[Pair]:
        """Pairs of one picture each on previews: held out, or else of the first batch."""
        return (self.pairs.held or _singly(self.pairs.batch(0, SHOWN, self.options.crop)))[:SHOWN]

    def fit(
        self,
        group: Group,
        batches: Callable[[int], Pair],
        saved: Saved | None,
        stop: Callable[[], bool],
    ) -> Steps:
        """Load the loss network, write a sheet of the first pairs, and begin."""
        options, device = self.options, self.networks.accuracy.device
        extractor = vgg.load(options.loss_network).until(set(PERCEPTUAL_LAYERS)).to(device)
        self.extractor = extractor
        if saved and saved.extras:
            self.best = Best(**saved.extras["best"])
        if group.main:
            pairs = _singly(self.pairs.batch(0, FIRST, options.crop))
            picture = _gallery([[pair.inputs, pair.targets] for pair in pairs], self.pairs.names)
            save_picture(self.folder / PAIRS, picture, overwrite=True)
        start = saved.state if saved else None
        return task.train_translate(self.networks, extractor, batches, options, start, stop, group)

    def fault(self, log: Log) -> str:
        """Imbalance of generator and discriminator of late, "" if there is none."""
        return imbalance([value for _, value in log.values("accuracy")], self.options.discriminator_rate)

    def validate(self, step: int) -> dict[str, Any]:
        """Validate the averaged weights, and keep them if they are the best so far; what to log."""
        assert self.extractor is not None
        generator = self.networks.averaged
        scores = validate(generator, self.pairs.held, self.extractor, self.mode)
        self.best = better_of(self.best, step, scores, generator, self.options.keep)
        return {"validation": scores, "best": self.best.step} if scores else {}

    def extras(self) -> dict[str, Any]:
        """The best weights, so that a broken run goes on with them."""
        return {"best": dict(vars(self.best))} if self.best else {}

    def preview(self) -> Tensor:
        """Sheet of the same few pairs with the output of the averaged weights, an Image."""
        images = [translate(self.networks.averaged, pair.inputs, self.mode).cpu() for pair in self.samples]
        rows = [[pair.inputs, x, pair.targets] for pair, x in zip(self.samples, images, strict=True)]
        return _gallery(rows, ("input", "output", "target"))

    def write(self, path: Path, training: Mapping[str, Any]) -> Iterator[Note]:
        """Write the best weights with their scores; gives these."""
        best, held = self.best, self.pairs.held
        assert best is not None  # the last step is validated
        if best.scores:
            scores = ", ".join(f"{name} {value:.3g}" for name, value in best.scores.items())
            rule = "the last" if self.options.keep == "last" else f"by {self.options.keep} distance"
            yield Note(f"kept the weights of step {best.step}, {rule}: {scores}")
        network = build(self.networks.generator.config)
        network.load_state_dict(best.weights)
        information = {
            **self._translation().information,
            "training": training,
            "validation": {"step": best.step, "pairs": len(held), **best.scores},
        }
        card = Card("translate", described(network.config), (), "", information)
        library.write(path, Model(network.eval(), card))

    def _translation(self) -> Translation:
        options, pairs, mode = self.options, self.pairs, self.mode
        assert mode.statistics != "batch"
        return Translation(
            direction=options.direction,
            batch=options.batch,
            statistics=mode.statistics,
            dropout=options.dropout,
            condition=pairs.condition,
            tints=pairs.tints,
            labels=dict(pairs.labels),
            margin=task.margin_of(self.networks.generator.config, options.crop),
            inputs=pairs.names[0],
            outputs=pairs.names[1],
            color="grey" if self.networks.generator.config.outputs == 1 else "rgb",
        )


def _mode_for(generator: PictureNetwork, options: TrainTranslateOptions) -> Mode:
    """Mode in which a generator so trained is used.

    Stored statistics only exist of batch norms; those of batches of one are of no use for other pictures.
    """
    stored = generator.config.norm == "batch" and options.batch > 1
    return Mode("stored" if stored else "picture", options.seed if options.dropout else None)


def imbalance(accuracies: Sequence[float], rate: float) -> str:
    """Imbalance of generator and discriminator in the last LONG accuracies, with advice; "" if there is none.

    `rate` is the discriminator's learning rate relative to the generator's.
    """
    late = accuracies[-LONG:]
    if len(late) < LONG:
        return ""
    right = f"it is right about {late[-1]:.0%} of real and generated patches"
    if min(late) > WINS:
        return (
            f"the discriminator wins: {right}, and one that nothing deceives teaches little; "
            f"try --discriminator-rate {rate / 2:g} or more pairs"
        )
    if max(late) < LOSES:
        return (
            f"the discriminator guesses: {right}, and teaches noise; "
            f"try --discriminator-rate {rate * 2:g} or a larger --discriminator-width"
        )
    return ""


def _gallery(rows: Sequence[Sequence[Tensor]], labels: Sequence[str]) -> Tensor:
    """Sheet of rows of pictures under their labels, ABREAST rows side by side: an Image."""
    lines = [[x for row in rows[i : i + _ABREAST] for x in row] for i in range(0, len(rows), _ABREAST)]
    return sheet(lines, column_labels=[*labels] * min(_ABREAST, len(rows)), cell=CELL)


def _singly(pair: Pair) -> list[Pair]:
    """Split a batch into pairs of one picture each."""
    parts = (slice(index, index + 1) for index in range(len(pair.inputs)))
    return [Pair(pair.inputs[part], pair.targets[part]) for part in parts]
