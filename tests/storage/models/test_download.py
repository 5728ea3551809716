"""`weights.fetch` from a real HTTP server with real faults."""

import hashlib
import io
import multiprocessing
import threading
from dataclasses import replace

import filelock
import pytest
import torch
from faulty_server import fetch_alone, serving
from narrow import NARROW, indexed, isolate, same

from styler.errors import OutputError, WeightsError
from styler.events import Note, Stage, Step
from styler.networks.vgg import random_convolutions
from styler.storage.models import download as fetching
from styler.storage.models import install, vgg
from styler.storage.models.known import WEIGHTS


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    return isolate(tmp_path, monkeypatch)


@pytest.fixture
def server():
    """It offers a whole narrow VGG-19 with a classifier that nobody wants."""
    buffer = io.BytesIO()
    torch.save(indexed() | {"classifier.0.weight": torch.randn(300, 1000)}, buffer)
    with serving(buffer.getvalue()) as running:
        yield running


@pytest.fixture
def offered(server, monkeypatch):
    """VGG-19's record, pointing at the server."""
    body = server.faults.body
    record = replace(
        WEIGHTS["vgg19"],
        url=f"http://127.0.0.1:{server.server_address[1]}/vgg19-dcbb9e9d.pth",
        sha256=hashlib.sha256(body).hexdigest(),
        bytes=len(body),
    )
    monkeypatch.setitem(WEIGHTS, "vgg19", record)
    monkeypatch.setattr(fetching, "CHUNK", 1 << 16)
    return record


def fetch(**options):
    """Run a fetch to its end: events and the path."""
    events, fetching_ = [], install.fetch("vgg19", **{"timeout": 10, "pause": 0.0, **options})
    while True:
        try:
            events.append(next(fetching_))
        except StopIteration as end:
            return events, end.value


def notes(events):
    return [event.text for event in events if isinstance(event, Note)]


def whole(home):
    """Only our file and the lock are left, and the file is right."""
    assert {path.name for path in home.iterdir()} <= {"vgg19.safetensors", ".vgg19.lock"}
    return same(vgg.load("vgg19"), random_convolutions("vgg19", NARROW))


