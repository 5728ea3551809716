"""Training of a network of any kind, in one process or many: claim, seed, resume, fit, keep, save, write."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

import torch

from styler import processes
from styler.device import choose, prepare
from styler.engine.fit import TrainingState
from styler.engine.watch import MOVED
from styler.errors import CheckpointError, DivergedError, InputError, OutputError, StylerError
from styler.events import Event, Note, Stage, TrainStep, relay
from styler.jobs.training.diary import Diary, Steps, about, keep, nameless, settle
from styler.options.fields import flag_of, format_layers
from styler.options.shared import TrainingOptions
from styler.processes import Group
from styler.storage import disk, runs
from styler.storage.datasets.photos import ahead
from styler.storage.header import read_card
from styler.storage.names import display, one_line
from styler.storage.runs import Log

B = TypeVar("B")
R = TypeVar("R")

_WORKERS = 8
"""Threads that decode pictures, at most; a core decodes about 200 a second."""
_SUFFIX = ".safetensors"
_DIVERGED = "diverged"
"""Key of step and error in the file of a training that diverged."""
_EXTRAS = "extras"
"""Key of the extras in a state file."""


@dataclass(frozen=True)
class Request:
    """Training that a user asks for.

    Attributes:
        command: its name.
        output: the network's file.
        options: of the command.
        resume: go on from the last state. Processes that torchrun starts again do that by themselves.
        overwrite: replace a network, or a state that a run without `resume` would lose.
        credits: whom the pictures' licences ask to name; goes into the file.
        stop: asked after each step; once true, the state is saved and no network is written.
        inputs: files that must not be written over.
    """

    command: str
    output: str
    options: TrainingOptions
    resume: bool = False
    overwrite: bool = False
    credits: str = ""
    stop: Callable[[], bool] = lambda: False
    inputs: Sequence[Path | str] = ()

    @property
    def folder(self) -> Path:
        """The folder of states, log and pictures."""
        return runs.folder_for(self.output)


@dataclass(frozen=True)
class Saved:
    """State to go on from, and the extras that were kept with it."""

    state: TrainingState
    extras: Mapping[str, Any]


@dataclass(frozen=True)
class Training(Generic[B]):
    """Training that is ready to begin, as its command fills it.

    Attributes:
        options: in effect.
        crop: side of its pictures.
        count: of the pictures that it learns from.
        ingredients: values that a resumed run must share, by name.
        batches: step -> this process's part of a batch, on its device.
        fit: batches, the state to go on from, and `stop` -> the training in progress.
        diary: what it shows of itself.
        write: path, and how it was trained -> notes; writes the network's file.
        extras: kept with each state: tensors, numbers, texts and containers of these.
    """

    options: TrainingOptions
    crop: int
    count: int
    ingredients: Mapping[str, object]
    batches: Callable[[int], B]
    fit: Callable[[Callable[[int], B], Saved | None, Callable[[], bool]], Steps]
    diary: Diary
    write: Callable[[Path, Mapping[str, Any]], Iterable[Note]]
    extras: Callable[[], Mapping[str, Any]] = dict


_MakeTraining = Callable[[Group, torch.device], Generator[Event, None, Training[Any]]]
"""Opens the inputs of a command and builds its networks."""


def train(make: _MakeTraining, request: Request) -> Generator[Event, None, dict[str, Any]]:
    """Train a network and write it; returns the record of what was done.

    In OUTPUT.training are kept the last two states until the network is written, and for good a log, loss
    curves and a preview. Started by torchrun, all processes train one network; the first one writes and
    yields events, the others yield nothing and return {}.

    Raises:
        StylerError: of each kind; before DivergedError the best network so far is written.
    """
    if record := _finished(request):
        return record
    if processes.restarts() and (message := runs.noted_end(request.folder)):
        if not processes.is_main():
            return {}
        raise DivergedError(message)  # torchrun would have it diverge once more
    device = processes.placed(choose(request.options.device))
    with processes.join(device) as group, _claim(request, group):
        with contextlib.closing(_train(make, request, group, device)) as run:
            record = yield from relay(run, lambda event: (event,) if group.main else ())
        return record if group.main else {}


def _train(
    make: _MakeTraining, request: Request, group: Group, device: torch.device
) -> Generator[Event, None, dict[str, Any]]:
    begun, folder = time.monotonic(), request.folder
    prepare(request.options.seed, request.options.threads)
    training = yield from make(group, device)
    saved = None
    if request.resume or (group.restarts and runs.has_state(folder)):
        saved = resumed(folder, training.ingredients, f"styler {request.command}")
    options = training.options
    with ahead(training.batches, _workers(group)) as batches:
        run = _averaged(training.fit(batches, saved, lambda: group.any(request.stop())), group)
        yield Stage(request.command, training.crop, training.crop, options.steps)
        if not group.main:
            _follow(run, group)
            return {}
        log = Log(folder, saved.state.step if saved else 0)
        run_in_diary = keep(run, training.diary, log, options)
        try:
            state = yield from saving(run_in_diary, folder, training.ingredients, training.extras)
        except DivergedError as error:
            yield from _keep_best(training, request, group, log, error)
    yield from skipped(training.diary.skipped())
    record = {"output": request.output, "seconds": round(time.monotonic() - begun, 1), "seed": options.seed}
    if state.step < options.steps:
        yield stopped(folder)
        message = f"stopped after {state.step} of {options.steps} steps"
        return {**record, "output": None, "message": message}
    information = _information(training, request, group, log.last)
    yield from training.write(Path(request.output), information)
    if not state.watch[MOVED]:
        rate = f"--learning-rate {options.learning_rate:g}"
        yield Note(f"nothing was learned: at {rate} no weight has moved; use a larger one")
    runs.remove_states(folder)
    return {**record, "device": str(device), "losses": information["losses"]}


def _information(
    training: Training[Any], request: Request, group: Group, entry: Mapping[str, Any]
) -> dict[str, Any]:
    """How a network was trained, for its file, with an entry of the log."""
    return {
        "command": request.command,
        "processes": group.size,
        "pictures": training.count,
        "credits": one_line(request.credits),
        **about(training.options, entry),
    }


def _follow(run: Steps, group: Group) -> None:
    """Train along with the main process, which writes the best network and says why if both diverge."""
    try:
        deque(run, 0)  # to its end
    except DivergedError:
        group.barrier()  # or the main process would be ended before it has written


def _keep_best(
    training: Training[Any], request: Request, group: Group, log: Log, error: DivergedError
) -> Generator[Event, None, NoReturn]:
    """Write the best network, which is in place again, and raise the error that says so.

    The states go: with the same options, the only ones that they serve for, it would diverge again.
    """
    step = error.best
    assert isinstance(step, int)
    try:
        settle(training.diary, log, step)
        information = _information(training, request, group, log.before(step))
        yield from training.write(Path(request.output), {**information, _DIVERGED: [step, str(error)]})
        runs.remove_states(request.folder)
    finally:
        group.barrier()
    message = f"{error}; {display(request.output)} is the best network so far, of step {step}"
    if processes.launched():
        runs.note_end(request.folder, message)
    raise DivergedError(message, step) from error


@contextlib.contextmanager
def _claim(request: Request, group: Group) -> Iterator[None]:
    """Prove that the network can be written and nothing is lost by it; the main process does so.

    Raises:
        OutputError: if it cannot, if it is one of the inputs, or if another training is there.
    """
    if not group.main:
        yield
        return
    if Path(request.output).suffix.lower() != _SUFFIX:
        raise OutputError(f"{display(request.output)} must end in {_SUFFIX}, as trained networks do")
    again = request.resume and _is_whole(request)  # the file is this run's own
    disk.prove_writable(request.output, overwrite=request.overwrite or again, inputs=request.inputs)
    with runs.lock(request.folder):
        if not group.restarts:
            runs.forget_end(request.folder)
        if not request.resume and not group.restarts:
            start_anew(request.folder, request.overwrite)
        yield


def _finished(request: Request) -> dict[str, Any]:
    """Record of a run that is to be resumed and has nothing left to do; {} for any other.

    Raises InputError if the network that is there was trained with other options, DivergedError if it is what
    a training that diverged has left.
    """
    path = Path(request.output)
    if not request.resume or request.overwrite or runs.has_state(request.folder) or not path.is_file():
        return {}
    try:
        training = read_card(path).information.get("training", {})
    except StylerError:
        return {}
    if training.get("command") != request.command:
        return {}
    before, now = training["options"], json.loads(json.dumps(nameless(request.options)))
    if now.get("epochs"):
        now["steps"] = before["steps"]  # which come of them
    if before != now:
        raise InputError(
            f"{display(path)} is done already, with {difference('options', before, now)}: "
            "choose another --output, or start again with --overwrite instead of --resume"
        )
    if _DIVERGED in training:
        raise DivergedError(
            f"{display(path)} is done already, the best network of a training that diverged: choose other "
            "options, and start again with --overwrite instead of --resume"
        )
    return {"output": request.output, "message": f"{display(path)} is done already"}


def _is_whole(request: Request) -> bool:
    """Whether the last state is of the last step, so that nothing but the writing was left."""
    return runs.has_state(request.folder) and runs.load_state(request.folder)["step"] == request.options.steps


def start_anew(folder: Path, overwrite: bool) -> None:
    """Remove the states in a folder; raises OutputError if there are any and `overwrite` is false."""
    if not runs.has_state(folder):
        return
    if not overwrite:
        raise OutputError(
            f"{display(folder)} holds a training that was interrupted: "
            "go on with --resume, or start again with --overwrite"
        )
    runs.remove_states(folder)


def resumed(folder: Path, ingredients: Mapping[str, Any], command: str) -> Saved:
    """Load the last state in a folder, if its run had the same ingredients.

    Raises:
        CheckpointError: if there is none, or another command's.
        InputError: if something differs; names it.
    """
    values = runs.load_state(folder)
    extras = values.pop(_EXTRAS, {})
    for name, value in ingredients.items():
        if (before := values.pop(name, None)) != value:
            raise InputError(
                f"{display(folder)} was made with {difference(name, before, value)}: repeat that, or start "
                "again with --overwrite instead of --resume"
            )
    try:
        return Saved(TrainingState(**values), extras)
    except TypeError as error:
        raise CheckpointError(f"{display(folder)} holds no state of {command}") from error


def difference(name: str, before: object, now: object) -> str:
    """What an ingredient was: of options those that differ, with their values before and now."""
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        return f"other {name}"
    if name != "options":
        return f"other {name} ({', '.join(map(str, before))})"
    return ", ".join(
        f"{flag_of(key)} {_text(before.get(key))} (now {_text(now.get(key))})"
        for key in {**before, **now}
        if before.get(key) != now.get(key)
    )


def _text(value: Any) -> str:
    layers = isinstance(value, list | tuple) and value and isinstance(value[0], list | tuple)
    return format_layers(value) if layers else str(value)


def saving(
    run: Generator[Event | TrainingState, None, R],
    folder: Path,
    ingredients: Mapping[str, Any],
    extras: Callable[[], Mapping[str, Any]] = dict,
) -> Generator[Event, None, R]:
    """Pass on events; write each TrainingState among them, with `ingredients` and `extras`."""

    def answer(event: Event | TrainingState) -> Iterator[Event]:
        if isinstance(event, TrainingState):
            runs.save_state(folder, {**vars(event), **ingredients, _EXTRAS: dict(extras())})
        else:
            yield event

    try:
        return (yield from relay(run, answer))
    except OutputError as error:
        if not runs.has_state(folder):
            raise
        raise OutputError(f"{error}, then go on with --resume") from error


def _averaged(run: Steps, group: Group) -> Steps:
    """Pass on a training, with the means of all processes' losses for this one's."""

    def answer(event: TrainStep | TrainingState) -> Iterator[TrainStep | TrainingState]:
        if isinstance(event, TrainStep) and event.losses:
            event = dataclasses.replace(event, losses=group.mean(event.losses))
        yield event

    return relay(run, answer)


def _workers(group: Group) -> int:
    """Threads of a process that decode: in all processes together about one for each core."""
    return min(_WORKERS, max(2, (os.cpu_count() or 2) // group.size))


def stopped(folder: Path) -> Note:
    """Note on a run that ended early."""
    return Note(f"stopped; go on with --resume (the state is in {display(folder)})")


def skipped(reasons: Mapping[str, str]) -> Iterator[Note]:
    """Note on inputs that could not be read, if there are any, by file."""
    if reasons:
        many = f"{len(reasons)} pictures were skipped, for example"
        count = "1 picture was skipped" if len(reasons) == 1 else many
        yield Note(f"{count}: {next(iter(reasons.values()))}")
