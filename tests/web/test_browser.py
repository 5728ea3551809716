"""The page in a real browser: drop, paint, watch, slide, stop, download, draw."""

from __future__ import annotations

import re
import shutil
import tempfile
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageColor
from trained import install_fronts

from styler.options.fast import LEARNING_STEPS
from styler.options.web import WebOptions
from styler.storage.pictures.load import read_recipe
from styler.web.server import serve

CAT = Path(__file__).parents[2] / "examples" / "cat.jpg"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]
PATIENCE = 240_000  # of milliseconds: beside other tests a picture may take its time


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser):
    """The page, opened; what it says on the console, and requests to anywhere else, are faults."""
    server = serve(WebOptions(threads=1))
    address = re.search(r"http\S+", next(server).text)[0]
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(PATIENCE)
    faults = []
    opened.on("console", lambda message: faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    home = address.partition("#")[0]
    opened.on("request", lambda r: r.url.startswith((home, f"blob:{home}")) or faults.append(r.url))
    opened.goto(address)
    opened.locator("#paintings img").nth(6).wait_for()
    yield opened
    opened.close()
    server.close()
    assert not faults


def level(page, selector, x, y):
    """Red, green, blue of a place of what is seen."""
    shot = Image.open(BytesIO(page.locator(selector).screenshot())).convert("RGB")
    return shot.getpixel((int(x * shot.width), int(y * shot.height)))


def test_drop_paint_watch_slide_stop_download(page, tmp_path):
    page.set_input_files("#photo-file", CAT)
    page.locator("#wall img.fresh").nth(15).wait_for()  # the sheet: the photo in all sixteen styles
    page.get_by_role("button", name="The scream").click()
    page.select_option("#size", "256")
    page.locator("#paint-button").click()
    page.locator("#download").wait_for()
    assert "256 \u00d7 192" in page.locator("#caption").inner_text()
    with page.expect_download() as download:
        page.locator("#download").click()
    download.value.save_as(tmp_path / download.value.suggested_filename)
    recipe = read_recipe(tmp_path / "cat-the-scream.png")
    assert recipe["command"] == "fast" and recipe["options"]["style"] == "the-scream"
    # The slider, by keys: the photo comes from the left.
    page.locator("#slide").focus()
    place = [0.75, 0.15]  # the painting has another color there, and the line of the slider is elsewhere
    painted = level(page, "#compare", *place)
    page.keyboard.press("End")
    assert page.locator("#compare").evaluate("e => e.style.getPropertyValue('--at')") == "100%"
    photo = level(page, "#compare", *place)
    with Image.open(CAT) as cat:
        real = cat.convert("RGB").getpixel((int(place[0] * cat.width), int(place[1] * cat.height)))
    assert max(abs(a - b) for a, b in zip(photo, real, strict=True)) < 16
    assert max(abs(a - b) for a, b in zip(photo, painted, strict=True)) > 40
    page.keyboard.press("Home")
    assert level(page, "#compare", *place) == painted
    # A painting that forms, and is stopped.
    page.locator("input[value='picture:waves']").check(force=True)
    page.select_option("#size", "512")
    page.locator("#paint-button").click()
    page.locator("#caption", has_text="scale").wait_for()
    seen = page.locator("#after").get_attribute("src")
    page.locator(f"#after:not([src='{seen}'])").wait_for()  # it is another picture now
    page.locator("#stop").click()
    page.locator("#caption", has_text="stopped on the way and kept").wait_for()
    with page.expect_download() as download:
        page.locator("#download").click()
    download.value.save_as(tmp_path / "stopped.png")
    assert read_recipe(tmp_path / "stopped.png")["interrupted"] is True
    # Its settings come back by dropping the picture.
    page.locator("#all").click()
    page.set_input_files("#photo-file", tmp_path / "cat-the-scream.png")
    page.locator("#status", has_text="settings of cat-the-scream.png are filled in").wait_for()
    assert page.locator("input[value='trained:the-scream']").is_checked()
    assert page.locator("#size").input_value() == "256"


def test_enlarge_a_result_and_learn_a_painting_of_ones_own(page, tmp_path, monkeypatch):
    monkeypatch.setenv("STYLER_HOME", str(tmp_path))
    monkeypatch.setitem(LEARNING_STEPS, "normal", 4)
    page.set_input_files("#photo-file", CAT)
    page.set_input_files("#painting-file", CAT.with_name("still_life.jpg"))
    assert page.locator("#dial").get_attribute("max") == "100"
    page.select_option("#way", "learn")
    assert page.locator("#dial").get_attribute("max") == "0"  # a pass of a network has no more than all
    page.select_option("#size", "256")
    page.locator("#paint-button").click()
    page.locator("#caption", has_text="learning still").wait_for()
    page.locator("#caption", has_text="256 \u00d7 192").wait_for()
    page.get_by_role("button", name="Enlarge 2 times").click()
    page.locator("#caption", has_text="512 \u00d7 384").wait_for()
    shape = page.locator("#compare").bounding_box()
    assert abs(shape["width"] / shape["height"] - 4 / 3) < 0.02
    with page.expect_download() as download:
        page.locator("#download").click()
    download.value.save_as(tmp_path / download.value.suggested_filename)
    with Image.open(tmp_path / "cat-still_life-x2.png") as enlarged:
        assert enlarged.size == (512, 384)
    assert page.locator("#strip li").count() == 2 and page.locator("#again").is_hidden()


# These wait until the browser is idle, which on a busy machine it is not for a second and more.
NEVER = """() => { OffscreenCanvas.prototype.convertToBlob = () => new Promise(() => {});
                   HTMLCanvasElement.prototype.toBlob = () => {}; }"""


def test_draw_and_see_it_translated(page, tmp_path):
    page.evaluate(NEVER)
    page.get_by_role("button", name="Draw").click()
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    for step in range(10):
        page.mouse.move(box["x"] + 100 + 20 * step, box["y"] + 100 + 15 * step)
    page.mouse.up()
    page.locator("#translated").wait_for()
    assert level(page, "#pad", 110 / box["width"], 108 / box["height"]) < (90, 90, 90)
    first = page.locator("#translated").get_attribute("src")
    page.locator("#fill").click()
    page.locator(f"#translated:not([src='{first}'])").wait_for()
    # By keyboard: the pen goes down, right, and up again; then all is undone, and done again.
    page.locator("#clear").click()
    assert page.locator("#undo").is_disabled() and page.locator("#translated").is_hidden()
    page.locator("#pad").focus()
    for name in ("Space", "ArrowRight", "Shift+ArrowRight", "Space"):
        page.keyboard.press(name)
    page.locator("#translated").wait_for()
    page.keyboard.press("Control+z")
    assert page.locator("#undo").is_disabled() and page.locator("#redo").is_enabled()
    page.keyboard.press("Control+Shift+z")
    assert page.locator("#undo").is_enabled()
    page.get_by_label("Eraser").check(force=True)
    page.locator("#pad").click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    assert level(page, "#pad", 0.5, 0.5) > (240, 240, 240)
    with page.expect_download() as download:
        page.locator("#draw-download").click()
    download.value.save_as(tmp_path / "drawn.png")
    assert read_recipe(tmp_path / "drawn.png")["command"] == "translate"


@pytest.fixture
def fronts(tmp_path, monkeypatch):
    """The colors of an installed translator's labels; the page's folder will be in `tmp_path`."""
    labels = {"wall": "#e8d0a0", "window": "#0055ff", "door": "#aa0000", "sill": "#55ffaa"}
    install_fronts(labels)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return {name: ImageColor.getrgb(color) for name, color in labels.items()}


def sent(folder):
    """The colors of the last drawing that was sent, and of how many of its 256 x 256 pixels each is."""
    last = max(folder.glob("styler-web-*/*/drawing.png"), key=lambda path: path.stat().st_mtime_ns)
    with Image.open(last) as drawing:
        assert drawing.size == (256, 256)
        return {color: count for count, color in drawing.convert("RGB").getcolors()}


def drag(page, *places):
    """Drag the pointer over the pad, from place to place in [0, 1]."""
    box = page.locator("#pad").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def test_paint_labels_and_see_them_translated(fronts, page, tmp_path):
    page.get_by_role("button", name="Draw").click()
    page.select_option("#translator", "fronts")
    assert page.get_by_label("Pencil").is_hidden() and page.get_by_label("Rectangle").is_checked()
    assert page.locator("#variant").is_hidden()  # nothing in this network is left to chance
    assert level(page, "#pad", 0.5, 0.5) == fronts["wall"]
    # A rectangle of the second label, for the first one is there already.
    drag(page, (0.25, 0.25), (0.75, 0.5))
    page.locator("#translated").wait_for()
    first = page.locator("#translated").get_attribute("src")
    assert [level(page, "#pad", 0.5, y) for y in (0.4, 0.6)] == [fronts["window"], fronts["wall"]]
    counts = sent(tmp_path)
    assert counts.keys() == {fronts["wall"], fronts["window"]}
    assert abs(counts[fronts["window"]] - 128 * 64) < 300
    # Labels by key; a rectangle by key; a brush, whose edges are of labels too.
    page.get_by_role("radio", name="window").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="door").is_checked()
    page.locator("#pad").focus()
    for name in ("Space", "Shift+ArrowRight", "Shift+ArrowDown", "Space"):
        page.keyboard.press(name)
    page.locator(f"#translated:not([src='{first}'])").wait_for()
    assert level(page, "#pad", 0.52, 0.54) == fronts["door"]
    page.get_by_role("radio", name="Brush").check(force=True)
    page.get_by_role("radio", name="sill").check(force=True)
    drag(page, (0.1, 0.8), (0.5, 0.93), (0.9, 0.7))
    page.get_by_label("Eraser").check(force=True)
    with page.expect_response("**/picture"):
        drag(page, (0.4, 0.2), (0.6, 0.45))
    assert sent(tmp_path).keys() == set(fronts.values())
    assert level(page, "#pad", 0.5, 0.325) == fronts["wall"]
    # A click is no rectangle, Escape drops one, and undo takes all of them back.
    page.get_by_label("Rectangle").check(force=True)
    page.locator("#pad").click()
    for name in ("Space", "ArrowRight", "Escape"):
        page.keyboard.press(name)
    for _ in range(4):
        page.locator("#undo").click()
    assert page.locator("#undo").is_disabled() and page.locator("#translated").is_hidden()
    assert level(page, "#pad", 0.5, 0.4) == fronts["wall"]
    page.locator("#fill").click()
    page.locator("#translated").wait_for()
    assert page.locator("#undo").is_enabled() and page.get_by_role("radio", name="sill").is_checked()
    assert sent(tmp_path).keys() == set(fronts.values())
    # The drawing of lines is another one, and this one is there again.
    page.select_option("#translator", "edges2cat")
    assert page.locator("#undo").is_disabled() and page.locator("#palette").is_hidden()
    assert level(page, "#pad", 0.5, 0.5) == (255, 255, 255) and page.get_by_label("Pencil").is_checked()
    page.select_option("#translator", "fronts")
    page.locator("#translated").wait_for()
    assert page.locator("#undo").is_enabled()


def test_a_finger_draws_and_a_narrow_page_has_no_sideways_scroll(page):
    page.set_viewport_size({"width": 400, "height": 800})
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 400
    page.get_by_role("button", name="Draw").click()
    assert page.evaluate(width) <= 400
    finger = (
        "(pad, [kind, x]) => pad.dispatchEvent(new PointerEvent(kind, {pointerId: 7, pointerType: 'touch'"
    )
    finger += ", clientX: pad.getBoundingClientRect().x + x, clientY: pad.getBoundingClientRect().y + 80}))"
    pad = page.locator("#pad")
    pad.evaluate("pad => { pad.setPointerCapture = () => {}; }")
    for event in (["pointerdown", 60], ["pointermove", 120], ["pointerup", 120]):
        pad.evaluate(finger, event)
    page.locator("#translated").wait_for()


def test_every_control_has_a_name_and_can_be_reached_by_key(page):
    names = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, canvas')].map((e) => [
          e.outerHTML, e.getAttribute('aria-label') || [...(e.labels || [])].map((l) => l.innerText).join('')
          || e.innerText])"""
    )
    assert len(names) > 30 and all(name.strip() for _, name in names), [h for h, n in names if not n.strip()]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.view") == "paint"
