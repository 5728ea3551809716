"""The recipe: how a picture was made, written into its file and read back.

It is data only, without paths or time stamps of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

from styler.errors import InputError
from styler.storage.names import one_line
from styler.version import __version__

MAX_BYTES = 8 * 1024  # of JSON written
_MAX_READ_BYTES = 64 * 1024
_KEYWORD = "styler"  # of the PNG text
_XMP_KEYWORD = "XML:com.adobe.xmp"
_ASCII = b"ASCII\0\0\0"  # the character code that begins an EXIF UserComment
_CREDIT_LENGTH = 1000

CREDITS = {
    "copyright": ExifTags.Base.Copyright,
    "artist": ExifTags.Base.Artist,
    "description": ExifTags.Base.ImageDescription,
}
_PNG_CREDITS = {"copyright": "Copyright", "artist": "Author", "description": "Description"}

# IPTC's term for a picture that a trained algorithm changed.
_XMP = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def to_text(recipe: Mapping[str, object]) -> str:
    """The recipe as ASCII JSON of at most 8 KiB; never fails for being too long.

    `losses` go first, then the longest entries; "left_out" names what went. Numbers that are not
    finite become null.
    """
    entries = {key: _finite(value) for key, value in recipe.items()}
    text = json.dumps(entries, allow_nan=False)
    left_out: list[str] = []
    while len(text) > MAX_BYTES:
        longest = (
            "losses" if "losses" in entries else max(entries, key=lambda key: len(json.dumps(entries[key])))
        )
        left_out.append(longest[:100])
        del entries[longest]
        text = json.dumps({**entries, "left_out": left_out}, allow_nan=False)
    return text


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _png_text(recipe: Mapping[str, object], credits: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """The text chunks of a PNG: the recipe, the XMP packet and the credits."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(_KEYWORD, to_text(recipe))
    info.add_itxt(_XMP_KEYWORD, _XMP.decode("utf-8"))
    info.add_itxt("Software", f"styler {__version__}")
    for name, keyword in _PNG_CREDITS.items():
        if name in credits:
            info.add_itxt(keyword, credits[name])
    return info


def exif(recipe: Mapping[str, object], credits: Mapping[str, str]) -> Image.Exif:
    """The EXIF block of every other format: UserComment, Software and the credits."""
    block = Image.Exif()
    block[ExifTags.Base.Software] = f"styler {__version__}"
    for name, tag in CREDITS.items():
        if name in credits:
            block[tag] = credits[name].encode("utf-8")  # as everyone does, though EXIF says ASCII
    details = block.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.UserComment] = _ASCII + to_text(recipe).encode("ascii")
    block[ExifTags.IFD.Exif] = details  # Pillow's TIFF writer looks for the key, the others do not
    return block


def save_options(
    format: str, recipe: Mapping[str, object] | None, credits: Mapping[str, str]
) -> dict[str, object]:
    """Arguments of `Image.save` for a file with recipe, credits and XMP; none for None."""
    if recipe is None:
        return {}
    if format == "PNG":
        return {"pnginfo": _png_text(recipe, credits)}
    block = exif(recipe, credits)
    if format == "TIFF":
        block[ExifTags.Base.XMLPacket] = _XMP
        return {"exif": block}
    return {"exif": block, "xmp": _XMP}


def read_credits(tags: Mapping[int, object], text: Mapping[Any, object]) -> dict[str, str]:
    """Copyright, artist and description from PNG text or else EXIF tags, on one line each."""
    found = {name: text.get(_PNG_CREDITS[name]) or _as_text(tags.get(tag)) for name, tag in CREDITS.items()}
    lines = {name: one_line(value) for name, value in found.items() if isinstance(value, str)}
    return {name: line[:_CREDIT_LENGTH] for name, line in lines.items() if line}


def _as_text(value: object) -> str:
    """An EXIF string, which Pillow reads as Latin-1 and nearly everyone writes in UTF-8."""
    if not isinstance(value, str):
        return ""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def read(image: Image.Image, name: str) -> dict[str, object]:
    """The recipe in an opened picture, which is not decoded; see `parse`."""
    return parse(image.info.get(_KEYWORD) or _user_comment(image), name)


def parse(text: object, name: str) -> dict[str, object]:
    """The recipe in the text of a file; `name` is for the message.

    It is foreign data: names in it are never opened, and values must be checked before use.

    Raises:
        InputError: if there is none, or it is over 64 KiB or no JSON object.
    """
    if not isinstance(text, str) or len(text) > _MAX_READ_BYTES:
        raise InputError(f"{name} has a recipe over {_MAX_READ_BYTES // 1024} KiB, which styler never writes")
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError):
        recipe = None
    if not isinstance(recipe, dict):
        raise InputError(f"{name} has no recipe: styler did not make it, or made it with --no-metadata")
    return recipe


def _user_comment(image: Image.Image) -> str:
    if "exif" not in image.info and image.format != "TIFF":
        return ""  # asking on would decode a whole PNG, in search of a block behind its pixels
    comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    return comment.removeprefix(_ASCII).decode("utf-8", "replace") if isinstance(comment, bytes) else ""
