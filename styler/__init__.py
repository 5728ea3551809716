"""styler: neural style transfer for people who have a photo, a style and a laptop.

    import styler

    picture = styler.paint("photo.jpg", "painting.jpg")  # a notebook shows it
    picture.save("painted.png")
    styler.fast("photo.jpg", "wave").save("fast.png")

The public names, imported when they are asked for:

    paint, fast, translate    a photo in, a Picture out: files, Pillow, NumPy, torch; names of styles
    painting                  paint, event by event: .picture, .losses, .stop(), .result()
    styles                    the styles that have a name, a gallery in a notebook
    Picture                   .save(), .pil, .numpy(), .tensor, .recipe
    StylerError               parent of all errors; the message says what to do next

and for experts, who have tensors and an extractor of their own:

    optimize                  a generator of events; OptimizeOptions; Style has weight, scale and masks
    run                       runs a generator of events to its result
    load, save, load_network  pictures as tensors [1, 3, H, W] in [0, 1], and the VGG that compares them
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from styler.version import __version__ as __version__

if TYPE_CHECKING:
    from styler.api.calls import fast as fast
    from styler.api.calls import paint as paint
    from styler.api.calls import painting as painting
    from styler.api.calls import translate as translate
    from styler.api.experts import load as load
    from styler.api.experts import optimize as optimize
    from styler.api.experts import save as save
    from styler.api.painting import Painting as Painting
    from styler.api.picture import Picture as Picture
    from styler.api.styles import styles as styles
    from styler.engine.terms import Style as Style
    from styler.errors import StylerError as StylerError
    from styler.events import result_of as run
    from styler.options.fast import FastOptions as FastOptions
    from styler.options.optimize import OptimizeOptions as OptimizeOptions
    from styler.options.translate import TranslateOptions as TranslateOptions
    from styler.storage.models.vgg import load as load_network

_PUBLIC = {
    "FastOptions": ("styler.options.fast", "FastOptions"),
    "OptimizeOptions": ("styler.options.optimize", "OptimizeOptions"),
    "Painting": ("styler.api.painting", "Painting"),
    "Picture": ("styler.api.picture", "Picture"),
    "Style": ("styler.engine.terms", "Style"),
    "StylerError": ("styler.errors", "StylerError"),
    "TranslateOptions": ("styler.options.translate", "TranslateOptions"),
    "fast": ("styler.api.calls", "fast"),
    "load": ("styler.api.experts", "load"),
    "load_network": ("styler.storage.models.vgg", "load"),
    "optimize": ("styler.api.experts", "optimize"),
    "paint": ("styler.api.calls", "paint"),
    "painting": ("styler.api.calls", "painting"),
    "run": ("styler.events", "result_of"),
    "save": ("styler.api.experts", "save"),
    "styles": ("styler.api.styles", "styles"),
    "translate": ("styler.api.calls", "translate"),
}
"""Module and attribute of each public name."""

__all__ = [
    "FastOptions",
    "OptimizeOptions",
    "Painting",
    "Picture",
    "Style",
    "StylerError",
    "TranslateOptions",
    "fast",
    "load",
    "load_network",
    "optimize",
    "paint",
    "painting",
    "run",
    "save",
    "styles",
    "translate",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `styler --help` never loads torch."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'styler' has no attribute '{name}'")
    module, attribute = _PUBLIC[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    """The public names, which are not imported yet."""
    return sorted({*__all__, "__version__"})
