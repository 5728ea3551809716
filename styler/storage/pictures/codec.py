"""Global state of Pillow and its libraries, shared among threads: pixel limit, warnings, standard error."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from PIL import Image

_SILENCE = logging.NullHandler()


class Settings:
    """Pillow's pixel limit and warnings, set by the first thread that needs them and restored by the last.

    Threads that want the same limit decode at once, for Pillow's decoders run side by side; others wait.
    """

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._limit, self._users = 0, 0
        self._undo = ExitStack()
        self._own = threading.local()

    @contextmanager
    def used(self, max_pixels: int) -> Iterator[list[str]]:
        """Decode with a limit of pixels; the list collects the warnings of this thread."""
        with self._turn:
            self._turn.wait_for(lambda: not self._users or self._limit == max_pixels)
            if not self._users:
                self._set(max_pixels)
            self._users += 1
        warned: list[str] = []
        self._own.warned = warned
        try:
            yield warned
        finally:
            del self._own.warned
            with self._turn:
                self._users -= 1
                if not self._users:
                    self._undo.close()
                    self._turn.notify_all()

    def _set(self, max_pixels: int) -> None:
        logging.getLogger("PIL").addHandler(_SILENCE)  # without any handler its errors go to stderr
        before = Image.MAX_IMAGE_PIXELS
        self._undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", before)
        self._undo.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        show = warnings.showwarning

        def collect(message: Warning | str, *more: Any) -> None:
            if hasattr(self._own, "warned"):
                self._own.warned.append(" ".join(str(message).split()))
            else:  # of a thread that decodes nothing
                show(message, *more)

        warnings.showwarning = collect  # type: ignore[assignment]  # arguments that have a default too
        self._limit = Image.MAX_IMAGE_PIXELS = max_pixels


SETTINGS = Settings()
_hushing = threading.Lock()


@contextmanager
def hushed() -> Iterator[None]:
    """Silence standard error of C: libtiff prints faults of a file there before Pillow raises them."""
    with _hushing:  # or a second thread would take the first one's nowhere for stderr
        try:
            saved = os.dup(2)
        except OSError:  # stderr is closed
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(nowhere)
            os.close(saved)
