"""Errors that styler raises on purpose; `ui.cli` turns each into one line and an exit code."""

import re

_SHORTAGE = re.compile(
    r"not enough memory|insufficient memory|out ?of ?memory|bad_alloc|alloc_failed"
    r"|(allocate|allocation of|mmap) .*(memory|bytes|array)|failed to allocate"
    r"|could not (create|execute) a primitive|unable to find an engine to execute"
    r"|can't start new thread|SystemError.*without (exception set|setting an exception)|pointer is null",
    re.IGNORECASE,
)
"""Words of errors without a class of their own: of allocators, CUDA's libraries, numpy, oneDNN and cuDNN;
and of Python's threads, C extensions and Rust, which lack memory for the very error."""


class StylerError(Exception):
    """Parent of all; the message is one sentence that says what to do next."""

    exit_code = 1


class InputError(StylerError):
    """A picture, an option value or a file that cannot be used."""


class OutputError(StylerError):
    """A place that cannot be written: existing, missing, read-only or full."""


class WeightsError(StylerError):
    """Network weights that are missing, damaged or cannot be fetched."""


class CheckpointError(StylerError):
    """A trained network or a training state that cannot be opened."""


class DeviceError(StylerError):
    """A device that is not installed or has too little memory."""


class DivergedError(StylerError):
    """An optimization that left for good the losses it had; `best` is its best picture, or step."""

    def __init__(self, message: str, best: object = None) -> None:
        super().__init__(message)
        self.best = best


def is_shortage(error: BaseException) -> bool:
    """Whether memory ran out; torch has an error class for that of some devices, and no device of a CPU."""
    if isinstance(error, StylerError):
        return False  # which says so itself, perhaps with the name of a file
    return isinstance(error, MemoryError) or bool(_SHORTAGE.search(f"{type(error).__name__} {error}"))
