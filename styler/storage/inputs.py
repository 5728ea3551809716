"""Plan a batch: sources and targets of files, globs, folders and standard input."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TypeVar

from styler.errors import InputError, OutputError
from styler.storage import disk, magic
from styler.storage.magic import ANIMATIONS, CONTAINERS
from styler.storage.names import display, fit_name, is_private
from styler.storage.pictures.encode import FORMATS, PICTURES, format_of

T = TypeVar("T")

STREAM = "-"
_ANIMATIONS = ANIMATIONS.keys()
"""Endings of animations, which keep their format."""
_VIDEOS = CONTAINERS.keys()
"""Endings of videos."""
_WILDCARDS = "*?["


@dataclass(frozen=True)
class Job:
    """One input and its output; either may be "-".

    Attributes:
        video: whether it is a video or an animation.
        problem: why it must not be done; "" for nearly all.
    """

    source: str
    target: str
    video: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Plan:
    """The jobs, sorted by source; with `many` they are a batch, which may have a single job.

    `notes` name what was left out.
    """

    jobs: tuple[Job, ...]
    many: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Input:
    """An input and the path `home / name` of its output, to which a label is added if `labelled`."""

    source: str
    home: Path
    name: Path
    labelled: bool


def plan(
    inputs: Sequence[str],
    output: str | None,
    label: str,
    *,
    videos: bool = True,
    batch: bool = False,
    ending: str = "",
) -> Plan:
    """The jobs of a command line; nothing is written, and nothing decoded.

    Args:
        inputs: files, "-", folders, which are searched below too, and globs that the shell left alone.
        output: one input: file, folder, "-", or None for STEM-LABEL.png in the current folder. A folder, a
            glob or several inputs: a folder, or None for FOLDER-LABEL and for STEM-LABEL.* in this folder.
        label: added to the input's name in the output's.
        videos: whether videos and animations are told from pictures, or are pictures like others.
        batch: treat even one input as a batch, whose output is a folder.
        ending: of all outputs of a batch, with its dot; "" keeps those of pictures that can be written.

    In a folder hidden files are left out, links are followed, once, and so are results lying in the input
    folder: the output folder, and whatever would be another input's output.

    Raises:
        InputError: for an input that is not there or holds no picture.
        OutputError: for an output that does not suit, or if all outputs are inputs.
    """
    many = batch or len(inputs) > 1 or any(map(is_several, inputs))
    if not many:
        return Plan((_single(inputs[0], output, label, videos),), False)
    _check_folder(inputs, output)
    items, notes = _search(inputs, output, label)
    jobs = [_job(item, label, videos, ending) for item in items]
    jobs, renamed = _kept_apart(jobs, items, label)
    chosen = _without_results(jobs)
    notes += [text for job, text in renamed if job in chosen]
    if len(chosen) < len(jobs):
        notes.append(f"{_files(len(jobs) - len(chosen))} left out: outputs of others")
    chosen = _without_losses(chosen)
    return Plan(tuple(sorted(chosen, key=lambda job: os.fsencode(job.source))), True, tuple(notes))


def is_several(word: str) -> bool:
    """Whether a word of a command line stands for several files: a folder, or a glob."""
    return disk.is_folder(word) or _is_glob(word)


def part(jobs: Sequence[T], shard: str, rank: int = 0, size: int = 1) -> list[T]:
    """The I-th of N parts for the shard "I/N", dealt out like cards, and of that the part of one process.

    `rank` is the number of the process among `size`, from 0.

    Raises InputError if `shard` is not I/N with 1 <= I <= N.
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", shard.strip())
    index, count = (int(number) for number in found.groups()) if found else (0, 0)
    if not 1 <= index <= count:
        raise InputError(f"--shard is '{shard}'; write I/N with I from 1 to N, as in 2/4")
    return list(jobs[index - 1 :: count])[rank::size]


# One input


def _single(source: str, output: str | None, label: str, videos: bool) -> Job:
    if source != STREAM:
        disk.open_input(source).close()
    video = videos and source != STREAM and magic.is_video(source)
    stem = "stdin" if source == STREAM else Path(source).stem
    if not video:
        return Job(source, picture_target(output, f"{stem}-{label}"))
    if output is None or disk.means_folder(output):
        name = fit_name(f"{stem}-{label}", _ending(source, video, keep=False))
        return Job(source, str(Path(output or ".") / name), video)
    _check_video(source, output)
    return Job(source, output, video)


def picture_target(output: str | None, stem: str) -> str:
    """The file of a picture: as given, or STEM.png in the folder given or in the current one.

    Raises OutputError for an ending that is not written.
    """
    if output is None or disk.means_folder(output):
        return str(Path(output or ".") / fit_name(stem, ".png"))
    if output != STREAM:
        format_of(output)
    return output


