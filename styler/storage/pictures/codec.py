"""What Pillow and its libraries have but once for all threads: a pixel limit, warnings, standard error."""

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
    """Pillow's pixel limit and warnings, as the first thread to come sets them and the last one finds them.

    Threads that want the same limit decode at once, for Pillow's decoders run side by side; others wait.
    """

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._limit, self._users = 0, 0
        self._undo = ExitStack()
        self._own = threading.local()

    @contextmanager
    def used(self, max_pixels: int) -> Iterator[list[str]]:
        """Decode with a limit of so many pixels; the warnings of this thread come into the list."""
        with self._turn:
            self._turn.wait_for(lambda: not self._users or self._limit == max_pixels)
            if not self._users:
                self._set(max_pixels)
            self._users += 1
        heard: list[str] = []
        self._own.heard = heard
        try:
            yield heard
        finally:
            del self._own.heard
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
        shown = warnings.showwarning

        def hear(message: Warning | str, *more: Any) -> None:
            if hasattr(self._own, "heard"):
                self._own.heard.append(" ".join(str(message).split()))
            else:  # of a thread that decodes nothing
                shown(message, *more)

        warnings.showwarning = hear  # type: ignore[assignment]  # arguments that have a default too
        self._limit = Image.MAX_IMAGE_PIXELS = max_pixels


SETTINGS = Settings()
_hushing = threading.Lock()


@contextmanager
def hushed() -> Iterator[None]:
    """Drop what C writes to stderr: libtiff prints there, before Pillow raises, what is wrong with a file."""
    with _hushing:  # or a second thread would take the first one's nowhere for stderr
        try:
            kept = os.dup(2)
        except OSError:  # stderr is closed
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(nowhere)
            os.close(kept)
