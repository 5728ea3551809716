"""The functions for experts, on tensors, with their arguments checked and named in errors."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from torch import Tensor

from styler.api.errors import for_python, naming_arguments
from styler.engine.terms import Style
from styler.errors import InputError
from styler.events import Checkpoint, Event
from styler.features import Extractor
from styler.options.optimize import OptimizeOptions
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture
from styler.tasks import optimize as task

load = for_python(load_picture)
save = for_python(save_picture)


def optimize(
    content: Tensor,
    styles: Sequence[Tensor | Style],
    extractor: Extractor,
    options: OptimizeOptions,
    init: Tensor | None = None,
    stop: Callable[[], bool] = lambda: False,
    protect: Tensor | None = None,
    resume: Checkpoint | None = None,
) -> Generator[Event, None, Tensor]:
    """Style transfer on tensors, as `styler.tasks.optimize`; raises InputError for what is no Image."""
    _check_image(content, "content")
    if not isinstance(styles, list | tuple) or not styles:
        raise InputError("styles must be a list of at least one: give [style]")
    for index, style in enumerate(styles):
        _check_image(style.image if isinstance(style, Style) else style, f"styles[{index}]")
    return _named(task.optimize(content, styles, extractor, options, init, stop, protect, resume))


def _named(run: Generator[Event, None, Tensor]) -> Generator[Event, None, Tensor]:
    with naming_arguments():
        return (yield from run)


def _check_image(image: object, name: str) -> None:
    """Raise InputError for what is no Image, float [1, 3, H, W] in [0, 1]."""
    if not isinstance(image, Tensor):
        raise InputError(
            f"{name} is a {type(image).__name__}; styler.load gives tensors, styler.paint takes all"
        )
    if image.ndim != 4 or image.shape[:2] != (1, 3) or not image.is_floating_point():
        raise InputError(f"{name} is {image.dtype} {tuple(image.shape)}; it must be of floats, [1, 3, H, W]")
    if not (float(image.min()) >= -0.01 and float(image.max()) <= 1.01):
        raise InputError(f"{name} has values outside of [0, 1]: scale it")
