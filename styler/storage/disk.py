"""Read files safely, and write them whole or not at all: everything that is written goes through `atomic`."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import io
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from styler.errors import InputError, OutputError, StylerError
from styler.storage.names import NAME_BYTES, cut, display, is_users

if sys.platform != "win32":
    import fcntl
    import resource

PIPE_BYTES = 1 << 30  # at most this much is read from standard input
_PROBE_BYTES = 1 << 16
_RANDOM_BYTES = 8  # of a temporary's name
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


# Reading


def open_input(source: Path | str) -> BinaryIO:
    """Open a regular file for reading, or all of standard input for "-".

    Raises:
        InputError: for everything else, at once: a FIFO, a device, a folder, a broken link, a URL.
    """
    if str(source) == "-":
        return io.BytesIO(_standard_input())
    if isinstance(source, str) and "://" in source:
        raise InputError(
            f"{display(source)} is a URL, and styler does not download: curl -L URL | styler ... -"
        )
    path = Path(source)
    try:
        kind = path.stat().st_mode
        if stat.S_ISREG(kind):
            return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise InputError(f"{display(path)} cannot be read: {_reason(error, path)}") from error
    if stat.S_ISDIR(kind):
        raise InputError(f"{display(path)} is a folder, and this takes one file: name a file in it")
    raise InputError(f"{display(path)} is a pipe or a device, not a regular file: use - to read a pipe")


def _standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        what = "closed" if sys.stdin is None else "a terminal"
        raise InputError(f"- reads a file from standard input, which is {what}: cat FILE | styler ... -")
    data = sys.stdin.buffer.read(PIPE_BYTES + 1)
    if len(data) > PIPE_BYTES:
        raise InputError(f"standard input has more than {_size(PIPE_BYTES)}: give a file instead")
    return data


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is a link to nothing" if path.is_symlink() else "no such file, check the name"
    return str(getattr(error, "strerror", None) or error)


def sha256_of(path: Path | str) -> str:
    """The SHA-256 of a file's bytes as 64 hexadecimal digits, read in pieces."""
    with open_input(path) as file:
        return digest(file)


def digest(file: BinaryIO) -> str:
    """The SHA-256 of an open file from its first byte, wherever it stands."""
    file.seek(0)
    # typeshed asks for a wider type than any BinaryIO has
    return hashlib.file_digest(cast(io.BytesIO, file), "sha256").hexdigest()


# Writing


@contextmanager
def atomic(path: Path | str, *, overwrite: bool = True, need: int = 0) -> Iterator[BinaryIO]:
    """Open `path` for writing so that at any moment the old file or the new one is there, whole.

    The bytes go to a hidden temporary in the same folder, which replaces `path` when the block ends
    and vanishes when it raises. With `overwrite` a link keeps pointing at its target, which is replaced, and
    a replaced file leaves its mode to the new one. A pipe or a device is written directly. `need` (bytes)
    only serves the message when the disk is full.

    Raises:
        OutputError: if the place cannot be written, is full, or is there without `overwrite`, even as a
            link to nothing.
    """
    try:
        refuse_link(path, overwrite)
        if _is_stream(path):
            with Path(path).open("wb") as stream:
                yield stream
            return
        target = _resolved(path)
        if not overwrite and target.exists():
            raise OutputError(_exists(path))
        _sweep(target)
        with _temporary(target) as (part, file):
            _take_mode(part, target, stat.S_IRUSR | stat.S_IWUSR)
            yield file
            file.flush()
            os.fsync(file.fileno())
            if sys.platform == "win32":
                file.close()  # Windows does not rename an open file
            _publish(part, target, overwrite)
    except BrokenPipeError:
        raise  # the reader went away; the command line ends quietly
    except FileExistsError as error:
        raise OutputError(_exists(path)) from error
    except Exception as error:
        if (cause := _write_error(error)) is None:
            raise
        raise OutputError(_refusal(path, cause, need)) from error


