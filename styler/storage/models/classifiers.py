"""Networks to look through, by name: VGGs, classifiers where they are installed, and the names of classes."""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from styler.classifiers import HeadedVGG, Network
from styler.errors import InputError, WeightsError
from styler.features import Extractor
from styler.storage import header
from styler.storage.foreign.classifier import read_head, read_squeezenet
from styler.storage.foreign.vgg import read_foreign
from styler.storage.models import vgg
from styler.storage.models.known import SQUEEZENET, WEIGHTS
from styler.storage.names import display, nearest

_HEADED = ("vgg19", "vgg16")


def default_classifier() -> str:
    """The best classifier that is installed: a whole VGG, else SqueezeNet; "" if there is none."""
    return next((name for name in (*_HEADED, SQUEEZENET) if _original(name)), "")


def load(name: str, classes: bool = False) -> Network:
    """A network of `styler weights list`, or in a file; with `classes` one that scores classes.

    Raises WeightsError where it is missing, damaged, or without classes though they are wanted.
    """
    if name == SQUEEZENET:
        return read_squeezenet(vgg.locate(name))
    if not classes or not (name in WEIGHTS or Path(name).is_file()):
        return vgg.load(name)
    file = _original(name) if name in WEIGHTS else Path(name)
    if file is None or not file.is_file() or header.is_ours(file):
        raise WeightsError(
            f"{display(name)} has no head to score classes, as styler keeps convolutions only: leave out "
            "--network, or give the whole network's file, as in --network vgg19-dcbb9e9d.pth"
        )
    return _whole(file, name)


def _original(name: str) -> Path | None:
    """The file of a known classifier; of a VGG only the one that was published has a head."""
    file = vgg.path(name)
    return None if file is None or (name in _HEADED and header.is_ours(file)) else file


def _whole(file: Path, name: str) -> Network:
    """A classifier of any known kind in a file, whatever it is called."""
    head = read_head(file)
    if len(head) < 3:
        return read_squeezenet(file)
    for body in _HEADED:
        try:
            convolutions = read_foreign(file, body)
        except WeightsError:
            continue
        if name in WEIGHTS:
            vgg.load(name)  # which checks the hash
        return HeadedVGG(Extractor(body, convolutions), head)
    raise WeightsError(f"{display(file)} holds neither vgg19 nor vgg16 nor squeezenet")


# Names of classes


@cache
def class_names() -> tuple[str, ...]:
    """The 1000 classes of ImageNet as torchvision lists them, in its file, which is read and not run."""
    spec = find_spec("torchvision")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder, "models", "_meta.py")
        for node in ast.parse(file.read_text("utf-8")).body if file.is_file() else ():
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
                names: list[str] = ast.literal_eval(node.value)
                if len(names) == 1000:
                    return tuple(names)
    return ()


def class_name(index: int, count: int) -> str:
    """The name of one of so many classes; a number where they are not ImageNet's."""
    names = class_names()
    return names[index] if len(names) == count else f"class {index}"


def find_class(text: str, count: int) -> int:
    """The number of a class by its name or its number, as text.

    Raises InputError, with the nearest names, for one that there is not.
    """
    if text.isdecimal() and int(text) < count:
        return int(text)
    if text.isdecimal():
        raise InputError(f"--class is {text}, and the classes are numbered from 0 to {count - 1}")
    names = [name.casefold() for name in class_names()] if len(class_names()) == count else []
    if text.casefold() in names:
        return names.index(text.casefold())
    inside = [name for name in names if text.casefold() in name.split()]
    if inside:
        likely = [name for name in class_names() if name.casefold() in inside]
        raise InputError(f"no class is called '{display(text)}'; did you mean {' or '.join(likely[:8])}?")
    raise InputError(f"no class is called '{display(text)}'{nearest(text.casefold(), names)}")
