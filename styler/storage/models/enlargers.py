"""Trained networks that enlarge: found, read, and mixed for detail and cleaning."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, cast

from styler.errors import CheckpointError, InputError
from styler.networks.enlarge import EnlargeNetwork, mixed
from styler.options.enlarge import EnlargeOptions
from styler.storage.cards import Card
from styler.storage.models import library
from styler.storage.models.library import Model
from styler.storage.names import display

OURS = ("enlarge-x2", "enlarge-x4")
"""Networks that came with styler, and enlarge unless another is asked for."""
DETAIL = "-detail"
"""End of the name of a network that invents detail, beside that of the faithful one."""


class Enlarger(NamedTuple):
    """A network that enlarges, its card, and how it is mixed: see `networks.enlarge.mixed`.

    `sha256` is that of its file and, after a plus, of the one with more detail that is mixed in.
    """

    network: EnlargeNetwork
    card: Card
    detail: float = 0.0
    clean: float = 0.0
    sha256: str = ""


def locate(model: str) -> Path:
    """Find the file of the name or path of a network that enlarges.

    Raises:
        CheckpointError: if there is none, with the nearest names.
    """
    return library.named(model, [path.stem for path in library.cards("small")])


def read(path: Path | str) -> Enlarger:
    """As `library.read`, of a network that enlarges; CheckpointError if it does anything else."""
    return of(path, library.read(path))


def of(path: Path | str, model: Model) -> Enlarger:
    """As `read`, of what was read."""
    library.require_use(path, model.card, "small")
    return Enlarger(cast(EnlargeNetwork, model.network), model.card)


def mixture(path: Path, detail: float | None = None, clean: float | None = None) -> Enlarger:
    """The network of three channels for a level of detail and of cleaning; None is the default, if it can.

    Raises:
        InputError: for a level of what the network does not have.
        CheckpointError: as `read`.
    """
    model, beside = read(path), path.with_name(f"{path.stem}{DETAIL}{path.suffix}")
    other = read(beside) if beside.is_file() else None
    detailed = other.network if other else None
    able, cleans = detailed is not None, model.network.config.inputs == 4
    if detailed and detailed.config != model.network.config:
        raise CheckpointError(f"{display(beside)} has another shape than {display(path)}: train it from that")
    if detail and not able:
        raise InputError(f"{display(path)} has no {display(path.stem)}{DETAIL} beside it: leave out --detail")
    if clean and not cleans:
        raise InputError(f"{display(path)} was not trained for levels of cleaning: leave out --clean")
    details, cleaning = (
        (default if level is None else level) if can else 0.0
        for level, default, can in (
            (detail, EnlargeOptions().detail, able),
            (clean, EnlargeOptions().clean, cleans),
        )
    )
    sources = [model.card.sha256, *([other.card.sha256] if other and details else [])]
    network = mixed(model.network, detailed, details, cleaning)
    return Enlarger(network, model.card, details, cleaning, "+".join(sources))
