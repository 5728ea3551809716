"""Fetching one large file over https: resumed after a cut, and not trusted before its hash is right."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any

import filelock

from styler.errors import OutputError, WeightsError
from styler.events import Event, Note, Stage, Step
from styler.storage import disk
from styler.storage.names import display

_TRIES = 3
CHUNK = 1 << 20  # bytes to a Step
_RETRIED = (OSError, http.client.HTTPException)
_BUSY = (408, 425, 429)  # the client errors that may pass


@dataclass(frozen=True)
class Source:
    """A file on a server: `sha256` may be its first digits only.

    Attributes:
        bytes: its size, 0 where that is not known.
        limit: of its size, where that is not known.
    """

    url: str
    sha256: str
    bytes: int
    limit: int

    @property
    def most(self) -> int:
        """Bytes that it can have at most."""
        return self.bytes or self.limit


def wait(lock: filelock.BaseFileLock, what: str) -> Generator[Event, None, bool]:
    """Take the lock, and say so once if another process has it; returns whether it could be taken at all."""
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            yield Note(f"another styler is fetching {what}; waiting for it")
            lock.acquire()
    except (OSError, NotImplementedError):
        return False  # a folder on a file system without locks: we go on, with a temporary of our own
    return True


def download(
    source: Source, stem: Path, *, timeout: float = 30.0, pause: float = 1.0
) -> Generator[Event, None, Path]:
    """Download to a temporary and return its path once its sha256 is right; the caller removes it.

    What arrived stays in `STEM.MARK.part`, where MARK stands for the server's version of the file, and is
    continued by the next try or the next run. Nobody else may use the same `stem` meanwhile.

    Args:
        source: what to get.
        stem: path without the ending of the temporary.
        timeout: seconds without a byte after which a try is given up.
        pause: seconds before the second try; it doubles for the third.

    Raises:
        WeightsError: no https, refused by the server, not reached in three tries, too long, or a wrong hash.
        OutputError: if the disk is full or the folder cannot be written.
    """
    _check_url(source.url)
    for attempt in range(1, _TRIES + 1):
        try:
            part, resumed = yield from _attempt(source, stem, timeout)
            if _is_right(part, source, last=attempt == _TRIES or not resumed):
                return part
            reason = "the continued file has a wrong hash, starting over"
        except _RETRIED as error:
            reason = _reason(error)
            if attempt == _TRIES or _is_final(error):
                raise WeightsError(f"{source.url} could not be fetched: {reason}") from error
        yield Note(f"{reason}; try {attempt + 1} of {_TRIES}")
        time.sleep(pause * 2 ** (attempt - 1))
    raise AssertionError("the last try returns or raises")


def _attempt(source: Source, stem: Path, timeout: float) -> Generator[Event, None, tuple[Path, bool]]:
    """One request; returns the whole temporary and whether its beginning is from an earlier one."""
    old = next(iter(sorted(stem.parent.glob(f"{stem.name}.{'?' * 16}.part"))), None)
    # One byte more than is missing, so that a request for a file that is complete is not an error.
    offset = max(old.stat().st_size - 1, 0) if old else 0
    with _open(source.url, offset, timeout) as response:
        total = _total(response)
        if total > source.most or 0 < total < source.bytes:
            raise _other_file(source, f"{total}")
        part = stem.with_name(f"{stem.name}.{_mark(source, response, total)}.part")
        if old and not (old == part and _continues(response, offset)):
            old.unlink()
            if offset and response.status != http.client.OK:
                raise ConnectionError("the file on the server has changed, starting over")
            offset = 0
        try:
            yield from _receive(response, part, offset, total, source)
        except WeightsError:
            part.unlink()
            raise
    return part, offset > 0


def _other_file(source: Source, size: str) -> WeightsError:
    expected = source.bytes or f"{source.limit} at most"
    return WeightsError(f"{source.url} has {size} bytes, expected {expected}: it is another file")


def _receive(
    response: http.client.HTTPResponse, part: Path, offset: int, total: int, source: Source
) -> Generator[Event, None, None]:
    """Write the body at `offset` of `part`, one Step per MiB; raises WeightsError if there is too much."""
    size, steps = offset, -(-total // CHUNK)
    yield Stage(f"download {part.name.partition('.')[0]}", 0, 0, steps)
    with _writing(part, total - size):
        if shutil.disk_usage(part.parent).free < total - size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file = part.open("r+b" if offset else "wb")
    with file:
        file.seek(offset)
        while piece := response.read1(CHUNK):  # what there is, so that a stall loses nothing
            if size + len(piece) > source.most:
                raise _other_file(source, f"more than {source.most}")
            with _writing(part, total - size):
                file.write(piece)
                file.flush()
            before, size = size, size + len(piece)
            if size // CHUNK > before // CHUNK or size == total:
                yield Step(steps if size == total else size // CHUNK, steps)
    if total and size != total:
        raise ConnectionError(f"the connection was cut after {size} of {total} bytes")


@contextmanager
def _writing(part: Path, need: int) -> Iterator[None]:
    """Turn the system's refusal to write into OutputError, so that it is not taken for the network's."""
    try:
        yield
    except OSError as error:
        free = shutil.disk_usage(part.parent).free
        raise OutputError(
            f"{display(part)} cannot be written: {error.strerror} ({need} bytes missing, {free} free). "
            "Free some space or set STYLER_HOME to another folder"
        ) from error


def _is_right(part: Path, source: Source, *, last: bool) -> bool:
    """Whether the whole file has the right hash; removed if not, and an error if it is the `last` chance."""
    found = disk.sha256_of(part)
    if found.startswith(source.sha256):
        return True
    part.unlink()
    if last:
        raise WeightsError(f"{source.url} gave a file with sha256 {found}, which is wrong; it was not kept")
    return False


# The protocol


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to something less."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://") and not (_is_loopback(req.full_url) and _is_loopback(newurl)):
            raise WeightsError(f"{req.full_url} redirects to {display(newurl)}, which is not https: refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_url(url: str) -> None:
    sound = _is_sound(url)
    if not url.startswith("https://") and not (sound and _is_loopback(url)):
        raise WeightsError(f"{display(url)} is not https: refused")
    if not sound:
        raise WeightsError(f"{display(url)} is no address: write one as https://example.org/file.pth")


def _is_sound(url: str) -> bool:
    """Whether a URL has a host and no character that would have to be escaped."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return False
    return bool(host and re.fullmatch("[!-~]+", url))


