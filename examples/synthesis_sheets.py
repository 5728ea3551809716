"""Remake the sheets of a texture at each depth and of a photo from its features, in about two minutes.

python examples/synthesis_sheets.py
"""

from __future__ import annotations

from pathlib import Path

from styler.events import result_of
from styler.jobs.see import synthesis
from styler.options.synthesis import InvertOptions, TextureOptions

HERE = Path(__file__).parent


def main() -> None:
    """Make both."""
    style, photo = str(HERE.parent / "styles" / "waves.jpg"), str(HERE / "cat.jpg")
    texture = TextureOptions(size=192, sheet=True, overwrite=True, quality=85)
    result_of(synthesis.texture(style, str(HERE / "texture_sheet.jpg"), texture))
    invert = InvertOptions(overwrite=True, quality=85)
    result_of(synthesis.invert(photo, str(HERE / "invert_sheet.jpg"), invert))


if __name__ == "__main__":
    main()
