"""Magic bytes."""

from __future__ import annotations

import corpus

from styler.storage import magic


def test_every_kind_of_picture_that_is_read_is_told_by_its_first_bytes() -> None:
    for format in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"):
        assert magic.kind_of(corpus.encoded(corpus.picture(), format)) in magic.PICTURES