def _check_video(source: str, output: str) -> None:
    endings = sorted(_VIDEOS | _ANIMATIONS)
    if output == STREAM:
        raise OutputError(f"{display(source)} is a video, which needs a file: -o NAME.mp4")
    if Path(output).suffix.lower() not in endings:
        raise OutputError(
            f"{display(output)} must end in one of {', '.join(endings)}, after a name, to hold a video"
        )


def _ending(source: str, video: bool, *, keep: bool) -> str:
    """The ending of an output, with its dot: the input's if `keep` and if it can be written."""
    suffix = Path(source).suffix
    if video:
        endings = _ANIMATIONS | (_VIDEOS if keep else set())
        return suffix if suffix.lower() in endings else ".mp4"
    return suffix if keep and suffix.lower() in FORMATS else ".png"


# Many inputs


def _check_folder(inputs: Sequence[str], output: str | None) -> None:
    """Raise OutputError unless `output` can be the folder of many results."""
    if output is None:
        return
    if output == STREAM:
        raise OutputError("several pictures do not fit into standard output: give a folder with -o")
    path = Path(output)
    looks_like_file = path.suffix.lower() in PICTURES | _VIDEOS and not disk.means_folder(output)
    if looks_like_file or (path.exists() and not path.is_dir()):
        raise OutputError(f"{display(output)} is a file's name, and several inputs need a folder")
    for word in inputs:
        if disk.is_folder(word) and os.path.realpath(word) == os.path.realpath(output):
            raise OutputError(f"{display(output)} is also an input: choose another output folder")


def _search(inputs: Sequence[str], output: str | None, label: str) -> tuple[list[_Input], list[str]]:
    """The inputs that the words of a command line name, each once, and notes on what was left out."""
    homes = {word: _home(word, output, label) for word in inputs}
    shut = {os.path.realpath(home) for home in homes.values()}
    items: dict[str, _Input] = {}
    notes: list[str] = []
    for word in inputs:
        if word == STREAM:
            members = [_Input(STREAM, homes[word], Path("stdin"), output is None)]
        elif disk.is_folder(word):
            inside = Path(_name_of(word)) if output is not None and len(inputs) > 1 else Path()
            files = _visible(Path(word), shut, notes)
            pictures = _select(files, Path(word), f"{display(word)} holds no pictures", notes)
            members = [_Input(str(path), homes[word], inside / name, False) for path, name in pictures]
        elif _is_glob(word):
            pictures = _matching(word, shut, notes)
            members = [_Input(str(path), homes[word], name, output is None) for path, name in pictures]
        else:
            disk.open_input(word).close()
            members = [_Input(word, homes[word], Path(Path(word).name), output is None)]
        for item in members:
            items.setdefault(_key(item.source), item)
    return list(items.values()), notes


def _home(word: str, output: str | None, label: str) -> Path:
    """The folder that the results of an input go to."""
    if output is not None:
        return Path(output)
    return Path(fit_name(f"{_name_of(word)}-{label}", "")) if disk.is_folder(word) else Path()


def _name_of(folder: str) -> str:
    """The name of a folder, also of "." and ".."."""
    return Path(os.path.realpath(folder)).name or "root"


def _job(item: _Input, label: str, videos: bool, ending: str) -> Job:
    video = videos and item.source != STREAM and magic.is_video(item.source)
    ending, name = ending or _ending(item.source, video, keep=True), item.name.name
    stem = f"{Path(name).stem}-{label}" if item.labelled else Path(name).stem
    if item.labelled or ending != item.name.suffix:
        name = fit_name(stem, ending)
    return Job(item.source, str(item.home / item.name.with_name(name)), video)


def _visible(root: Path, shut: set[str], notes: list[str]) -> Iterable[Path]:
    """The files below `root` that are not hidden, nor in a folder of `shut` or of a training.

    Each folder is entered once. Links to folders come last, so that a picture is found at its real path;
    those to a folder around `root` are not followed.
    """
    waiting, top = deque([root]), os.path.realpath(root)
    done = set(shut)
    while waiting:
        folder = waiting.popleft()
        real = os.path.realpath(folder)
        if real in done or _inside(top, real):
            continue
        done.add(real)
        try:
            entries = {p: p.is_dir() for p in sorted(folder.iterdir()) if not p.name.startswith(".")}
        except OSError as error:
            notes.append(f"{display(folder)} cannot be read and was left out: {error.strerror}")
            continue
        yield from (path for path, is_folder in entries.items() if not is_folder)
        folders = [p for p, is_folder in entries.items() if is_folder and not is_private(p.name)]
        waiting.extendleft(path for path in reversed(folders) if not path.is_symlink())
        waiting.extend(path for path in folders if path.is_symlink())


