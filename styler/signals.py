"""Ctrl-C and SIGTERM as a wish that loops ask for, so that work ends between two steps and is saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(BaseException):
    """Leave at once, and save nothing. Not an Exception, so that nothing handles it by accident."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Interrupt:
    """Remembers the first signal; call it to ask whether to stop."""

    number: int | None = None
    asked = False

    def __call__(self) -> bool:
        """True once a signal has come."""
        self.asked = True
        return self.number is not None

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """The handler: the first signal is remembered, the second raises Interrupted.

        So does one that comes before anybody asked: there is no work yet that could be saved.
        """
        if self.number is not None or not self.asked:
            raise Interrupted(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP, 0 if no signal came."""
        return 0 if self.number is None else 128 + self.number


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """While the block runs, signals are remembered by the Interrupt instead of ending the program."""
    interrupt = Interrupt()
    before = {number: signal.signal(number, interrupt.receive) for number in SIGNALS}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
