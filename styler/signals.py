"""Signals (Ctrl-C, SIGTERM, SIGHUP) as a wish to stop, which loops ask for between two steps."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(BaseException):
    """A signal to leave at once and save nothing; no Exception, so that nothing handles it by accident."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Interrupt:
    """The first signal that came, if one did; call it to ask whether to stop."""

    number: int | None = None
    asked = False

    def __call__(self) -> bool:
        """Whether a signal has come."""
        self.asked = True
        return self.number is not None

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Handle a signal: remember the first; raise Interrupted for the second.

        So does one that comes before anybody asked: there is no work yet that could be saved.
        """
        if self.number is not None or not self.asked:
            raise Interrupted(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP, 0 if no signal came."""
        return 0 if self.number is None else 128 + self.number


class Heeded:
    """A wish to stop that is asked for only where work is left; `yes` once some was left for it."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop, self.yes = stop, False

    def __call__(self) -> bool:
        """Whether to leave the rest of the work."""
        self.yes = self.yes or self._stop()
        return self.yes


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Handle signals by an Interrupt while the block runs, in place of ending the program.

    Those that were ignored stay so: `nohup styler` goes on when its terminal is closed.
    """
    interrupt = Interrupt()
    heeded = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt.receive) for number in heeded}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