def _matching(pattern: str, shut: Iterable[str], notes: list[str]) -> list[tuple[Path, Path]]:
    """The pictures and videos that match a glob, each with its path from the fixed part of the glob."""
    fixed = takewhile(lambda name: not any(mark in name for mark in _WILDCARDS), Path(pattern).parts)
    root = Path(*fixed)
    # By the shell's rules, unlike Path.glob's, hidden files do not match.
    names = sorted(map(Path, glob.glob(pattern, recursive=True)), key=lambda path: (len(path.parts), path))  # noqa: PTH207
    if not names:
        raise InputError(f"nothing matches {display(pattern)}: check the name")
    closed = [folder for folder in shut if _inside(folder, os.path.realpath(root))]
    files = (path for path in names if not path.is_dir() and not _lies_in(path, closed))
    return _select(files, root, f"no pictures match {display(pattern)}", notes)


def _lies_in(path: Path, folders: Iterable[str]) -> bool:
    parent = os.path.realpath(path.parent)
    return any(folder == parent or _inside(parent, folder) for folder in folders)


def _select(paths: Iterable[Path], root: Path, nothing: str, notes: list[str]) -> list[tuple[Path, Path]]:
    """The pictures and videos among files, each with its path from `root`, and a note on the others.

    Raises InputError, whose text begins with `nothing`, if there are none.
    """
    selected, ignored = [], 0
    for path in paths:
        if path.suffix.lower() in PICTURES | _VIDEOS and path.is_file():
            selected.append((path, path.relative_to(root)))
        else:
            ignored += 1
    others = f"{_files(ignored)} neither picture nor video" if ignored else ""
    if not selected:
        reason = f"{nothing} ({others})" if others else nothing
        raise InputError(f"{reason}: give some that end in .jpg, .png or .mp4")
    if others:
        notes.append(f"{others}, and left out")
    return selected


# Conflicts


def _kept_apart(
    jobs: Sequence[Job], items: Sequence[_Input], label: str
) -> tuple[list[Job], list[tuple[Job, str]]]:
    """The jobs, of which each has a target of its own, and notes on those whose target was another's too.

    The first one, or the one whose name is the target's, keeps it; the others have their own ending in the
    name as well, as in photo.bmp.png, or a number.
    """
    taken: dict[str, Job] = {}
    for job in sorted(jobs, key=lambda job: (Path(job.source).name != Path(job.target).name, job.source)):
        taken.setdefault(_key(job.target), job)
    apart, notes = [], []
    for job, item in zip(jobs, items, strict=True):
        own = taken[_key(job.target)]
        if own is not job:
            target = Path(job.target)
            stem = f"{item.name.name}-{label}" if item.labelled else item.name.name
            stems = (stem if n == 1 else f"{stem}-{n}" for n in itertools.count(1))
            paths = (str(target.with_name(fit_name(one, target.suffix))) for one in stems)
            free = next(path for path in paths if _key(path) not in taken)
            text = f"{display(job.source)} becomes {display(free)}, as {display(job.target)} is "
            job = replace(job, target=free)
            taken[_key(free)] = job
            notes.append((job, f"{text}what {display(own.source)} becomes"))
        apart.append(job)
    return apart, notes


def _without_results(jobs: Sequence[Job]) -> list[Job]:
    """The jobs whose source is not what another job writes: an earlier run's results are no inputs."""
    writers = {_key(job.target): job for job in jobs}
    return [job for job in jobs if writers.get(_key(job.source), job) is job]


def _without_losses(jobs: Sequence[Job]) -> list[Job]:
    """The jobs, with a problem where the target is a source, by device and inode: links are seen through.

    Raises OutputError if all have it.
    """
    sources, text = {_identity(job.source) for job in jobs} - {None}, ""
    checked = []
    for job in jobs:
        if _identity(job.target) in sources:
            text = f"{display(job.target)} is also an input and would be lost: choose another folder"
            job = replace(job, problem=text)
        checked.append(job)
    if text and all(job.problem for job in checked):
        raise OutputError(text)
    return checked


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None  # not there
    return status.st_dev, status.st_ino


def _key(path: str) -> str:
    """The same for each way to write one path; a link to a file is not the file."""
    folder, name = os.path.split(path)
    return path if path == STREAM else os.path.normcase(Path(os.path.realpath(folder or "."), name))


def _inside(path: str, folder: str) -> bool:
    """Whether a real path lies somewhere below a real folder."""
    return path != folder and Path(path).is_relative_to(folder)


def _is_glob(word: str) -> bool:
    """Whether a word is a pattern and not the odd name of a file that is there."""
    return any(mark in word for mark in _WILDCARDS) and _identity(word) is None


def _files(count: int) -> str:
    return "1 file is" if count == 1 else f"{count} files are"
