"""What networks are made of."""

from __future__ import annotations

from dataclasses import field
from typing import TypeVar

T = TypeVar("T")


def bounded(default: T, low: float, high: float) -> T:
    """A field of a network's configuration: its default and its bounds, inclusive.

    Those of a tuple are its numbers' bounds.
    """
    bounds: T = field(default=default, metadata={"low": low, "high": high})
    return bounds
