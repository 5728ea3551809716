"""Installation of feature networks: downloads, and files that the user has; kept is a file of ours."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from pathlib import Path

import filelock
import safetensors.torch

from styler.errors import OutputError, WeightsError
from styler.events import Event, Note
from styler.storage import disk, header
from styler.storage.foreign.classifier import read_squeezenet
from styler.storage.foreign.vgg import read_foreign
from styler.storage.models import vgg
from styler.storage.models.download import Source, download, wait
from styler.storage.models.known import SQUEEZENET, WEIGHTS, find, is_known
from styler.storage.names import display


def fetch(
    name: str, *, url: str | None = None, offline: bool = False, timeout: float = 30.0, pause: float = 1.0
) -> Generator[Event, None, Path]:
    """Download the original file, check it and keep its convolutions; returns the path of our file.

    A file that is installed and right is left alone, an original in torch.hub's folder is used. `url` is
    another address of the same bytes; `timeout` and `pause` are in seconds.

    Raises:
        WeightsError: if it is offline (also by $STYLER_OFFLINE), cannot be fetched or has the wrong hash; it
            says URL, hash and folder. OutputError: if the folder cannot be written.
    """
    record = find(name)
    if not record.url:
        raise WeightsError(f"{name} is built in, there is nothing to fetch")
    _prepare(name)
    lock = filelock.FileLock(vgg.folder() / f".{name}.lock")
    try:
        locked = yield from wait(lock, name)
        if vgg.verify(name) == "ok":
            return (yield from _already(name))
        source = Source(url or record.url, record.sha256, record.bytes, record.limit)
        if offline or os.environ.get("STYLER_OFFLINE", "0") not in ("", "0"):
            raise WeightsError(
                f"{name} is not fetched, because styler is offline. {vgg.by_hand(name, source.url)}"
            )
        return (yield from _download(name, source, locked, timeout, pause))
    finally:
        lock.release()


def _already(name: str) -> Generator[Event, None, Path]:
    file = vgg.locate(name)
    if vgg.is_original(name, file):
        yield Note(f"{display(file)} is the original, so nothing is downloaded")
        return _convert(name, file)
    yield Note(f"{name} is installed already and complete: {display(file)}")
    return file


def _download(
    name: str, source: Source, locked: bool, timeout: float, pause: float
) -> Generator[Event, None, Path]:
    # With the lock the temporary's name is fixed, so that a later run continues it; else it is ours alone.
    stem = vgg.folder() / (name if locked else f".{name}-{secrets.token_hex(4)}")
    try:
        part = yield from download(source, stem, timeout=timeout, pause=pause)
        file = _convert(name, part)
        part.unlink()
        return file
    except WeightsError as error:
        raise WeightsError(f"{error}. {vgg.by_hand(name, source.url)}") from error
    finally:
        if not locked:
            for part in vgg.folder().glob(f"{stem.name}.*.part"):
                part.unlink()


def add(name: str, file: Path) -> Path:
    """Take a file that the user has, torchvision's, Caffe's or ours; returns the path of our copy.

    Raises:
        WeightsError: if it is not what `name` says, as far as that can be seen.
        InputError: if there is no such file.
    """
    record = find(name)
    if not record.url:
        raise WeightsError(f"{name} is built in; use your own file with --network {display(file)}")
    if not header.is_ours(file):
        return _convert(name, file)
    extractor = vgg.read(file)
    if (extractor.network, extractor.normalization) != (record.network, record.normalization):
        raise WeightsError(
            f"{display(file)} is {extractor.network} for {extractor.normalization.order} input, not "
            f"{name}: use it with --network {display(file)}"
        )
    is_known(name, file, extractor.get_buffer("conv1_1_weight"))
    _prepare(name)
    disk.write(vgg.own(name), file.read_bytes())
    return vgg.own(name)


def _convert(name: str, file: Path) -> Path:
    """Keep the convolutions of another tool's file."""
    record = WEIGHTS[name]
    if record.network == SQUEEZENET:
        return _keep_squeezenet(name, file)
    convolutions = read_foreign(file, record.network)
    digest = disk.sha256_of(file)
    recognized = is_known(name, file, convolutions["conv1_1"][0]) or digest.startswith(record.sha256)
    information = {
        "recognized": recognized,
        "source": record.source if recognized else "added by hand",
        "original_sha256": digest,
    }
    licence = record.licence if recognized else "unknown"
    _prepare(name)
    vgg.write(
        vgg.own(name),
        record.network,
        convolutions,
        record.normalization,
        licence=licence,
        information=information,
    )
    return vgg.own(name)


def _keep_squeezenet(name: str, file: Path) -> Path:
    """Keep a classifier whole, as the tensors of a safetensors file."""
    network = read_squeezenet(file)
    _prepare(name)
    disk.write(vgg.own(name), safetensors.torch.save(network.tensors()))
    return vgg.own(name)


def _prepare(name: str) -> None:
    """Make the folder and prove that it can be written."""
    try:
        disk.prove_writable(vgg.own(name), overwrite=True)
    except OutputError as error:
        raise OutputError(
            f"weights are kept in {display(vgg.folder())}, which cannot be written "
            f"({error.__cause__ or error}): set STYLER_HOME to another folder"
        ) from error
