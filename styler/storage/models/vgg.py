"""The feature networks' weights: which there are, where they lie, and how a file becomes an Extractor.

Nothing is fetched unless `fetch` is called. What is kept is a slim file: the convolutions only (see `slim`).
"""

from __future__ import annotations

import contextlib
import importlib.resources
import os
import secrets
from collections.abc import Generator
from pathlib import Path
from typing import Literal

import filelock
import torch

from styler.errors import OutputError, StylerError, WeightsError
from styler.events import Event, Note
from styler.features import Extractor
from styler.networks.vgg import Convolution, convolution_names
from styler.storage import disk
from styler.storage.models.download import Source, download, wait
from styler.storage.models.known import WEIGHTS, Weights, find, is_known
from styler.storage.models.slim import DamagedError, is_slim, read_about, read_foreign, read_slim, write_slim
from styler.storage.names import display, user_folder

__all__ = ["WEIGHTS", "Weights", "read_slim", "write_slim"]  # found here too, beside the functions below

Status = Literal["ok", "missing", "damaged"]

BUILT_IN = "compact"
DEFAULT_NOTE = (
    "VGG-19 is not here, so the built-in compact network is used; to get it: styler weights fetch vgg19"
)


# Where they are


def folder() -> Path:
    """Where slim files are kept: $STYLER_HOME/weights, or the platform's place for caches."""
    return user_folder("cache", "weights")


def path(name: str) -> Path | None:
    """The file that `load` would read: the slim one, or else the original in our folder or torch.hub's."""
    record = find(name)
    if not record.url:
        return built_in()
    places = (_slim_path(name), *_original_paths(record))
    return next((place for place in places if place.is_file()), None)


def locate(name: str) -> Path:
    """As `path`, but a WeightsError that says how to get the file where there is none."""
    file = path(name)
    if file is None:
        raise WeightsError(_missing(name))
    return file


def built_in() -> Path | None:
    """The compact network's file inside the package, None where it was left out."""
    resource = importlib.resources.files("styler.networks") / "compact.safetensors"
    return resource if isinstance(resource, Path) and resource.is_file() else None


def default_network() -> str:
    """The best network that is here: "vgg19", else "compact" (then tell DEFAULT_NOTE)."""
    return "vgg19" if path("vgg19") else BUILT_IN


def _slim_path(name: str) -> Path:
    return folder() / f"{name}.safetensors"


def _original_paths(record: Weights) -> tuple[Path, ...]:
    file = record.url.rpartition("/")[2]
    return folder() / file, Path(torch.hub.get_dir()) / "checkpoints" / file


# Using them


def load(name: str) -> Extractor:
    """The network of a name in WEIGHTS, or of a slim file's path; hash and contents are checked each time.

    Raises:
        WeightsError: if there is no such file (says how to get it), or it is damaged: then one in our
            folder is moved aside to NAME.damaged.
    """
    if name not in WEIGHTS and (Path(name).suffix or Path(name).is_file()):
        return read_slim(Path(name))
    record, file = find(name), path(name)
    if file is None:
        raise WeightsError(_missing(name))
    if file != _slim_path(name) and record.url:
        return Extractor(record.network, _read_original(record, file), record.normalization)
    try:
        return read_slim(file)
    except DamagedError as error:
        raise WeightsError(f"{error}. {_move_aside(name, file)}") from error


def sha256(name: str) -> str:
    """The SHA-256 of the file that `load` reads, as `sha256sum` prints it."""
    file = Path(name) if name not in WEIGHTS and Path(name).is_file() else path(name)
    if file is None:
        raise WeightsError(_missing(name))
    return disk.sha256_of(file)


def verify(name: str) -> Status:
    """Read the whole file and check hash, layers, shapes and values; changes nothing."""
    record, file = find(name), path(name)
    if file is None:
        return "missing"
    try:
        if file == _slim_path(name) or not record.url:
            read_slim(file)
        else:
            _read_original(record, file)
    except StylerError:
        return "damaged"
    return "ok"


def describe(name: str) -> str:
    """One line on what is here under `name`, from the file's header; `verify` is what proves it."""
    record, file = find(name), path(name)
    if file is None:
        return "not here" if record.url else "not in this installation"
    if file != _slim_path(name) and record.url:
        return f"the original file, {display(file)}"
    try:
        about = read_about(file)
    except StylerError as error:
        return str(error)
    every = convolution_names(about.network)
    text = "whole" if len(about.layers) == len(every) else f"cut off after {about.layers[-1]}"
    return text if about.information.get("recognized", True) else f"{text}, of unknown origin"


def _read_original(record: Weights, file: Path) -> dict[str, Convolution]:
    found = disk.sha256_of(file)
    if not found.startswith(record.sha256):
        raise WeightsError(
            f"{display(file)} has sha256 {found}, expected {record.sha256}: delete it, fetch it again"
        )
    return read_foreign(file, record.network)


def _missing(name: str) -> str:
    if not WEIGHTS[name].url:
        return "the built-in network is not in this installation: pip install --force-reinstall styler"
    by_hand = _by_hand(name, WEIGHTS[name].url)
    return f"the weights of {name} are not here; to get them: styler weights fetch {name}. {by_hand}"