def test_fetch_keeps_only_the_convolutions(server, offered, home):
    events, path = fetch()
    assert path == home / "vgg19.safetensors" and whole(home)
    image = torch.rand(1, 3, 32, 32)
    assert vgg.load("vgg19")(image, ["relu4_2"])["relu4_2"].shape == (1, 6, 4, 4)
    assert path.stat().st_size < len(server.faults.body) / 10
    total = -(-len(server.faults.body) // fetching.CHUNK)
    assert events[0] == Stage("download vgg19", 0, 0, total)
    steps = [event.index for event in events[1:]]
    assert all(isinstance(event, Step) and event.total == total for event in events[1:])
    assert steps == sorted(set(steps)) and steps[-1] == total and len(steps) >= total - 1
    about = vgg.read_card(path)
    assert about.information["original_sha256"] == offered.sha256
    assert about.information["recognized"] is True
    assert about.licence == offered.licence
    assert notes(fetch()[0]) == [f"vgg19 is installed already and complete: {path}"]
    assert len(server.faults.seen) == 1


@pytest.mark.parametrize("fault", ["cut", "stall"])
def test_fetch_goes_on_where_it_stopped(server, offered, home, fault):
    server.faults.plan = [fault, fault]
    events, _ = fetch(timeout=0.5)
    half = len(server.faults.body) // 2
    assert whole(home)
    assert server.faults.seen[0] is None
    assert server.faults.seen[1] == f"bytes={half - 1}-"
    assert len(server.faults.seen) == 3
    assert len(notes(events)) == 2 and "try 2 of 3" in notes(events)[0]


def test_what_arrived_is_used_by_the_next_run(server, offered, home):
    server.faults.plan = ["cut", "500", "503"]
    with pytest.raises(WeightsError, match="503"):
        fetch()
    assert vgg.verify("vgg19") == "missing"
    assert [path.suffix for path in home.iterdir() if "lock" not in path.name] == [".part"]
    fetch()
    assert server.faults.seen[-1] == f"bytes={len(server.faults.body) // 2 - 1}-"
    assert whole(home)


def test_complete_but_unconverted_download_costs_one_byte(server, offered, home, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(install, "_convert", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        fetch()
    fetch()
    assert server.faults.seen == [None, f"bytes={len(server.faults.body) - 1}-"]
    assert whole(home)


def test_server_without_ranges_starts_again(server, offered, home):
    server.faults.plan, server.faults.ranges = ["cut"], False
    fetch()
    assert whole(home)


def test_file_that_changed_on_the_server_is_not_glued(server, offered, home):
    server.faults.plan = ["cut", "404"]
    with pytest.raises(WeightsError):
        fetch()
    server.faults.etag = '"two"'
    events, _ = fetch()
    assert "changed" in notes(events)[0]
    assert server.faults.seen[-1] is None
    assert whole(home)


def test_rest_of_an_older_file_is_dropped(server, offered, home):
    server.faults.plan = ["cut", "404"]
    with pytest.raises(WeightsError):
        fetch()
    part = next(home.glob("*.part"))
    part.write_bytes(b"\0" * (len(server.faults.body) + 7))  # longer than the file: the server answers 416
    fetch()
    assert whole(home)


def test_damaged_rest_is_found_by_the_hash_and_fetched_again(server, offered, home):
    server.faults.plan = ["cut", "404"]
    with pytest.raises(WeightsError):
        fetch()
    part = next(home.glob("*.part"))
    part.write_bytes(b"\0" * part.stat().st_size)
    events, _ = fetch()
    assert "wrong hash" in notes(events)[0]
    assert whole(home)


def test_server_that_does_not_tell_the_length(server, offered, home, monkeypatch):
    monkeypatch.setitem(WEIGHTS, "vgg19", replace(offered, bytes=0, sha256=offered.sha256[:8]))
    server.faults.length = False
    events, _ = fetch()
    assert events[0].steps == 0
    assert whole(home)


def test_busy_server_is_asked_again(server, offered, home):
    server.faults.plan = ["500", "429"]
    events, _ = fetch()
    assert "500" in notes(events)[0] and "429" in notes(events)[1]
    assert whole(home)


def test_three_stalls_are_an_error_and_leave_nothing_at_the_name(server, offered, home):
    server.faults.plan = ["stall"] * 3
    with pytest.raises(WeightsError, match="stopped sending"):
        fetch(timeout=0.3)
    assert len(server.faults.seen) == 3
    assert not (home / "vgg19.safetensors").exists()


def test_missing_file_is_not_asked_for_again(server, offered, home):
    server.faults.plan = ["404"]
    with pytest.raises(WeightsError) as caught:
        fetch()
    assert len(server.faults.seen) == 1
    for part in ("404", offered.url, offered.sha256, str(home), "styler weights add vgg19 FILE"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_hash_is_not_kept(server, offered, home):
    data = bytearray(server.faults.body)
    data[1000] ^= 1
    server.faults.body = bytes(data)
    with pytest.raises(WeightsError, match=hashlib.sha256(data).hexdigest()):
        fetch()
    assert [path.name for path in home.iterdir()] == [".vgg19.lock"]


def test_wrong_size_is_refused_before_it_is_downloaded(server, offered, home):
    server.faults.body = b"<html>log in to this network</html>"
    with pytest.raises(WeightsError, match="has 35 bytes, expected"):
        fetch()
    assert not list(home.glob("*.part"))


@pytest.mark.parametrize("known", [True, False])
def test_server_that_sends_without_end_is_left(server, offered, home, monkeypatch, known):
    server.faults.plan, server.faults.length = ["endless"], False
    most, written = len(server.faults.body), []
    if not known:
        monkeypatch.setitem(WEIGHTS, "vgg19", replace(offered, bytes=0, limit=most))
    events = install.fetch("vgg19", timeout=10, pause=0.0)
    with pytest.raises(WeightsError, match=f"more than {most} bytes.*another file"):
        for _ in events:
            written += [part.stat().st_size for part in home.glob("*.part")]
    assert len(server.faults.seen) == 1 and 0 < max(written) <= most
    assert not list(home.glob("*.part"))


def test_a_file_of_unknown_size_is_not_fetched_if_it_is_huge(server, offered, home, monkeypatch):
    monkeypatch.setitem(WEIGHTS, "vgg19", replace(offered, bytes=0, limit=1000))
    with pytest.raises(WeightsError, match="expected 1000 at most"):
        fetch()
    assert not list(home.glob("*.part"))


@pytest.mark.parametrize(
    "url",
    ["https://[\x1b[31m/", "https://[", "https:///a", "https://a:b/", "https://a b/", f"https://{'a' * 64}/"],
)
def test_what_is_no_address_is_told_in_one_line(offered, home, url):
    with pytest.raises(WeightsError, match="is no address") as caught:
        fetch(url=url)
    assert str(caught.value).isprintable()


def test_another_address_for_the_same_bytes(server, offered, home, monkeypatch):
    monkeypatch.setitem(WEIGHTS, "vgg19", replace(offered, url="https://nowhere.invalid/vgg19-dcbb9e9d.pth"))
    fetch(url=offered.url)
    assert whole(home)


def test_nobody_listens(offered, home, server):
    with pytest.raises(WeightsError, match=r"could not be fetched: .*refused"):
        fetch(url="http://127.0.0.1:1/vgg19.pth")


@pytest.mark.parametrize(
    "url",
    ["http://example.com/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.1.example.com/"],
)
def test_only_https(offered, url, server):
    with pytest.raises(WeightsError, match="is not https: refused"):
        fetch(url=url)
    server.faults.plan = [url] if url.startswith("http") else ["404"]
    with pytest.raises(WeightsError, match=r"is not https: refused|404"):
        fetch()


def test_https_may_not_be_redirected_to_the_loopback():
    request = fetching.urllib.request.Request("https://example.com/x")
    with pytest.raises(WeightsError, match="not https"):
        fetching._Redirects().redirect_request(request, io.BytesIO(), 302, "", {}, "http://127.0.0.1/x")


def test_redirect_is_followed(server, offered, home):
    server.faults.plan = [offered.url]
    fetch()
    assert whole(home)


def test_offline_asks_nobody(server, offered, monkeypatch):
    with pytest.raises(WeightsError, match="offline"):
        fetch(offline=True)
    monkeypatch.setenv("STYLER_OFFLINE", "1")
    with pytest.raises(WeightsError, match="offline"):
        fetch()
    assert server.faults.seen == []


def test_full_disk_is_told_before_the_download(server, offered, home, monkeypatch):
    usage = fetching.shutil.disk_usage(".")
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(OutputError, match="1000 free"):
        fetch()
    assert len(server.faults.seen) == 1


def test_damaged_file_is_replaced_by_fetch(server, offered, home):
    home.mkdir(parents=True)
    (home / "vgg19.safetensors").write_bytes(b"\0" * 999)
    fetch()
    assert whole(home)


def test_stopping_to_read_stops_the_download(server, offered, home):
    running = install.fetch("vgg19", timeout=5)
    assert isinstance(next(running), Stage)
    assert isinstance(next(running), Step)
    running.close()
    assert not (home / "vgg19.safetensors").exists()
    with filelock.FileLock(home / ".vgg19.lock", timeout=0):
        pass  # the lock was given back


# The original file, where torch.hub or a person put it


@pytest.mark.parametrize("place", ["home/weights", "torch/hub/checkpoints"])
def test_original_file_is_used_where_it_lies(server, offered, tmp_path, home, place):
    original = tmp_path / place / "vgg19-dcbb9e9d.pth"
    original.parent.mkdir(parents=True)
    original.write_bytes(server.faults.body)
    assert vgg.path("vgg19") == original
    assert same(vgg.load("vgg19"), random_convolutions("vgg19", NARROW))
    assert vgg.verify("vgg19") == "ok" and vgg.sha256("vgg19") == offered.sha256
    events, path = fetch(offline=True)
    assert "nothing is downloaded" in notes(events)[0]
    assert path == home / "vgg19.safetensors" == vgg.path("vgg19")
    assert original.exists()


def test_original_file_with_a_wrong_hash_is_refused_but_left_alone(server, offered, tmp_path, home):
    original = tmp_path / "torch" / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
    original.parent.mkdir(parents=True)
    original.write_bytes(server.faults.body[:-1])
    assert vgg.verify("vgg19") == "damaged"
    with pytest.raises(WeightsError, match="has sha256"):
        vgg.load("vgg19")
    assert original.exists()
    fetch()
    assert whole(home)


# Several at once


def together(count, work):
    results, errors = [], []

    def run():
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, results, errors


def test_second_waits_and_says_so(server, offered, home):
    server.faults.plan = ["hold"]
    first = install.fetch("vgg19", timeout=30)
    next(first)  # it has the lock and the server's answer
    second = install.fetch("vgg19", timeout=30)
    assert "another styler is fetching vgg19" in next(second).text
    server.faults.release.set()
    list(first)
    assert "installed already" in next(second).text
    second.close()
    assert len(server.faults.seen) == 1
    assert whole(home)


def test_right_without_the_lock_too(server, offered, home, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no locks on this file system")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    threads, results, errors = together(4, lambda: fetch(timeout=30))
    for thread in threads:
        thread.join()
    assert not errors and len(results) == 4
    assert whole(home)


def test_two_processes_download_once(server, offered, home):
    server.faults.plan = ["hold"]
    arguments = (offered, str(home.parent))
    other = multiprocessing.get_context("spawn").Process(target=fetch_alone, args=arguments)
    other.start()
    assert server.faults.asked.wait(60)
    ours = install.fetch("vgg19", timeout=30)
    assert "another styler is fetching vgg19" in next(ours).text
    server.faults.release.set()
    assert "installed already" in next(ours).text
    other.join(60)
    assert other.exitcode == 0
    assert len(server.faults.seen) == 1
    assert whole(home)