def _is_loopback(url: str) -> bool:
    """Plain http to this very machine, where nobody can listen in."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}


def _open(url: str, offset: int, timeout: float) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "styler", "Accept-Encoding": "identity"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    try:
        response: http.client.HTTPResponse = urllib.request.build_opener(_Redirects).open(
            request, timeout=timeout
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            return _open(url, 0, timeout)  # the file has become shorter
        raise
    return response


def _continues(response: http.client.HTTPResponse, offset: int) -> bool:
    return response.status == http.client.PARTIAL_CONTENT and response.headers.get(
        "Content-Range", ""
    ).startswith(f"bytes {offset}-")


def _total(response: http.client.HTTPResponse) -> int:
    """Size in bytes of the whole file, or 0 where the server does not say."""
    ranged = response.headers.get("Content-Range", "").rpartition("/")[2]
    size = (
        ranged
        if response.status == http.client.PARTIAL_CONTENT
        else response.headers.get("Content-Length", "")
    )
    return int(size) if size.isdecimal() else 0


def _mark(source: Source, response: http.client.HTTPResponse, total: int) -> str:
    """16 digits that change when the file on the server does: from its URL, size and ETag or date."""
    headers: Message = response.headers
    version = headers.get("ETag") or headers.get("Last-Modified") or ""
    return hashlib.sha256(f"{source.url}\n{total}\n{version}".encode()).hexdigest()[:16]


def _is_final(error: Exception) -> bool:
    return isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code not in _BUSY


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {display(str(error.reason))}"
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return "the server stopped sending"
    return str(getattr(error, "reason", None) or error or type(error).__name__)
