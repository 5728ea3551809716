"""Pages of a training: whole without anything else, and harmless whatever text goes in."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

from styler.storage import report

PNG = b"\x89PNG\r\n\x1a\n rest"
VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """What is in a page: tags with their attributes, and text; fails where tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def page() -> str:
    return report.page(
        "a & b.safetensors",
        report.paragraph("<script>alert(1)</script>", "warning"),
        report.section("Pictures", report.figure(PNG, 'a "caption"'), report.figure(b"\xff\xd8", "x")),
        report.section("Nothing"),
        report.section("Scores", report.table([["1", "<0.2>"], ["2", "0.3"]], ["step", "l1"], marked=1)),
    )


def test_a_page_is_whole_and_needs_nothing_else() -> None:
    seen = Reader(page())
    assert {"script", "link", "iframe"}.isdisjoint(tag for tag, _ in seen.found)
    sources = [attributes["src"] for attributes in seen.all("img")]
    assert [source.partition(",")[0] for source in sources] == [
        "data:image/png;base64",
        "data:image/jpeg;base64",
    ]
    assert base64.b64decode(sources[0].partition(",")[2]) == PNG
    assert not re.search(r"https?:|url\(", page())
    (policy,) = [a["content"] for a in seen.all("meta") if a.get("http-equiv")]
    assert "default-src 'none'" in policy and "img-src data:" in policy


def test_text_stays_text() -> None:
    seen = Reader(page())
    assert "<script>alert(1)</script>" in seen.texts and "<0.2>" in seen.texts
    assert "a & b.safetensors" in seen.texts
    assert seen.all("img")[0]["alt"] == 'a "caption"'


def test_the_marked_row_stands_out_and_empty_sections_are_left_out() -> None:
    seen = Reader(page())
    assert [attributes.get("class") for attributes in seen.all("tr")] == ["", "", "marked"]
    assert "Nothing" not in seen.texts and "Scores" in seen.texts
