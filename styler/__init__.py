"""styler: neural style transfer for people who have a photo, a style and a laptop.

The public names, imported when they are asked for:

    load, save        pictures: `load("photo.jpg").image` is a tensor [1, 3, H, W] in [0, 1]
    load_network      the VGG that `optimize` compares pictures with
    optimize          a tensor in the style of others; OptimizeOptions; Style has weight, scale and masks
    fast, translate   files, folders and videos by a trained network; FastOptions, TranslateOptions
    run               runs any of the three, which are generators of events, to its result

    import styler

    content, style = styler.load("photo.jpg").image, styler.load("painting.jpg").image
    options = styler.OptimizeOptions(size=384)
    image = styler.run(styler.optimize(content, [style], styler.load_network("compact"), options))
    styler.save("painted.png", image)

    styler.run(styler.fast(["photo.jpg"], "fast.png", styler.FastOptions(style="ink")))

Whatever goes wrong is a StylerError, whose message says what to do next.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from styler.version import __version__ as __version__

if TYPE_CHECKING:
    from styler.engine.terms import Style as Style
    from styler.errors import StylerError as StylerError
    from styler.events import result_of as run
    from styler.jobs.fast import fast as fast
    from styler.jobs.translate import translate as translate
    from styler.options.fast import FastOptions as FastOptions
    from styler.options.optimize import OptimizeOptions as OptimizeOptions
    from styler.options.translate import TranslateOptions as TranslateOptions
    from styler.storage.models.vgg import load as load_network
    from styler.storage.pictures.load import load_picture as load
    from styler.storage.pictures.save import save_picture as save
    from styler.tasks.optimize import optimize as optimize

_PUBLIC = {
    "FastOptions": ("styler.options.fast", "FastOptions"),
    "OptimizeOptions": ("styler.options.optimize", "OptimizeOptions"),
    "Style": ("styler.engine.terms", "Style"),
    "StylerError": ("styler.errors", "StylerError"),
    "TranslateOptions": ("styler.options.translate", "TranslateOptions"),
    "fast": ("styler.jobs.fast", "fast"),
    "load": ("styler.storage.pictures.load", "load_picture"),
    "load_network": ("styler.storage.models.vgg", "load"),
    "optimize": ("styler.tasks.optimize", "optimize"),
    "run": ("styler.events", "result_of"),
    "save": ("styler.storage.pictures.save", "save_picture"),
    "translate": ("styler.jobs.translate", "translate"),
}
"""Module and attribute of each public name."""

__all__ = [
    "FastOptions",
    "OptimizeOptions",
    "Style",
    "StylerError",
    "TranslateOptions",
    "fast",
    "load",
    "load_network",
    "optimize",
    "run",
    "save",
    "translate",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `styler --help` never loads torch."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'styler' has no attribute '{name}'")
    module, attribute = _PUBLIC[name]
    return getattr(importlib.import_module(module), attribute)
