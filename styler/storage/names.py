"""Where styler keeps files of the user's: what can be had again in a cache, what cannot among the data."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

Kind = Literal["cache", "data"]

_UNIX = {"cache": ("XDG_CACHE_HOME", ".cache"), "data": ("XDG_DATA_HOME", ".local/share")}
_MAC = {"cache": "Library/Caches", "data": "Library/Application Support"}


def place(kind: Kind, name: str) -> Path:
    """The folder of that name: $STYLER_HOME/NAME, or where the platform puts such things."""
    if home := os.environ.get("STYLER_HOME"):
        return Path(home).expanduser() / name
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = Path.home() / _MAC[kind]
    else:
        variable, usual = _UNIX[kind]
        root = Path(os.environ.get(variable, ""))
        # The XDG specification: a relative path is to be ignored.
        root = root if root.is_absolute() else Path.home() / usual
    return root / "styler" / name