def write(path: Path | str, data: bytes, *, overwrite: bool = True) -> None:
    """Write a whole file with `atomic`, and read its first bytes back before it replaces the old one."""
    with atomic(path, overwrite=overwrite, need=len(data)) as file:
        file.write(data)
        file.flush()
        if not file.readable():
            return  # a pipe or a device
        file.seek(0)
        if file.read(64) != data[:64]:
            raise OutputError(f"{display(path)} reads back differently than written: check the disk")


def remove(path: Path | str) -> None:
    """Remove a file; raises OutputError if it cannot be."""
    try:
        Path(path).unlink()
    except OSError as error:
        raise OutputError(f"{display(path)} cannot be removed: {_reason(error, Path(path))}") from error


def prove_writable(
    path: Path | str, *, overwrite: bool, inputs: Sequence[Path | str] = (), make_parents: bool = True
) -> None:
    """Raise OutputError now if `path` could not be written after the work; writes and removes a probe.

    An output that is one of `inputs` is refused even with `overwrite`, by device and inode, so that
    links are seen through. Missing parent folders are made.
    """
    if str(path) == "-":
        _standard_output()
        return
    try:
        _prove(Path(path), overwrite, inputs, make_parents)
    except (OSError, ValueError) as error:
        raise OutputError(_refusal(path, error, _PROBE_BYTES)) from error


def _prove(path: Path, overwrite: bool, inputs: Sequence[Path | str], make_parents: bool) -> None:
    if len(os.fsencode(path.name)) > NAME_BYTES:
        raise OutputError(f"{display(path)} has a name over {NAME_BYTES} bytes: choose a shorter one")
    if path.is_dir():
        raise OutputError(f"{display(path)} is a folder: give a file name in it")
    if any(_same_file(path, source) for source in inputs):
        raise OutputError(f"{display(path)} is also an input and would be lost: choose another output")
    refuse_link(path, overwrite)
    if _is_stream(path):
        return
    if path.exists() and not overwrite:
        raise OutputError(_exists(path))
    target = _resolved(path)
    if make_parents:
        target.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(target) as (_, file):
        file.write(bytes(_PROBE_BYTES))
        file.flush()
        os.fsync(file.fileno())


def is_folder(name: str) -> bool:
    """Whether there is a folder of that name; never raises."""
    try:
        return Path(name).is_dir()
    except OSError:  # a name that is too long for the system even to ask
        return False


def means_folder(output: str) -> bool:
    """Whether an output is meant as a folder: it is one, or ends as a folder's name does."""
    return output.endswith(("/", os.sep)) or is_folder(output)


def file_for(output: str, name: str) -> str:
    """The file that an output is: `name` in it if it is meant as a folder."""
    return str(Path(output) / name) if means_folder(output) else output


def _standard_output() -> BinaryIO:
    """Standard output as a binary file; raises OutputError if it is a terminal or closed."""
    closed = sys.stdout is None or not sys.stdout.writable()
    if closed or sys.stdout.isatty():
        what = "closed" if closed else "a terminal"
        raise OutputError(f"- writes a file to standard output, which is {what}: styler ... - > FILE")
    return cast(BinaryIO, sys.stdout.buffer)


def send(data: bytes) -> None:
    """Write to standard output.

    Raises OutputError if it is a terminal, closed or full; BrokenPipeError if the reader went away.
    """
    output = _standard_output()
    try:
        output.write(data)
        output.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror}. Write to a file") from error


def _same_file(path: Path, source: Path | str) -> bool:
    try:
        return str(source) != "-" and path.samefile(source)
    except (OSError, ValueError):
        return False  # one of them does not exist


def _is_stream(path: Path | str) -> bool:
    """Whether something other than a regular file or a folder is there already: a pipe or a device."""
    try:
        kind = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def refuse_link(path: Path | str, overwrite: bool) -> None:
    """Raise OutputError for a link at an output, wherever it points, unless it may be written through."""
    if not overwrite and Path(path).is_symlink():
        raise OutputError(
            f"{display(path)} is a link: choose another name, or add --overwrite to write to where it points"
        )


def _resolved(path: Path | str) -> Path:
    """The real file behind `path`, there or not yet."""
    try:
        return Path(path).resolve()
    except RuntimeError as error:  # what a loop of links is before Python 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error


