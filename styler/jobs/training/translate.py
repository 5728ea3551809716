"""From pairs of pictures to a translator's file: open, train, measure, save, write. A generator of events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from styler import device
from styler import processes as distributed
from styler.errors import InputError
from styler.events import Event, Note, Stage
from styler.features import Extractor
from styler.image.conditions import Pair, check_heeded
from styler.jobs.training import processes
from styler.jobs.training import run as resuming
from styler.jobs.training.diary import Logbook
from styler.jobs.training.translate_diary import MOST, PAIRS, TranslateDiary, gallery
from styler.losses.metrics import SEEN
from styler.networks.kinds import PictureArchitecture, PictureNetwork, build, described
from styler.networks.layers import Mode
from styler.options.translate import TrainTranslateOptions
from styler.processes import Group
from styler.storage import runs
from styler.storage.datasets.pairs import PairSet, open_pairs, photo_pairs
from styler.storage.datasets.photos import ahead
from styler.storage.models import library, vgg
from styler.storage.models.library import Card, Model, Translation, Translator
from styler.storage.pictures.save import save_picture
from styler.tasks import train_translate as task
from styler.tasks.train_translate import Contest, contest_for
from styler.tasks.validate import Best

FEW = 100
"""With fewer pairs a network learns these rather than what they have in common."""
FIRST = 12
"""Pairs that are shown before the first step."""
SHAPE = ("generator", "width", "halvings", "blocks", "norm", "upsampling")
"""Options that a network to start from has settled."""


@dataclass(frozen=True)
class Order:
    """What is to be trained, on what, and where it is to be written; `edges` are photos to draw edges of."""

    dataset: str
    edges: str
    output: str
    options: TrainTranslateOptions
    base: Path | None
    credits: str

    @property
    def states(self) -> Path:
        """The folder of training states, log and pictures."""
        return resuming.folder_for(self.output)


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
    """Train a network that turns one kind of picture into another, and write it; returns the record.

    In OUTPUT.training are kept the last two states until the translator is written, and for good the log, the
    loss curves, pictures and a page that shows it all. Of the averaged weights those are written that did
    best on pairs that were held out. Started by torchrun, all processes train one network; the first one
    writes and tells, the others yield nothing and return {}.

    Args:
        dataset: pairs, see `storage.pairs`; "" if `edges` is given.
        output: the translator's file.
        edges: photos, of which the pairs are made by drawing their edges.
        init: name or file of a translator to start from.
        resume: go on from the last state. Processes that torchrun starts again do that by themselves.
        overwrite: replace a translator, or a state that a run without `resume` would lose.
        credits: whom the pictures' licences ask to name; goes into the file.
        stop: asked after each step; once true, the state is saved and no translator is written.

    Raises:
        StylerError: of each kind; after DivergedError the last good state is still there.
    """
    base = library.locate_generator(init) if init else None
    order = Order(dataset, edges, output, options, base, credits)
    place = distributed.placed(device.choose(options.device))
    with (
        distributed.join(place) as group,
        processes.claimed(output, [base] if base else [], group, resume, overwrite),
    ):
        run = _train(order, place, group, resume, lambda: group.any(stop()))
        return (yield from processes.told(run, group))


def _train(
    order: Order, place: torch.device, group: Group, resume: bool, stop: Callable[[], bool]
) -> Generator[Event, None, dict[str, Any]]:
    begun = time.monotonic()
    device.prepare(order.options.seed, order.options.threads)
    pairs = _opened(order, group)
    order = replace(order, options=counted(order.options, len(pairs), group.size))
    options, base = order.options, library.read_generator(order.base) if order.base else None
    contest = _contest(options, pairs, base).to(place)
    made_of = _made_of(order, pairs, base)
    saved = processes.saved(order.states, made_of, "styler train-translate", group, resume)
    extractor = vgg.load(options.loss_network).until(set(SEEN)).to(place)
    if group.main:
        yield from _noted(order, pairs, contest.generator.config)
        _show_first(order, pairs)
    yield Stage("train-translate", options.crop, options.crop, options.steps)
    with ahead(_batches(pairs, options, group, place), processes.workers(group)) as batches:
        start = saved.state if saved else None
        run = task.train_translate(contest, extractor, batches, options, start, stop, group)
        run = processes.averaged(run, group)
        if not group.main:
            deque(run, 0)  # all of it, and nothing kept
            return {}
        diary = _diary(order, contest, pairs, extractor, saved)
        state = yield from resuming.saving(diary.keep(run), order.states, made_of, diary.beside)
    yield from _skipped(pairs)
    record = {"output": order.output, "seconds": round(time.monotonic() - begun, 1), "seed": options.seed}
    if state.step < options.steps:
        yield resuming.stopped(order.states)
        told = f"stopped after {state.step} of {options.steps} steps"
        return {**record, "output": None, "message": told}
    yield from _write(order, contest, pairs, diary, group)
    runs.discard(order.states)
    return {**record, "device": str(place), "losses": diary.log.journal.last["losses"]}


def _opened(order: Order, group: Group) -> PairSet:
    if not order.edges:
        check_heeded("", order.options)
        return open_pairs(order.dataset, order.options, group.size)
    if order.options.direction == "BtoA":
        raise InputError(
            "--edges makes photos of edges, the only way that is to be learned: no --direction BtoA"
        )
    if order.options.labels:
        raise InputError("edges are no label pictures: leave out --labels")
    return photo_pairs(order.edges, "edges", order.options, group.size)


def counted(options: TrainTranslateOptions, pairs: int, processes: int) -> TrainTranslateOptions:
    """The options with as many steps as their epochs come to, if they say any."""
    if not options.epochs:
        return options
    return replace(options, steps=max(1, round(options.epochs * pairs / (options.batch * processes))))


def _contest(options: TrainTranslateOptions, pairs: PairSet, base: Translator | None) -> Contest:
    """A fresh contest, or one whose generator is that of `base`; InputError if it is for other pictures."""
    fresh = contest_for(options, *pairs.channels)
    if base is None:
        return fresh
    inputs, outputs = base.network.config.inputs, base.network.config.outputs
    if (inputs, outputs) != pairs.channels:
        raise InputError(
            f"the network to start from makes {outputs} channels of {inputs}, and the pairs have "
            f"{pairs.channels[1]} for {pairs.channels[0]}: leave out --init"
        )
    return Contest(base.network.requires_grad_().train(), fresh.discriminator, options)


def _noted(order: Order, pairs: PairSet, config: PictureArchitecture) -> Generator[Event, None, None]:
    """Tell what is learned, and what may not be as the user thinks."""
    (inputs, outputs), lost = pairs.names, pairs.wanted - len(pairs.held)
    if lost:
        yield Note(f"{lost} of the {pairs.wanted} pairs to be held out cannot be read")
    held = f"{len(pairs.held)} more are held out to measure progress" if pairs.held else "none is held out"
    yield Note(f"{len(pairs)} pairs, {inputs} -> {outputs}; {held}")
    yield from map(Note, pairs.notes)
    if len(pairs) < FEW:
        yield Note(f"few pairs ({len(pairs)}): with {FEW} or more the network does better on other pictures")
    if not pairs.held:
        why = "with none held out" if order.options.validation else "without --validation"
        yield Note(f"{why} the last weights are kept, however good they are")
    if task.blocked(config, order.options.crop):
        yield Note(
            f"{config.halvings} halvings leave one pixel of a crop of {order.options.crop}, through "
            f"which nothing is learned: take --halvings {config.halvings - 1}, or larger crops"
        )
    if order.base and (unused := sorted(order.options.changed().keys() & set(SHAPE))):
        flags = ", ".join(f"--{name}" for name in unused)
        yield Note(f"the network to start from has its own shape: {flags} not used")


def _made_of(order: Order, pairs: PairSet, base: Translator | None) -> dict[str, object]:
    """What a run that goes on must have in common with the one that it continues."""
    return {
        "options": resuming.frozen(order.options),
        "pairs": pairs.digest(),
        "weights to start from": base.card.sha256 if base else "",
    }


def _show_first(order: Order, pairs: PairSet) -> None:
    """Write a sheet of the first pairs, as they will be seen."""
    shown = _singly(pairs.batch(0, FIRST, order.options.crop))
    sheet = gallery([[pair.inputs, pair.targets] for pair in shown], pairs.names)
    save_picture(order.states / PAIRS, sheet, overwrite=True)


def _singly(pair: Pair) -> list[Pair]:
    """A batch as pairs of one picture each."""
    parts = (slice(index, index + 1) for index in range(len(pair.inputs)))
    return [Pair(pair.inputs[part], pair.targets[part]) for part in parts]


def _batches(
    pairs: PairSet, options: TrainTranslateOptions, group: Group, place: torch.device
) -> Callable[[int], Pair]:
    """This process's part of a step's pairs."""

    def batch(step: int) -> Pair:
        pair = pairs.batch(step, options.batch, options.crop, group.rank * options.batch)
        return Pair(pair.inputs.to(place), pair.targets.to(place))

    return batch


def _diary(
    order: Order, contest: Contest, pairs: PairSet, extractor: Extractor, saved: resuming.Saved | None
) -> TranslateDiary:
    done = saved.state.step if saved else 0
    log = Logbook(order.states, done, order.options, lambda: len(pairs.skipped))
    best = Best(**saved.beside["best"]) if saved and saved.beside else None
    shown = pairs.held or _singly(pairs.batch(0, MOST, order.options.crop))
    facts = {
        "pairs": f"{len(pairs):,}, and {len(pairs.held)} held out",
        "translation": " -> ".join(pairs.names),
        "weights": f"{sum(p.numel() for p in contest.generator.parameters()):,}",
    }
    mode = mode_for(contest.generator, order.options)
    return TranslateDiary(log, contest, shown, bool(pairs.held), extractor, mode, order.options, facts, best)


def mode_for(generator: PictureNetwork, options: TrainTranslateOptions) -> Mode:
    """How a generator so trained is used, and therefore measured.

    Stored statistics only exist of batch norms; of batches of one they are those of no picture.
    """
    stored = generator.config.norm == "batch" and options.batch > 1
    return Mode("stored" if stored else "picture", options.seed if options.dropout else None)


def _skipped(pairs: PairSet) -> Generator[Event, None, None]:
    """Tell of pairs that could not be read, if there are any."""
    if pairs.skipped:
        count, reason = len(pairs.skipped), next(iter(pairs.skipped.values()))
        yield Note(f"{count} picture{'s' * (count > 1)} could not be read, for example: {reason}")


def _write(
    order: Order, contest: Contest, pairs: PairSet, diary: TranslateDiary, group: Group
) -> Generator[Event, None, None]:
    """Write the best weights with all that is to be known of them."""
    best = diary.best
    assert best is not None  # the last step is measured
    if best.scores:
        told = ", ".join(f"{name} {value:.3g}" for name, value in best.scores.items())
        rule = "the last" if order.options.keep == "last" else f"by {order.options.keep} distance"
        yield Note(f"kept the weights of step {best.step}, {rule}: {told}")
    network = build(contest.generator.config)
    network.load_state_dict(best.weights)
    about = diary.log.about("train-translate", len(pairs), order.credits, group)
    information = {
        **_translation(order.options, contest.generator, pairs).information,
        "training": about,
        "validation": {"step": best.step, "pairs": len(pairs.held), **best.scores},
    }
    card = Card("translate", described(network.config), (), "", information)
    library.write(Path(order.output), Model(network.eval(), card))


def _translation(options: TrainTranslateOptions, generator: PictureNetwork, pairs: PairSet) -> Translation:
    mode, condition = mode_for(generator, options), pairs.condition
    assert mode.statistics != "batch"
    return Translation(
        direction=options.direction,
        batch=options.batch,
        statistics=mode.statistics,
        dropout=options.dropout,
        condition=condition,
        inputs=pairs.names[0],
        outputs=pairs.names[1],
        color="grey" if generator.config.outputs == 1 else "rgb",
    )
