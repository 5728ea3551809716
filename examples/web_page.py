"""Screenshot of the page of `styler web`, for README: python examples/web_page.py web.jpg [--dark] [--draw].

Needs pip install '.[web]' playwright, and Chromium.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from styler.options.web import WebOptions
from styler.web.server import serve

HERE = Path(__file__).parent
SIZES = {"wide": (1280, 860), "narrow": (400, 860)}


def paint(page: Page) -> None:
    """Paint the harbour, and show it half."""
    page.set_input_files("#photo-file", HERE / "harbour.jpg")
    page.locator("#wall img.fresh").nth(7).wait_for()
    page.locator("input[value='trained:stained-glass']").check(force=True)
    page.locator("#paint-button").click()
    page.locator("#download").wait_for(timeout=600_000)
    page.locator("#slide").evaluate("e => { e.value = 42; e.dispatchEvent(new Event('input')); }")
    page.evaluate("scrollTo(0, 0); document.activeElement.blur(); 0")


def draw(page: Page) -> None:
    """Let a sketch be translated."""
    page.get_by_role("button", name="Draw").click()
    page.locator("#fill").click()
    page.locator("#translated").wait_for()
    page.wait_for_timeout(300)


def main() -> None:
    """Start the page, use it, and write what it looks like."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output")
    parser.add_argument("--size", choices=SIZES, default="wide")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--draw", action="store_true")
    words = parser.parse_args()
    server = serve(WebOptions())
    address = re.search(r"http\S+", next(server).text)[0]
    width, height = SIZES[words.size]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        scheme = "dark" if words.dark else "light"
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.goto(address)
        page.locator("#paintings img").nth(6).wait_for()
        (draw if words.draw else paint)(page)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        shot.save(words.output, quality=88, optimize=True)
        browser.close()
    server.close()


if __name__ == "__main__":
    main()
