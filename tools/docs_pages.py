"""Hooks of mkdocs: README as the first page, and what pages link to outside of docs/.

Links in the repository lead from file to file, so that they work where it is browsed; here they are
turned to the site's own files. What a page links to and is not there makes `mkdocs build --strict` fail.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = (
    *("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("styles/gallery.md", "styles/enlarge.md", "styler/networks/compact.md"),
)
"""Pages that lie elsewhere in the repository."""
_LINK = re.compile(r"(?<=\]\()(?!https?://|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """README, the other pages, and every other file that a page links to."""
    texts = {name: (ROOT / name).read_text("utf-8") for name in PAGES}
    texts["index.md"] = (ROOT / "README.md").read_text("utf-8")
    for name, text in texts.items():
        files.append(File.generated(config, name, content=text))
    for file in list(files.documentation_pages()):
        for link in _LINK.findall(file.content_string):
            target = _site(file.src_uri, link)
            if files.get_file_from_path(target) is None and (ROOT / target).is_file():
                files.append(File.generated(config, target, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A page whose links lead to files of the site."""
    here = page.file.src_uri
    ups = "../" * here.count("/")
    return _LINK.sub(lambda link: ups + _site(here, link[0]), markdown)


def _site(page: str, link: str) -> str:
    """The site's path of what a page links to: docs/ is the site's root, and so is the repository's."""
    folder = (
        PurePosixPath("docs", page).parent if (ROOT / "docs" / page).is_file() else PurePosixPath(page).parent
    )
    parts: list[str] = []
    for part in (folder / link).parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    path = "/".join(parts)
    return {"README.md": "index.md"}.get(path, path.removeprefix("docs/"))
