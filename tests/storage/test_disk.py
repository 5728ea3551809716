"""The one writer under faults, and the doors through which files come in."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from styler.errors import InputError, OutputError
from styler.storage import disk

ROOT = Path(__file__).parents[2]
resource = pytest.importorskip("resource")  # no Windows: locks, links and signals are tested here


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def child(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Python that has imported `disk` only: quick, since that module never loads torch."""
    command = [sys.executable, "-c", "import sys\nfrom styler.storage import disk\n" + code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    arguments = tuple(map(str, arguments))
    return subprocess.Popen([*command, *arguments], env=environment, stdin=pipe, stdout=pipe, stderr=pipe)


# Writing


def test_write_makes_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    disk.write(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert names(tmp_path) == {"a.bin"}


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        disk.write(tmp_path / "a.bin", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError, OutputError])
def test_a_fault_in_the_block_keeps_the_old_file(tmp_path: Path, fault: type[BaseException]) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(fault), disk.atomic(target) as file:
        file.write(b"half")
        raise fault
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == {"a.bin"}


def test_the_old_file_is_whole_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with disk.atomic(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"


def test_file_and_folder_are_synced_around_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync, rename = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        order.append("folder" if Path(f"/dev/fd/{handle}").is_dir() else "file")
        sync(handle)

    def replace(path: Path, target: Path) -> Path:
        order.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    disk.write(tmp_path / "a.bin", b"new")
    assert order == ["file", "rename", "folder"]


def test_without_overwrite_an_existing_file_is_refused_with_the_flag(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="--overwrite"):
        disk.write(target, b"new", overwrite=False)
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("links", [True, False])
def test_without_overwrite_a_file_that_appears_meanwhile_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def no_links(path: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no hard links on FAT")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    target = tmp_path / "a.bin"
    with pytest.raises(OutputError, match="--overwrite"), disk.atomic(target, overwrite=False) as file:
        file.write(b"mine")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    disk.write(tmp_path / "b.bin", b"new", overwrite=False)
    assert (tmp_path / "b.bin").read_bytes() == b"new"
    assert names(tmp_path) == {"a.bin", "b.bin"}


def test_a_link_keeps_pointing_at_its_replaced_target(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.bin").write_bytes(b"old")
    (tmp_path / "link.bin").symlink_to(tmp_path / "real" / "a.bin")
    disk.write(tmp_path / "link.bin", b"new")
    assert (tmp_path / "link.bin").is_symlink()
    assert (tmp_path / "real" / "a.bin").read_bytes() == b"new"


@pytest.mark.parametrize("there", [True, False])
def test_without_overwrite_a_link_is_not_followed(tmp_path: Path, there: bool) -> None:
    foreign, link = tmp_path / "foreign.bin", tmp_path / "link.bin"
    if there:
        foreign.write_bytes(b"old")
    link.symlink_to(foreign)
    with pytest.raises(OutputError, match=r"is a link.*--overwrite"):
        disk.prove_writable(link, overwrite=False)
    with pytest.raises(OutputError, match=r"is a link.*--overwrite"):
        disk.write(link, b"new", overwrite=False)
    assert foreign.exists() == there
    disk.write(link, b"new")
    assert (foreign.read_bytes(), link.is_symlink()) == (b"new", True)


def test_a_link_to_a_device_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link.bin").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="is a link"):
        disk.write(tmp_path / "link.bin", b"new", overwrite=False)


@pytest.mark.parametrize("mode", [0o600, 0o444, 0o664])
def test_a_replaced_file_leaves_its_mode_to_the_new_one(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    target.chmod(mode)
    with disk.atomic(target) as file:
        (part,) = names(tmp_path) - {"a.bin"}
        assert (tmp_path / part).stat().st_mode & 0o077 == mode & 0o077  # never open to more people
        file.write(b"new")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", mode)


def test_devices_and_pipes_are_written_directly(tmp_path: Path) -> None:
    disk.write("/dev/null", b"new")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        disk.write(pipe, b"new")
        assert read.result(timeout=10) == b"new"
    assert names(tmp_path) == {"pipe"}


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OutputError):
        disk.prove_writable(tmp_path / "a", overwrite=True)
    with pytest.raises(OutputError):
        disk.write(tmp_path / "a", b"new")
    with pytest.raises(InputError):
        disk.open_input(tmp_path / "a")


# Disk full


@pytest.fixture
def small_files() -> Iterator[None]:
    """Every file of this process ends at 100 kB."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_limit_of_files_keeps_the_old_file_and_is_named(tmp_path: Path, small_files: None) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"files of more than 100 kB are not allowed here \(ulimit -f\)"):
        disk.write(target, bytes(5_000_000))
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == {"a.bin"}


def test_a_full_disk_tells_need_and_free(tmp_path: Path) -> None:
    refused = pytest.raises(OutputError, match=r"no space \(5 MB needed, .* free")
    with refused, disk.atomic(tmp_path / "a.bin", need=5_000_000):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_device_that_is_full_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="no space"):
        disk.write("/dev/full", b"new")


def test_a_full_disk_behind_the_error_of_an_encoder_is_found(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no space"), disk.atomic(tmp_path / "a.bin"):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected pos 64 vs 0") from None
    assert names(tmp_path) == set()


def test_a_full_disk_is_found_by_the_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="free"):
        disk.prove_writable(tmp_path / "a.bin", overwrite=False)
    assert names(tmp_path) == set()


# Kill and concurrency


KILL_LOOP = """
target = sys.argv[1]
print("ready", flush=True)
while True:
    for letter in (b"a", b"b"):
        disk.write(target, letter * 3_000_000)
"""


def test_kill_at_any_moment_leaves_a_whole_file_and_the_next_run_sweeps(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    disk.write(target, b"a" * 3_000_000)
    left = 0
    for round in range(20):
        process = child(KILL_LOOP, target)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.003 * round)
        process.kill()
        process.communicate()
        content = target.read_bytes()
        assert content in (b"a" * 3_000_000, b"b" * 3_000_000)
        left += len(names(tmp_path)) - 1
    disk.write(target, b"new")
    assert names(tmp_path) == {"a.bin"}
    assert left, "no kill ever left a temporary: the loop tests nothing"


def test_the_sweep_spares_the_living_and_the_others(tmp_path: Path) -> None:
    stale = tmp_path / ".a.bin.0123456789abcdef.part"
    other = tmp_path / ".b.bin.0123456789abcdef.part"
    foreign = tmp_path / ".a.bin.part"
    for path in (stale, other, foreign):
        path.write_bytes(b"half")
    with disk.atomic(tmp_path / "a.bin") as living:
        living.write(b"first")
        disk.write(tmp_path / "a.bin", b"second")
    assert (tmp_path / "a.bin").read_bytes() == b"first"
    assert names(tmp_path) == {"a.bin", other.name, foreign.name}


MANY = """
target, letter, overwrite = sys.argv[1], sys.argv[2].encode(), sys.argv[3] == "True"
sys.stdin.readline()
try:
    for _ in range(10 if overwrite else 1):
        disk.write(target, letter * 100_000, overwrite=overwrite)
except files.OutputError as error:
    assert "--overwrite" in str(error)
    sys.exit(1)
"""


@pytest.mark.parametrize("overwrite", [True, False])
def test_eight_processes_and_one_output(tmp_path: Path, overwrite: bool) -> None:
    target = tmp_path / "a.bin"
    processes = [child(MANY, target, letter, overwrite) for letter in "abcdefgh"]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    codes = [process.returncode for process in processes]
    letter = target.read_bytes()[:1]
    assert target.read_bytes() == letter * 100_000
    assert sorted(codes) == [0] * 8 if overwrite else [0] + [1] * 7
    assert names(tmp_path) == {"a.bin"}


def test_files_does_not_load_torch() -> None:
    process = child("assert 'torch' not in sys.modules and 'PIL' not in sys.modules")
    process.communicate(timeout=60)
    assert process.returncode == 0


# Proving before the work


def test_proof_makes_parents_and_leaves_no_probe(tmp_path: Path) -> None:
    disk.prove_writable(tmp_path / "new" / "er" / "a.png", overwrite=False)
    assert names(tmp_path / "new" / "er") == set()
    with pytest.raises(OutputError, match="No such file"):
        disk.prove_writable(tmp_path / "gone" / "a.png", overwrite=False, make_parents=False)


def test_proof_refuses_a_folder_and_an_existing_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        disk.prove_writable(tmp_path, overwrite=True)
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(OutputError, match="--overwrite"):
        disk.prove_writable(tmp_path / "a.png", overwrite=False)
    disk.prove_writable(tmp_path / "a.png", overwrite=True)
    assert (tmp_path / "a.png").read_bytes() == b"old"


@pytest.mark.parametrize("kind", ["itself", "hard link", "symlink", "other spelling"])
def test_proof_refuses_an_output_that_is_an_input(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"old")
    output = source if kind == "itself" else tmp_path / "b.png"
    if kind == "hard link":
        output.hardlink_to(source)
    if kind == "symlink":
        output.symlink_to(source)
    if kind == "other spelling":
        output = tmp_path / ".." / tmp_path.name / "a.png"
    with pytest.raises(OutputError, match="also an input"):
        disk.prove_writable(output, overwrite=True, inputs=["-", tmp_path / "missing.png", source])


def test_proof_finds_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    parent = tmp_path / "read-only"
    parent.mkdir(mode=0o555)
    place = Path("/proc") if os.geteuid() == 0 else parent  # root passes every mode
    if not place.exists():
        pytest.skip("no read-only place for root")
    with pytest.raises(OutputError, match="cannot be written"):
        disk.prove_writable(place / "a.png", overwrite=False)


def test_proof_refuses_a_file_as_folder_and_a_long_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(OutputError, match="cannot be written"):
        disk.prove_writable(tmp_path / "a.png" / "b.png", overwrite=False)
    with pytest.raises(OutputError, match="255 bytes"):
        disk.prove_writable(tmp_path / ("n" * 300), overwrite=False)


def test_dash_is_refused_on_a_terminal_and_where_the_stream_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True, writable=lambda: True))
    with pytest.raises(OutputError, match="terminal"):
        disk.prove_writable("-", overwrite=False)
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="closed"):
        disk.prove_writable("-", overwrite=False)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(InputError, match="terminal"):
        disk.open_input("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="closed"):
        disk.open_input("-")


# Names


@pytest.mark.parametrize("length", [255, 244])
def test_long_names_are_written_and_swept(tmp_path: Path, length: int) -> None:
    target = tmp_path / ("n" * (length - 4) + ".png")
    disk.prove_writable(target, overwrite=False)
    disk.write(target, b"new")
    assert names(tmp_path) == {target.name}


# Reading


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc" * 1_000_000)
    assert disk.sha256_of(tmp_path / "a.bin") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()
    with pytest.raises(InputError, match="no such file"):
        disk.sha256_of(tmp_path / "missing.bin")


@pytest.mark.timeout(5)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    cases = {
        tmp_path / "pipe": "pipe or a device",
        Path("/dev/zero"): "pipe or a device",
        tmp_path: "is a folder",
        tmp_path / "dangling": "link to nothing",
        tmp_path / "zero\0byte": "null",
        tmp_path / ("n" * 300): "too long",
    }
    for path, reason in cases.items():
        with pytest.raises(InputError, match=reason):
            disk.open_input(path)


def test_a_url_is_refused_with_the_way_to_pipe_it() -> None:
    with pytest.raises(InputError, match="curl"):
        disk.open_input("https://example.org/photo.jpg")


def test_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\0data")))
    assert disk.open_input("-").read() == b"\xff\0data"
    monkeypatch.setattr(disk, "PIPE_BYTES", 3)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"data")))
    with pytest.raises(InputError, match="more than 3 bytes"):
        disk.open_input("-")


def test_a_folder_that_is_not_there_is_refused_in_one_line(tmp_path):
    with pytest.raises(OutputError, match="missing"):
        disk.write(tmp_path / "missing" / "a.png", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_standard_output_is_told_and_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(
            sys, "stdout", SimpleNamespace(buffer=full, isatty=lambda: False, writable=lambda: True)
        )
        with pytest.raises(OutputError, match=r"standard output cannot be written: No space left"):
            disk.send(b"data")
