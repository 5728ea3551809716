"""Draw labels of 20 fronts that no renderer made: `python examples/draw_fronts.py SHEET.jpg [NETWORK]`.

They judge a translator of labels. Each is written down box by box as a hand would draw them: a tower, a
castle, a barn, a face, letters. With a NETWORK, a name or a file, each is beside what it makes of it.
"""

from __future__ import annotations

from draw_cats import show_translated
from front_plans import LABELS
from PIL import Image, ImageDraw

SIDE = 256

FRONTS = """
sky 0 0 100 100; street 0 90 100 100; ochre wall 20 40 80 90; tiles 15 20 85 40; window 27 48 42 66;
window 58 48 73 66; door 44 62 56 90; plants 2 76 18 92

sky 0 0 100 100; street 0 94 100 100; brick 35 10 65 94; window 42 16 58 28; window 42 36 58 48; window 42
56 58 68; door 42 76 58 94; cornice 33 7 67 11

wall 0 0 100 92; street 0 92 100 100; window 8 8 24 26; window 42 8 58 26; window 76 8 92 26; window 8 38
24 56; window 42 38 58 56; window 76 38 92 56; shop 4 66 40 92; door 44 64 58 92; shop 62 66 96 92; awning
3 64 41 72

sky 0 0 100 100; stone 10 30 90 92; stone 6 12 24 92; stone 76 12 94 92; slate 5 4 25 13; slate 75 4 95
13; door 42 60 58 92; window 12 24 18 36; window 82 24 88 36; window 32 42 40 54; window 60 42 68 54;
street 0 92 100 100

sky 0 0 100 100; street 0 85 100 100; wall 5 45 35 85; tiles 3 33 37 45; brick 35 25 65 85; slate 33 13 67
25; ochre wall 65 40 95 85; tiles 63 28 97 40; window 10 52 20 64; door 24 66 32 85; window 40 32 48 44;
window 52 32 60 44; window 40 52 48 64; shop 38 68 62 85; window 70 48 78 60; window 82 48 90 60; door 76
66 84 85

ochre wall 0 0 100 100; window 18 22 40 44; window 60 22 82 44; trim 47 44 53 62; balcony 25 68 75 84

stone 0 0 100 90; street 0 90 100 100; pillar 8 10 16 90; pillar 30 10 38 90; pillar 62 10 70 90; pillar
84 10 92 90; cornice 0 2 100 10; door 42 46 58 90; window 19 24 27 46; window 73 24 81 46; window 44 18 56
36; sill 18 46 28 49; sill 72 46 82 49; sill 43 36 57 39

wall 0 0 100 90; beam 0 0 4 90; beam 32 0 36 90; beam 64 0 68 90; beam 96 0 100 90; beam 0 28 100 32; beam
0 58 100 62; window 10 8 26 24; window 42 8 58 24; window 74 8 90 24; window 10 36 26 54; window 42 36 58
54; window 74 36 90 54; door 42 64 58 90; street 0 90 100 100

sky 0 0 100 100; ochre wall 0 50 100 88; tiles 0 30 100 50; street 0 88 100 100; window 10 58 20 76;
shutter 4 58 9 76; shutter 21 58 26 76; window 40 58 50 76; shutter 34 58 39 76; shutter 51 58 56 76; door
72 58 84 88; plants 10 76 20 80; plants 40 76 50 80

brick 0 0 100 100; window 10 10 45 45; window 55 10 90 45; window 10 55 45 90; window 55 55 90 90

sky 0 0 100 100; street 0 92 100 100; wall 15 15 85 92; window 20 20 80 30; window 20 35 80 45; window 20
50 80 60; window 20 65 80 75; door 40 80 60 92

sky 0 0 100 100; street 0 90 100 100; stone 30 35 70 90; stone 42 5 58 35; slate 40 0 60 6; window 45 12
55 24; window 36 44 44 66; window 56 44 64 66; door 45 66 55 90; plants 0 50 28 92; plants 74 60 100 92

wall 0 0 100 88; street 0 88 100 100; window 8 10 26 34; balcony 5 28 29 38; window 41 10 59 34; balcony
38 28 62 38; window 74 10 92 34; balcony 71 28 95 38; cornice 0 44 100 49; shop 4 54 46 88; awning 2 52 48
62; shop 54 54 96 88; awning 52 52 98 62

ochre wall 0 0 50 90; brick 50 0 100 90; street 0 90 100 100; window 10 10 20 30; window 30 10 40 30;
window 60 10 70 30; window 80 10 90 30; window 10 42 20 62; window 30 42 40 62; window 60 42 70 62; window
80 42 90 62; door 18 66 30 90; door 70 66 82 90; sill 9 30 21 33; sill 29 30 41 33; sill 59 30 71 33; sill
79 30 91 33

sky 0 0 100 100; street 0 80 100 100; wall 30 55 70 80; tiles 26 44 74 55; window 36 60 46 70; door 54 60
62 80; plants 4 50 22 82; plants 78 62 98 82

brick 0 0 100 100; window 10 20 16 80; window 30 20 36 80; window 16 47 30 53; window 50 45 56 80; window
50 25 56 33; window 72 20 78 62; window 72 70 78 80

wall 0 0 100 100; door 5 30 25 95; door 30 30 50 95; door 55 30 75 95; door 80 30 98 95; trim 3 24 99 28

stone 0 0 100 90; street 0 90 100 100; cornice 0 30 100 35; shutter 8 44 18 70; window 18 44 34 70;
shutter 34 44 44 70; shutter 56 44 66 70; window 66 44 82 70; shutter 82 44 92 70; window 20 4 34 26;
window 66 4 80 26; door 46 60 54 90

sky 0 0 100 100; street 0 94 100 100; brick 4 60 30 94; brick 36 40 62 94; wall 68 20 96 94; window 10 66
24 80; window 42 46 56 60; window 42 66 56 80; window 74 26 90 40; window 74 46 90 60; window 74 66 90 80

ochre wall 0 8 100 92; cornice 0 8 100 14; sky 0 0 100 8; street 0 92 100 100; window 5 22 15 40; window
20 22 30 40; window 35 22 45 40; window 55 22 65 40; window 70 22 80 40; window 85 22 95 40; shop 4 52 32
92; door 36 56 46 92; shop 50 52 96 92; awning 48 50 98 60; sill 4 40 16 43; sill 19 40 31 43; sill 34 40
46 43
"""


def drawn(text: str) -> Image.Image:
    """A label picture from its boxes: kind, left, top, right, bottom in percent."""
    image = Image.new("RGB", (SIDE, SIDE), next(iter(LABELS.values())))
    pen = ImageDraw.Draw(image)
    for box in " ".join(text.split()).split("; "):
        *kind, left, top, right, bottom = box.split()
        corners = [round(float(value) * SIDE / 100) for value in (left, top, right, bottom)]
        pen.rectangle((*corners[:2], corners[2] - 1, corners[3] - 1), fill=LABELS[" ".join(kind)])
    return image


def fronts() -> list[Image.Image]:
    """The drawings."""
    return [drawn(text) for text in FRONTS.strip().split("\n\n")]


def main() -> None:
    """Put the drawings, and what becomes of them, on a sheet."""
    show_translated(fronts(), "picture", (5, 8))


if __name__ == "__main__":
    main()
