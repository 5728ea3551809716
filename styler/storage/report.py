"""Pages that show a training: one HTML file each, pictures inside; no server, script or network is needed."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import NewType

Html = NewType("Html", str)
"""Markup; whatever text went into it is escaped."""

PNG = b"\x89PNG"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may load for the page: nothing that is not in it."""
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 1px solid #8886; }
figure { margin: 0; }
img { max-width: 100%; height: auto; display: block; border-radius: 4px; }
figcaption, .quiet { color: #777; font-size: .9rem; }
.warning { border-left: 4px solid #d55e00; padding: .4rem .8rem; background: #d55e0018; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .15rem 1.2rem .15rem 0; border-bottom: 1px solid #8883; }
th { font-weight: 600; }
tr.marked td { font-weight: 600; background: #009e7322; }
"""


def page(title: str, *parts: Html) -> str:
    """A whole document, of about the size of the pictures in it times 4/3."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def section(title: str, *parts: Html) -> Html:
    """Parts under a heading; nothing if there are none."""
    return Html("\n".join((f"<h2>{escape(title)}</h2>", *parts))) if parts else Html("")


def paragraph(text: str, kind: str = "") -> Html:
    """One paragraph; `kind` is "", "quiet" or "warning"."""
    return Html(f'<p class="{escape(kind)}">{escape(text)}</p>')


def figure(picture: bytes, caption: str) -> Html:
    """The bytes of a PNG or JPEG file, with what is to be seen on it."""
    kind = "png" if picture.startswith(PNG) else "jpeg"
    data = base64.b64encode(picture).decode("ascii")
    told = escape(caption)
    return Html(
        f'<figure><img alt="{told}" src="data:image/{kind};base64,{data}">'
        f"<figcaption>{told}</figcaption></figure>"
    )


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = (), marked: int | None = None) -> Html:
    """A table; the row of number `marked` stands out."""
    top = [_row(head, "th")] if head else []
    body = [_row(row, "td", "marked" if index == marked else "") for index, row in enumerate(rows)]
    return Html('<div class="wide"><table>\n' + "\n".join((*top, *body)) + "\n</table></div>")


def _row(cells: Sequence[str], tag: str, kind: str = "") -> str:
    return f'<tr class="{kind}">' + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