def _by_hand(name: str, url: str) -> str:
    return (
        f"Or get {url} (sha256 {WEIGHTS[name].sha256}) in another way, and put it into "
        f"{display(folder())} or type: styler weights add {name} FILE"
    )


def _move_aside(name: str, file: Path) -> str:
    if not WEIGHTS[name].url:
        return "Install styler again: pip install --force-reinstall styler"
    aside = file.with_name(f"{file.name}.damaged")
    with contextlib.suppress(OSError):  # a folder that may only be read
        file.replace(aside)
        return f"It was moved to {display(aside)}; fetch it again: styler weights fetch {name}"
    return f"Delete it and fetch it again: styler weights fetch {name}"


# Getting them


def fetch(
    name: str, *, url: str | None = None, offline: bool = False, timeout: float = 30.0, pause: float = 1.0
) -> Generator[Event, None, Path]:
    """Download the original file, check it and keep its convolutions; returns the slim file's path.

    A file that is here and right is left alone, an original that lies in torch.hub's folder is used. `url` is
    another place for the same bytes; `timeout` and `pause` are in seconds.

    Raises:
        WeightsError: if it is offline (also by $STYLER_OFFLINE), cannot be fetched or has the wrong hash; it
            tells URL, hash and folder. OutputError: if the folder cannot be written.
    """
    record = find(name)
    if not record.url:
        raise WeightsError(f"{name} is built in, there is nothing to fetch")
    _prepare(name)
    lock = filelock.FileLock(folder() / f".{name}.lock")
    try:
        held = yield from wait(lock, name)
        if verify(name) == "ok":
            return (yield from _already(name))
        source = Source(url or record.url, record.sha256, record.bytes)
        _refuse_offline(name, source.url, offline)
        return (yield from _download(name, source, held, timeout, pause))
    finally:
        lock.release()


def _already(name: str) -> Generator[Event, None, Path]:
    file = path(name)
    assert file is not None  # just verified
    if file != _slim_path(name):
        yield Note(f"{display(file)} is the original, so nothing is downloaded")
        return _convert(name, file)
    yield Note(f"{name} is here already and whole: {display(file)}")
    return file


def _download(
    name: str, source: Source, held: bool, timeout: float, pause: float
) -> Generator[Event, None, Path]:
    # With the lock the temporary's name is fixed, so that a later run continues it; else it is ours alone.
    stem = folder() / (name if held else f".{name}-{secrets.token_hex(4)}")
    try:
        part = yield from download(source, stem, timeout=timeout, pause=pause)
        converted = _convert(name, part)
        part.unlink()
        return converted
    except WeightsError as error:
        raise WeightsError(f"{error}. {_by_hand(name, source.url)}") from error
    finally:
        if not held:
            for part in folder().glob(f"{stem.name}.*.part"):
                part.unlink()


def _refuse_offline(name: str, url: str, offline: bool) -> None:
    if offline or os.environ.get("STYLER_OFFLINE", "0") not in ("", "0"):
        raise WeightsError(f"{name} is not fetched, because styler is offline. {_by_hand(name, url)}")


def add(name: str, file: Path) -> Path:
    """Take a file that the user has, torchvision's, Caffe's or a slim one; returns the slim file's path.

    Raises:
        WeightsError: if it is not what `name` says, as far as that can be told.
        InputError: if there is no such file.
    """
    record = find(name)
    if not record.url:
        raise WeightsError(f"{name} is built in; use your own file with --network {display(file)}")
    if not is_slim(file):
        return _convert(name, file)
    about, extractor = read_about(file), read_slim(file)
    if (about.network, about.normalization) != (record.network, record.normalization):
        raise WeightsError(
            f"{display(file)} is {about.network} for {about.normalization.order} input, not {name}: "
            f"use it with --network {display(file)}"
        )
    is_known(name, file, extractor.get_buffer("conv1_1_weight"))
    _prepare(name)
    disk.write(_slim_path(name), file.read_bytes())
    return _slim_path(name)


def _convert(name: str, file: Path) -> Path:
    """Keep the convolutions of another tool's file as the slim file of `name`."""
    record = WEIGHTS[name]
    found = read_foreign(file, record.network)
    original = disk.sha256_of(file)
    recognized = is_known(name, file, found["conv1_1"][0]) or original.startswith(record.sha256)
    information = {
        "recognized": recognized,
        "licence": record.licence if recognized else "unknown",
        "source": record.source if recognized else "added by hand",
        "original_sha256": original,
    }
    _prepare(name)
    write_slim(_slim_path(name), record.network, found, record.normalization, information=information)
    return _slim_path(name)


def _prepare(name: str) -> None:
    """Make the folder and prove that it can be written."""
    try:
        disk.prove_writable(_slim_path(name), overwrite=True)
    except OutputError as error:
        raise OutputError(
            f"weights are kept in {display(folder())}, which cannot be written "
            f"({error.__cause__ or error}): set STYLER_HOME to another folder"
        ) from error
