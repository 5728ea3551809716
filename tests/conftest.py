"""What every test runs in: one thread, no network but the loopback, no file of the user's."""

import io
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from corpus import picture
from narrow import slimmed

from styler.ui import cli

torch.set_num_threads(1)

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell starts what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)

EXAMPLES = Path(__file__).parents[1] / "examples"
LOOPBACK = {"localhost", "127.0.0.1", "::1", None}
_connect, _getaddrinfo = socket.socket.connect, socket.getaddrinfo


def connect(self, address):
    """As ever to the loopback and to what is no network; else a RuntimeError, as code may expect OSError."""
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
        raise RuntimeError(f"a test wants to reach {address[0]}; no test may need the internet")
    return _connect(self, address)


def getaddrinfo(host, *args, **options):
    """Names are not looked up either."""
    if host not in LOOPBACK:
        raise RuntimeError(f"a test wants to reach {host}; no test may need the internet")
    return _getaddrinfo(host, *args, **options)


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Point all that styler reads of its surroundings to places that are empty, and close the network."""
    for name in [name for name in os.environ if name.startswith("STYLER_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("STYLER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the processes that tests start
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    torch.set_num_threads(1)  # a command of the test before may have wanted more


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code, bytes on standard output, text on standard error."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self):
        return self.out.decode().splitlines()


@pytest.fixture
def examples(monkeypatch):
    """The examples' modules, forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    for name in set(sys.modules) - before:
        if (EXAMPLES / f"{name}.py").exists():
            del sys.modules[name]


@pytest.fixture
def run(monkeypatch, capsysbinary):
    """Call the command line as a shell would, but in this process."""

    def run(*words, stdin=b""):
        monkeypatch.setattr("sys.argv", ["styler", *map(str, words)])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsysbinary.readouterr()
        return Done(end.value.code or 0, out, err.decode())

    return run


@pytest.fixture
def studio(tmp_path, monkeypatch):
    """The current folder, with a photo, a style and the file of a tiny network."""
    folder = tmp_path / "studio"
    folder.mkdir()
    monkeypatch.chdir(folder)
    slimmed(folder / "net.safetensors")
    picture(size=(64, 48)).save("photo.png")
    picture("RGB", (40, 40)).rotate(90).save("style.png")
    return folder


TINY = ("--network", "net.safetensors", "--size", "32", "--steps", "2", "--precision", "float32")


@pytest.fixture
def paint(run, studio):
    """`styler optimize photo.png style.png`, tiny and quick, with more words."""

    def paint(*words, inputs=("photo.png", "style.png"), stdin=b""):
        return run("optimize", *TINY, *words, "--", *inputs, stdin=stdin)

    return paint
