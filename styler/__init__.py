"""styler: neural style transfer for people who have a photo, a style and a laptop.

What a Python user needs is here: `optimize` is a generator of events that returns the picture.

    import styler
    content, style = styler.load("photo.jpg").image, styler.load("painting.jpg").image
    network, options = styler.load_network("compact"), styler.OptimizeOptions(size=384)
    for event in styler.optimize(content, [style], network, options): ...
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from styler.version import __version__ as __version__

if TYPE_CHECKING:
    from styler.errors import StylerError as StylerError
    from styler.features import Extractor as Extractor
    from styler.options.optimize import OptimizeOptions as OptimizeOptions
    from styler.storage.models.vgg import load as load_network
    from styler.storage.pictures.load import load_picture as load
    from styler.storage.pictures.save import save_picture as save
    from styler.tasks.optimize import optimize as optimize

_PLACES = {
    "Extractor": ("styler.features", "Extractor"),
    "OptimizeOptions": ("styler.options.optimize", "OptimizeOptions"),
    "StylerError": ("styler.errors", "StylerError"),
    "load": ("styler.storage.pictures.load", "load_picture"),
    "load_network": ("styler.storage.models.vgg", "load"),
    "optimize": ("styler.tasks.optimize", "optimize"),
    "save": ("styler.storage.pictures.save", "save_picture"),
}

__all__ = ["Extractor", "OptimizeOptions", "StylerError", "load", "load_network", "optimize", "save"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `styler --help` never loads torch."""
    if name not in _PLACES:
        raise AttributeError(f"module 'styler' has no attribute '{name}'")
    module, attribute = _PLACES[name]
    return getattr(importlib.import_module(module), attribute)
