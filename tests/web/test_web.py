"""The page's server: each refusal, the jobs that it drives, and its end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from corpus import encoded, picture
from starlette.testclient import TestClient
from trained import install_fronts

from styler.errors import OutputError
from styler.events import result_of
from styler.jobs.enlarge import enlarge
from styler.jobs.fast import fast
from styler.jobs.optimize import optimize
from styler.options.enlarge import EnlargeOptions
from styler.options.fast import LEARNING_STEPS, FastOptions
from styler.options.optimize import OptimizeOptions
from styler.options.web import WebOptions
from styler.storage.models import library
from styler.storage.pictures.load import read_recipe
from styler.web import desk as queue
from styler.web import shelf as shelves
from styler.web.app import Api, application
from styler.web.desk import Desk
from styler.web.guard import HEADERS
from styler.web.menu import Menu
from styler.web.server import _listening, serve
from styler.web.shelf import Shelf, file_name

ORIGIN, TOKEN = "http://127.0.0.1:8000", "a secret"
OURS = {"origin": ORIGIN, "x-styler-token": TOKEN}
PNG = encoded(picture(size=(64, 48)), "PNG")


@pytest.fixture(scope="module")
def menu():
    return Menu(WebOptions(threads=1))


@pytest.fixture
def api(tmp_path, menu):
    folder = tmp_path / "session"
    folder.mkdir()
    made = Api(menu, Shelf(folder, 1_000_000), Desk(folder), folder)
    yield made
    made.desk.close(20)


@pytest.fixture
def page(api):
    return TestClient(application(api, frozenset({"127.0.0.1:8000"}), TOKEN), ORIGIN, headers=OURS)


def dropped(page, data=PNG, name="photo.png"):
    return page.post("/api/pictures", content=data, headers={"x-name": name}).json()["id"]


def wished(page, **wish):
    return page.post("/api/jobs", json=wish)


def ended(api, answer):
    """The work of an answer, once it has ended."""
    work = api.desk.get(answer.json()["id"])
    until(lambda: work.state in ("done", "stopped", "failed"))
    return work


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


# The guard


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"host": "evil.example:8000"}, 421),
        ({"host": "127.0.0.1:8000.evil.example"}, 421),
        ({"host": "127.0.0.1:80000"}, 421),
        ({"host": "127.0.0.1"}, 421),
        ({"host": "localhost:9000"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:8001"}, 403),
        ({"origin": "https://127.0.0.1:8000"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"x-styler-token": ""}, 403),
        ({"x-styler-token": "a secret "}, 403),
        ({"x-styler-token": "A secret"}, 403),
    ],
)
def test_the_guard_refuses_all_but_the_page_itself(page, api, changes, status):
    for method, path in (
        ("POST", "/api/pictures"),
        ("POST", "/api/jobs"),
        ("DELETE", "/api/jobs/1"),
        ("GET", "/api/offers"),
    ):
        answer = page.request(method, path, headers=changes, content=PNG)
        assert answer.status_code == status and answer.json()["message"]
        assert HEADERS.items() <= dict(answer.headers).items()
    assert not list(api.folder.iterdir())


def test_what_changes_something_must_name_its_origin(page):
    for path in ("/api/pictures", "/api/jobs"):
        page.headers.pop("origin", None)
        assert page.post(path, content=PNG).status_code == 403
    assert page.get("/api/offers").status_code == 200


def test_two_hosts_are_refused(page):
    headers = [("host", "127.0.0.1:8000"), ("host", "evil.example"), *OURS.items()]
    assert page.get("/api/offers", headers=headers).status_code == 421


def test_a_preflight_is_not_answered(page):
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-styler-token"}
    answer = page.options("/api/jobs", headers=asked)
    assert answer.status_code == 405 and not any("access-control" in name for name in answer.headers)


def test_the_page_needs_no_key_and_is_all_there(page):
    page.headers.pop("x-styler-token")
    html = page.get("/")
    assert html.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    parts = re.findall(r'(?:src|href)="(/[\w.]+)"', html.text)
    script = "".join(page.get(name).text for name in parts)
    parts += [f"/{name}" for name in re.findall(r'from "\./([\w.]+)"', script)]
    assert len(set(parts)) >= 6 and all(page.get(name).status_code == 200 for name in parts)
    assert not re.search(r"<script>|<style>| style=| on\w+=|https?://(?!www.w3.org)", html.text)


@pytest.mark.parametrize("path", ["/../setup.cfg", "/%2e%2e/app.py", "/..%2fapp.py", "/menu.py", "/api/x"])
def test_no_path_leads_out_of_the_page(page, path):
    assert page.get(path).status_code == 404
    assert page.get(f"/api/styles/trained/{path}").status_code == 404


# Pictures


def test_a_picture_is_kept_by_an_id_that_is_no_part_of_its_path(page, api):
    told = page.post("/api/pictures", content=PNG, headers={"x-name": "my%20photo.jpg"}).json()
    assert told["size"] == [64, 48] and told["name"] == "my photo.png" and told["made"] is None
    assert page.get(f"/api/pictures/{told['id']}").content.startswith(b"\xff\xd8")
    assert page.get("/api/pictures/..%2f..").status_code in (400, 404)
    assert page.get("/api/pictures/0123").json() == {
        "message": "this picture is no longer here: drop it once more"
    }


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd.png"),
        ("..\\..\\a.png", "a.png"),
        ("/abs/olute.jpg", "olute.png"),
        ("..", "picture.png"),
        (".hidden.png", "hidden.png"),
        ("a\x00b\nc?*[1].png", "ab c___1_.png"),
        ("", "picture.png"),
        ("日本.webp", "日本.png"),
        ("x" * 500 + ".png", "x" * 100 + ".png"),
        ("-o.png", "-o.png"),
    ],
)
def test_names_stay_names(name, kept):
    assert file_name(name, PNG) == kept


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"hello", "is not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG or XML file"),
        (PNG[:200], "PNG"),
        (encoded(picture(size=(1200, 900)), "PNG"), "1,000,000"),
        (encoded(picture(size=(64, 8)), "PNG"), "under 16 pixels"),
    ],
)
def test_what_is_no_picture_or_too_large_leaves_nothing(page, api, data, said):
    answer = page.post("/api/pictures", content=data, headers={"x-name": "odd.png"})
    assert answer.status_code == 400 and said in answer.json()["message"]
    assert str(api.folder) not in answer.text and "--" not in answer.json()["message"]
    assert not list(api.folder.iterdir())


def test_bodies_are_bounded_whatever_their_length_is_said_to_be(page, api, monkeypatch):
    monkeypatch.setattr("styler.web.app.MAX_BYTES", 1000)
    assert page.post("/api/pictures", content=b"x" * 1001).status_code == 413
    assert page.post("/api/pictures", content=(b"x" * 300 for _ in range(4))).status_code == 413
    assert page.post("/api/pictures", content=b"x", headers={"content-length": "1e9"}).status_code == 413
    assert page.post("/api/jobs", content=b" " * 20_000).status_code == 413
    assert not list(api.folder.iterdir())


def test_the_oldest_pictures_make_room_but_for_those_in_use(tmp_path, monkeypatch):
    monkeypatch.setattr(shelves, "_MOST", 2)
    shelf = Shelf(tmp_path, 1_000_000)
    first, second, third = (shelf.add("a.png", PNG) for _ in range(3))
    assert sorted(tmp_path.iterdir()) == sorted([second.path.parent, third.path.parent])
    shelf.add("b.png", PNG, used={second.id})
    assert second.path.exists() and not third.path.exists() and not first.path.exists()


# Wishes


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"command": "rm"}, "no such command"),
        ({"command": ["fast"]}, "no such command"),
        ({"style": "../wave"}, "no such style"),
        ({"style": "/etc/passwd"}, "no such style"),
        ({"style": None}, "no such style"),
        ({"style": ["wave"]}, "no such style"),
        ({"style": "waves"}, "no such style"),
        ({"command": "optimize", "style": "setup.cfg"}, "no such style"),
        ({"command": "optimize", "style": "wave"}, "no such style"),
        ({"command": "optimize", "painting": "../x"}, "no longer here"),
        ({"command": "translate", "style": "edges.pth"}, "no such style"),
        ({"content": "../photo.png"}, "no longer here"),
        ({"content": None}, "no longer here"),
        ({"options": []}, "options are an object"),
        ({"options": {"model": "x.pth"}}, "cannot be set"),
        ({"options": {"overwrite": True}}, "cannot be set"),
        ({"options": {"max_pixels": 10**9}}, "cannot be set"),
        ({"command": "optimize", "style": "waves", "options": {"network": "/x"}}, "cannot be set"),
        ({"command": "optimize", "style": "waves", "options": {"log": "/x"}}, "cannot be set"),
        ({"command": "optimize", "style": "waves", "options": {"style_weight": "1"}}, "wrong type"),
        ({"command": "optimize", "style": "waves", "options": {"style_weight": -1}}, "at least 0"),
        ({"command": "optimize", "style": "waves", "options": {"steps": 1.5}}, "wrong type"),
        ({"options": {"strength": 2}}, "at most 1"),
        ({"options": {"strength": True}}, "wrong type"),
        ({"options": {"size": "8"}}, "no size"),
        ({"options": {"size": 512}}, "wrong type"),
        ({"options": {"color": "pink"}}, "choose one of"),
    ],
)
def test_a_wish_that_is_none_is_refused(page, api, wish, said):
    usual = {"command": "fast", "content": dropped(page), "style": "wave"}
    answer = wished(page, **{**usual, **wish})
    assert answer.status_code == 400 and said in answer.json()["message"]
    assert not api.desk.changed(0)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b"[" * 9000])
def test_a_body_that_is_no_wish_is_refused(page, body):
    assert page.post("/api/jobs", content=body).status_code == 400


def test_a_full_queue_says_so(page, monkeypatch):
    monkeypatch.setattr(queue, "MOST_WAITING", 0)
    answer = wished(page, command="fast", content=dropped(page), style="wave")
    assert answer.status_code == 429 and "waiting already" in answer.json()["message"]


# Work


def test_a_painting_that_was_learned_takes_no_trained_style_from_the_page(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLER_HOME", str(tmp_path))
    library.learned_folder().mkdir(parents=True)
    shutil.copy(library.locate("", "wave"), library.learned_folder() / "wave-0123456789ab.safetensors")
    assert ("trained", "wave") in Menu(WebOptions()).styles


def test_a_picture_of_the_page_is_that_of_the_command(page, api, tmp_path):
    (tmp_path / "photo.png").write_bytes(PNG)
    options = {"size": "48", "strength": 0.7, "color": "photo"}
    content = dropped(page)
    work = ended(api, wished(page, command="fast", content=content, style="wave", options=options))
    chosen = FastOptions.of({**options, "style": "wave", "threads": 1})
    result_of(fast([str(tmp_path / "photo.png")], str(tmp_path / "own.png"), chosen))
    answer = page.get(f"/api/jobs/{work.id}/picture")
    assert work.state == "done" and work.order.name == "photo-wave.png"
    assert answer.content == (tmp_path / "own.png").read_bytes()


def test_a_picture_of_ours_fills_in_its_settings(page, api):
    options = {"size": "48", "strength": 0.5}
    wish = {"command": "fast", "content": dropped(page), "style": "wave", "options": options}
    work = ended(api, wished(page, **wish))
    told = page.post("/api/pictures", content=work.file.read_bytes(), headers={"x-name": "x.png"}).json()
    assert told["made"] == {
        "command": "fast",
        "style": "wave",
        "options": {"size": "48", "strength": 0.5, "seed": 0},
        "content": "photo.png",
    }
    assert page.get(f"/api/jobs/{work.id}/recipe").json()["settings"] == told["made"]


def test_a_foreign_recipe_fills_in_only_what_is_valid(menu):
    bad = {"size": "/etc", "style_weight": "x", "color": "pink", "seed": -1, "steps": 3, "log": "/x"}
    recipe = {"command": "optimize", "options": bad, "styles": [{"name": "../../waves.jpg"}, 3], "content": 1}
    assert menu.settings(recipe) == {
        "command": "optimize",
        "style": "waves",
        "options": {"steps": 3},
        "content": "",
    }
    for other in (None, {}, {"command": "rm"}, {"command": "fast", "options": 1}, {"command": []}):
        assert menu.settings(other) is None


TINY = {"size": "48", "steps": 12, "seed": 3}


def test_a_draft_that_comes_between_two_steps_changes_no_pixel(page, api, tmp_path):
    content, painting = (
        dropped(page),
        dropped(page, encoded(picture(size=(40, 40)).rotate(90), "PNG"), "p.png"),
    )
    answer = wished(page, command="optimize", content=content, painting=painting, options=TINY)
    work = api.desk.get(answer.json()["id"])
    until(lambda: work.views)
    draft = ended(api, wished(page, command="fast", content=content, style="ink", draft=True))
    assert draft.state == "done" and work.state == "running"
    ended(api, answer)
    files = [api.shelf[content].path, api.shelf[painting].path]
    options = OptimizeOptions.of({**TINY, "threads": 1})
    result_of(optimize([str(files[0])], [str(files[1])], str(tmp_path / "own.png"), options))
    assert work.file.read_bytes() == (tmp_path / "own.png").read_bytes()
    assert work.share == 1 and work.stage.startswith("scale")


def test_a_painting_that_is_stopped_keeps_its_picture(page, api):
    wish = {"command": "optimize", "content": dropped(page), "style": "waves"}
    answer = wished(page, **wish, options={"size": "48", "steps": 100_000})
    work = api.desk.get(answer.json()["id"])
    until(lambda: work.views)
    assert page.get(f"/api/jobs/{work.id}/picture").content.startswith(b"\xff\xd8")
    waiting = api.desk.get(wished(page, **wish).json()["id"])
    assert api.desk.changed(0)[-1][1]["ahead"] == 1
    assert page.delete(f"/api/jobs/{waiting.id}").status_code == 204 and waiting.state == "stopped"
    page.delete(f"/api/jobs/{work.id}")
    assert ended(api, answer).state == "stopped" and work.file
    assert read_recipe(work.file)["interrupted"] is True
    assert page.get(f"/api/jobs/{waiting.id}/picture").status_code == 404


def test_a_dropped_painting_is_learned_and_the_next_photo_painted_at_once(page, api, monkeypatch, tmp_path):
    monkeypatch.setenv("STYLER_HOME", str(tmp_path))
    monkeypatch.setitem(LEARNING_STEPS, "fast", 3)
    painting = dropped(page, encoded(picture(size=(70, 60)), "PNG"), "my painting.png")
    wish = {"command": "fast", "painting": painting, "options": {"size": "48", "learn": "fast"}}
    work = ended(api, wished(page, **wish, content=dropped(page)))
    assert work.state == "done" and work.order.name == "photo-my painting.png"
    assert work.stage.startswith("learning") and work.share == 1 and work.views and work.size == [48, 36]
    recipe = read_recipe(work.file)
    assert recipe["command"] == "fast" and recipe["options"]["style"] == "my painting.png"
    assert str(api.folder) not in json.dumps(recipe)
    again = ended(api, wished(page, **wish, content=dropped(page)))
    assert again.file.read_bytes() == work.file.read_bytes()
    assert again.stage == "" and "was learned before" in again.notes[0]
    assert str(api.folder) not in json.dumps(again.plain(0))


def test_a_learning_that_is_stopped_paints_what_was_learned(page, api, monkeypatch, tmp_path):
    monkeypatch.setenv("STYLER_HOME", str(tmp_path))
    monkeypatch.setitem(LEARNING_STEPS, "normal", 400)
    wish = {"command": "fast", "painting": dropped(page, name="art.png"), "options": {"size": "48"}}
    answer = wished(page, **wish, content=dropped(page))
    work = api.desk.get(answer.json()["id"])
    until(lambda: work.share)
    page.delete(f"/api/jobs/{work.id}")
    assert ended(api, answer).state == "stopped" and work.size == [48, 36]
    assert read_recipe(work.file)["model"]["interrupted"] is True


@pytest.mark.parametrize("command", ["fast", "optimize"])
def test_a_painting_is_named_by_the_id_of_a_drop_and_by_nothing_else(page, command):
    for painting in (__file__, "../painting.png", 7, ["a"], {}):
        answer = wished(page, command=command, content=dropped(page), painting=painting)
        assert answer.status_code == 400 and "no longer here" in answer.json()["message"]


def test_a_result_is_enlarged_as_by_the_command(page, api, tmp_path):
    options = {"size": "40", "strength": 0.5}
    first = ended(api, wished(page, command="fast", content=dropped(page), style="wave", options=options))
    answer = wished(page, command="enlarge", result=first.id, options={"scale": 2})
    work = ended(api, answer)
    assert work.state == "done" and work.size == [80, 60] and work.order.name == "photo-wave-x2.png"
    (tmp_path / "photo-wave.png").write_bytes(first.file.read_bytes())
    chosen = EnlargeOptions.of({"scale": 2, "threads": 1})
    result_of(enlarge([str(tmp_path / "photo-wave.png")], str(tmp_path / "own.png"), chosen))
    assert work.file.read_bytes() == (tmp_path / "own.png").read_bytes()
    # what is shown beside it is the picture before it was enlarged, which stays while it is needed
    assert page.get(f"/api/pictures/{work.order.content.id}").content.startswith(b"\xff\xd8")
    assert api.menu.settings(read_recipe(work.file)) is None


@pytest.mark.parametrize("result", ["0123", __file__, 7, None, ["a"]])
def test_what_is_no_result_is_not_enlarged(page, api, result):
    answer = wished(page, command="enlarge", result=result, options={"scale": 2})
    assert answer.status_code == 400 and "no longer here" in answer.json()["message"]
    for scale in (1, 17, "2", True):
        answer = wished(page, command="enlarge", content=dropped(page), options={"scale": scale})
        assert answer.status_code == 400


def test_lines_are_translated(page, api):
    wish = {"command": "translate", "content": dropped(page), "style": "edges2cat", "draft": True}
    work = ended(api, wished(page, **wish, options={"size": "64", "from_sketch": True}))
    assert work.state == "done" and work.order.name == "photo-edges2cat.png"


def test_translators_say_which_labels_they_take_in_their_order():
    labels = {"wall": "#0000ff", "sky": "#0000aa", "door": "#00aaff"}
    install_fronts(labels)
    told = {one["name"]: one for one in Menu(WebOptions(threads=1)).plain()["translators"]}
    fronts, cats = told["fronts"], told["edges2cat"]
    assert fronts["labels"] == [("wall", "#0000ff"), ("sky", "#0000aa"), ("door", "#00aaff")]
    assert not fronts["lines"] and not fronts["guesses"] and not fronts["from_photo"]
    assert cats["labels"] == [] and cats["lines"] and cats["guesses"]


def test_a_job_that_fails_says_why_and_the_next_is_done(page, api):
    content, name = dropped(page), str(api.folder)
    api.shelf[content].path.write_bytes(b"gone bad")
    work = ended(api, wished(page, command="fast", content=content, style="wave"))
    assert work.state == "failed" and "photo.png is not a picture" in work.message
    assert name not in work.message and Path(name).name not in work.message
    other = wished(page, command="fast", content=dropped(page), style="wave", options={"size": "32"})
    assert ended(api, other).state == "done"


def test_old_drafts_are_forgotten(page, api, monkeypatch):
    monkeypatch.setattr(queue, "_MOST_DRAFTS", 1)
    wish = {"command": "fast", "content": dropped(page), "style": "wave", "options": {"size": "32"}}
    first, second, third = (ended(api, wished(page, **wish, draft=True)) for _ in range(3))
    assert api.desk.get(first.id) is None and not first.file.exists()
    assert second.file.exists() and third.file.exists()


# The server


def opened(server):
    """Address and key of a page that was begun."""
    found = re.search(r"(http://127\.0\.0\.1:\d+)/#(\S+)", next(server).text)
    return found[1], {"origin": found[1], "x-styler-token": found[2]}


def test_answers_are_sent_at_once():
    with _listening(0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # by which asyncio knows where to set TCP_NODELAY


def events(base, headers, since):
    """Numbers and data of the events after one, without waiting for more."""
    with httpx.stream("GET", f"{base}/api/events", headers={**headers, "last-event-id": since}) as answer:
        found = []
        for line in answer.iter_lines():
            found.append(line)
            if line.startswith("data: ") or line.startswith(": still"):
                break
    return found


def test_events_go_on_after_the_last_one_that_was_heard():
    server = serve(WebOptions(threads=1))
    base, headers = opened(server)
    with httpx.Client(base_url=base, headers=headers) as page:
        content = page.post("/api/pictures", content=PNG).json()["id"]
        for style in ("wave", "ink"):
            page.post("/api/jobs", json={"command": "fast", "content": content, "style": style})
    until(lambda: json.loads(events(base, headers, "0")[1][6:])["state"] == "done")
    first = events(base, headers, "0")
    second = events(base, headers, first[0].removeprefix("id: "))
    assert json.loads(first[1][6:])["label"] == "wave" and json.loads(second[1][6:])["label"] == "ink"
    server.close()
    with pytest.raises(httpx.TransportError):
        httpx.get(base)


def test_a_port_that_is_taken_is_an_error():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OutputError, match="choose another --port"):
            next(serve(WebOptions(port=other.getsockname()[1])))


def test_the_port_is_open_before_the_server_runs():
    """The address is told then, and a browser that is quicker must not be refused."""
    with _listening(0) as listener:
        socket.create_connection(listener.getsockname(), timeout=5).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_page_and_its_folder(tmp_path, number):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "styler", "web"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    line = next(line for line in process.stderr if "http" in line)
    address = re.search(r"http://127\.0\.0\.1:(\d+)/#(\S+)", line)
    (folder,) = tmp_path.glob("styler-web-*")
    assert folder.stat().st_mode & 0o077 == 0
    headers = {"origin": f"http://127.0.0.1:{address[1]}", "x-styler-token": address[2]}
    given = httpx.post(f"{headers['origin']}/api/pictures", content=PNG, headers=headers, timeout=60)
    assert given.status_code == 201 and list(folder.iterdir())
    process.send_signal(number)
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == 0 and rest == "" and not folder.exists()


def test_without_the_extra_one_line_says_how_to_get_it(run, monkeypatch):
    monkeypatch.setattr("styler.ui.commands.machine._PAGE", ("no_such_package",))
    done = run("web")
    assert done.code == 1 and "pip install 'starlette" in done.err and done.err.count("\n") == 1
