"""Loading: bad and odd files, names, sizes, memory."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import corpus
import pytest
import torch
from corpus import loaded, smooth, stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from styler.errors import InputError
from styler.storage.disk import sha256_of
from styler.storage.pictures.load import load_levels, load_picture, measure, read_recipe

ROOT = Path(__file__).parents[3]
BAD = corpus.bad_files()
ODD = corpus.odd_files()
GENTLE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("case", BAD, ids=[case.name for case in BAD])
def test_a_bad_file_is_refused_in_one_line_that_tells_what_it_is(tmp_path: Path, case: corpus.Case) -> None:
    with pytest.raises(InputError) as refusal:
        load_picture(stored(tmp_path, case.data, case.name))
    message = str(refusal.value)
    assert case.name in message and case.says in message
    assert message.isprintable()


@pytest.mark.parametrize("case", ODD, ids=[case.name for case in ODD])
def test_an_odd_file_is_taken_and_its_oddity_told(tmp_path: Path, case: corpus.Case) -> None:
    picture = load_picture(stored(tmp_path, case.data, case.name))
    assert picture.image.dtype == torch.float32 and picture.image.is_contiguous()
    assert picture.image.min() >= 0 and picture.image.max() <= 1
    told = picture.warnings + picture.notes
    assert any(case.says in line for line in told) if case.says else not told


@pytest.mark.parametrize("name", [case.name for case in ODD if case.says == "several frames"])
def test_the_first_frame_of_an_animation_is_used(tmp_path: Path, name: str) -> None:
    case = next(case for case in ODD if case.name == name)
    picture = load_picture(stored(tmp_path, case.data, case.name))
    assert (picture.image - smooth()).abs().mean() < 0.05  # GIF has 256 colors, WebP loses


@GENTLE
@given(data=st.data())
def test_no_bytes_make_the_loader_raise_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(ODD[:12] + BAD[2:9]))
    broken = bytearray(case.data)
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, min(len(broken), 2000) - 1))
        broken[place] = data.draw(st.integers(0, 255))
    path = stored(tmp_path, bytes(broken[: data.draw(st.integers(0, len(broken)))]))
    for read in (load_picture, read_recipe):
        try:
            read(path)
        except InputError as error:
            assert str(error).isprintable()


def test_a_heic_picture_is_read_or_says_what_to_install(tmp_path: Path) -> None:
    path = stored(tmp_path, b"\0\0\0\x18ftypheic" + bytes(40), "phone.heic")
    with pytest.raises(InputError, match=r"HEIC picture that|HEIC picture: pip install"):
        load_picture(path)


@pytest.mark.timeout(5)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tmp_path)  # the name of a socket must be short
        server.bind("socket")
        for path in (tmp_path / "pipe", tmp_path / "socket", tmp_path, Path("/dev/null"), tmp_path / "none"):
            with pytest.raises(InputError):
                load_picture(path)
    os.chdir(ROOT)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems restrict file names")
def test_every_file_name_is_read_and_shown_safely(tmp_path: Path) -> None:
    for path in corpus.write_names(tmp_path):
        assert load_picture(path).name == path.name
        path.write_bytes(b"no picture")
        with pytest.raises(InputError) as refusal:
            load_picture(path)
        assert str(refusal.value).isprintable()


# ru_maxrss would not do: a child begins with that of its parent.
PEAK = """
import sys
from pathlib import Path
from styler.errors import InputError
from styler.storage.pictures.load import load_picture

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
"""
BOMBS = """
before = peak()
for path in sys.argv[1:]:
    try:
        load_picture(path)
    except InputError:
        continue
    raise SystemExit(f"{path} was taken")
print(peak() - before)
"""


def kilobytes(code: str, *paths: Path) -> int:
    """What the code prints, in a new process: by how much its peak of memory rose."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PEAK + code, *map(str, paths)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_bombs_are_refused_in_little_memory(tmp_path: Path) -> None:
    bombs = [case for case in BAD if "bomb" in case.name or "00 pixels" in case.says]
    assert len(bombs) == 5
    assert kilobytes(BOMBS, *corpus.write_all(tmp_path, bombs)) < 300_000


def test_levels_are_those_of_load(tmp_path: Path) -> None:
    for mode, format in (("RGB", "JPEG"), ("I;16", "PNG"), ("RGBA", "PNG")):
        path = stored(tmp_path, corpus.encoded(corpus.picture(mode), format))
        wanted = (load_picture(path, long_side=30).on_white[0] * 255).round().to(torch.uint8)
        assert torch.equal(load_levels(path, 30), wanted)


def test_measuring_decodes_nothing_and_refuses_what_the_header_shows(tmp_path: Path) -> None:
    data = corpus.encoded(corpus.picture(), "PNG")
    cut = stored(tmp_path, data[: data.index(b"IDAT") + 8])
    assert measure(cut) == (32, 48)
    with pytest.raises(InputError, match="limit"):
        measure(cut, max_pixels=100)
    with pytest.raises(InputError, match="not a picture"):
        measure(stored(tmp_path, b"no"))


def test_a_long_side_shrinks_but_never_enlarges(tmp_path: Path) -> None:
    for format in ("PNG", "JPEG"):
        path = stored(tmp_path, corpus.encoded(corpus.picture(size=(1000, 601)), format))
        assert load_picture(path, long_side=100).image.shape == (1, 3, 60, 100)
        assert load_picture(path, long_side=4000).image.shape == (1, 3, 601, 1000)
    assert (load_picture(path, long_side=100).image.mean() - load_picture(path).image.mean()).abs() < 0.01


def test_a_long_side_keeps_the_short_one_usable(tmp_path: Path) -> None:
    path = stored(tmp_path, corpus.encoded(corpus.picture(size=(1000, 20)), "PNG"))
    assert load_picture(path, long_side=100).image.shape == (1, 3, 16, 800)


SHRINK = """
load_picture(sys.argv[1], long_side=64)
before = peak()
load_picture(sys.argv[2], long_side=512)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_50_megapixel_jpeg_is_shrunk_in_little_memory(tmp_path: Path) -> None:
    small = stored(tmp_path, corpus.encoded(corpus.picture(), "JPEG"), "small.jpg")
    large = stored(tmp_path, corpus.encoded(Image.new("RGB", (8660, 5774)), "JPEG"), "large.jpg")
    assert kilobytes(SHRINK, small, large) < 60_000  # whole it would be 150 MB of bytes and 600 MB of floats


def test_sha256_is_that_of_the_file(tmp_path: Path) -> None:
    picture = loaded(tmp_path, corpus.picture())
    assert picture.sha256 == sha256_of(tmp_path / "a.png")
    assert picture.name == "a.png"
