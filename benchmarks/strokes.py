"""Time the drawing page of `styler web`: from a stroke's end to the picture beside it.

    python benchmarks/strokes.py [--translator edges2cat] [--strokes 12] [--threads 1]

A headless Chromium draws strokes over a sketch with the mouse; the page's own clock says how long each took,
from the button's release until the translated picture is shown. Needs pip install '.[web]' playwright, and
Chromium.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics

from playwright.sync_api import Page, sync_playwright

from styler.options.web import WebOptions
from styler.web.server import serve

EXPECT = """() => {
    const once = (id, type) => new Promise((done) => {
        const say = () => done(performance.now());
        document.getElementById(id).addEventListener(type, say, { capture: true, once: true });
    });
    const released = once("pad", "pointerup");
    window.taken = released.then(async (then) => await once("translated", "load") - then);
}"""
"""The milliseconds `taken` from the next stroke's end to the next picture; the page allows no eval."""


def main() -> None:
    """Draw, and print how long the pictures took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--translator", default="edges2cat")
    parser.add_argument("--strokes", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    server = serve(WebOptions(threads=asked.threads))
    address = re.search(r"http\S+", next(server).text)[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(240_000)
        page.goto(address)
        page.get_by_role("button", name="Draw").click()
        page.select_option("#translator", asked.translator)
        page.locator("#fill").click()
        page.locator("#translated").wait_for()
        taken = [stroke(page, number) for number in range(asked.strokes)]
        browser.close()
    server.close()
    middle, most = statistics.median(taken), max(taken)
    print(f"{asked.strokes} strokes: {middle:.0f} ms in the middle, {most:.0f} ms at most")


def stroke(page: Page, number: int) -> float:
    """Milliseconds until what a stroke changes is shown."""
    box = page.locator("#pad").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * (0.2 + 0.05 * (number % 12)), box["y"] + box["height"] * 0.3
    page.evaluate(EXPECT)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 60, steps=6)
    page.mouse.up()
    return float(page.evaluate("taken"))


if __name__ == "__main__":
    main()