def _prefix(target: Path) -> str:
    return "." + cut(target.name, NAME_BYTES - 32) + "."


@contextmanager
def _temporary(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new locked `.NAME.RANDOM.part` beside `target`; removed at the end unless it was renamed."""
    while True:
        part = target.parent / f"{_prefix(target)}{secrets.token_hex(_RANDOM_BYTES)}.part"
        file = part.open("x+b")
        if _hold(file) and part.exists():
            break
        file.close()  # a sweep took it between its creation and its lock
    try:
        with file:
            yield part, file
    finally:
        part.unlink(missing_ok=True)


def _publish(part: Path, target: Path, overwrite: bool) -> None:
    """Give the finished temporary its name in one step, and make the name itself survive a power cut."""
    if overwrite:
        _take_mode(part, target)
        part.replace(target)
    else:
        _link(part, target)
    if sys.platform != "win32":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # some network file systems cannot sync a folder
                os.fsync(folder)
        finally:
            os.close(folder)


def _take_mode(part: Path, target: Path, more: int = 0) -> None:
    """Give a temporary the mode of the file that it will replace, with `more` bits, and its owner."""
    try:
        old = target.stat()
    except OSError:
        return  # nothing is replaced
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            os.chown(part, old.st_uid, old.st_gid)
    part.chmod(old.st_mode & 0o777 | more)


def _link(part: Path, target: Path) -> None:
    """Publish exclusively: of several writers one wins and the others raise FileExistsError."""
    try:
        target.hardlink_to(part)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        target.touch(exist_ok=False)  # no hard links here (FAT): claim the name, then fill it
        part.replace(target)


def _sweep(target: Path) -> None:
    """Remove what killed runs left of `target`: temporaries whose lock no living process holds."""
    if sys.platform == "win32":
        return
    pattern = f"{glob.escape(_prefix(target))}{'?' * 2 * _RANDOM_BYTES}.part"
    with contextlib.suppress(OSError):
        for part in target.parent.glob(pattern):
            with contextlib.suppress(OSError), part.open("r+b") as file:
                if _hold(file, certain=True):
                    part.unlink()


def _hold(file: BinaryIO, certain: bool = False) -> bool:
    """Lock a temporary as long as it is open; the system lets go when the process dies.

    Where the file system knows no locks the answer is `not certain`: ours to write, not ours to sweep.
    """
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return not certain
    return True


def _write_error(error: Exception) -> OSError | None:
    """The system's error behind `error`: itself, or a full disk that an encoder met."""
    if isinstance(error, OSError):
        return error
    cause: BaseException | None = error
    while cause is not None and not isinstance(error, StylerError):
        if isinstance(cause, OSError) and cause.errno in FULL:
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _exists(path: Path | str) -> str:
    return f"{display(path)} exists already: choose another name or add --overwrite"


def _refusal(path: Path | str, error: Exception, need: int) -> str:
    """A sentence on why `path` cannot be written; on a full disk with the space needed and free."""
    if getattr(error, "errno", None) not in FULL:
        reason = getattr(error, "strerror", None) or error
        tip = "Set STYLER_HOME to another folder" if is_users(path) else "Choose another place with --output"
        return f"{display(path)} cannot be written: {reason}. {tip}"
    if getattr(error, "errno", None) == errno.EFBIG:
        return f"{display(path)} cannot be written: {_largest()}"
    folder = Path(path).resolve().parent
    needed = f"{_size(need)} needed, " if need else ""
    free = _size(shutil.disk_usage(folder).free)
    return (
        f"{display(path)} cannot be written: no space ({needed}{free} free in {display(folder)}). Free some"
    )


def _largest() -> str:
    """What keeps files from being larger: the limit of this process, or the file system."""
    if sys.platform != "win32":
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit != resource.RLIM_INFINITY:
            return f"files of more than {_size(limit)} are not allowed here (ulimit -f): raise that limit"
    return "it would be larger than a file may be here: choose another place with --output"


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count //= 1000
    return f"{count} GB"
