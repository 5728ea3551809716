"""Contact sheets."""

from __future__ import annotations

import torch

from styler.storage.pictures.sheet import sheet


def test_a_sheet_has_a_cell_for_each_picture_and_keeps_aspects() -> None:
    wide = torch.zeros(1, 3, 10, 40)
    tall = torch.zeros(1, 3, 40, 10)
    canvas = sheet([[wide, tall], [wide]], cell=64)
    assert canvas.shape == (1, 3, 8 + 2 * 72, 8 + 2 * 72)
    dark = canvas[0, 0] < 0.5
    assert dark[8 : 8 + 64, 8 : 8 + 64].sum() == 16 * 64
    assert dark[8 + 24, 8 : 8 + 64].all(), "the wide picture fills the width, in the middle"
    assert dark[8 : 8 + 64, 80 + 24].all(), "the tall picture fills the height"
    assert not dark[80:, 80:].any(), "the missing picture is white"


def test_a_sheet_writes_its_labels_outside_of_the_pictures() -> None:
    grey = torch.full((1, 3, 32, 32), 0.5)
    rows = [[grey] * 3] * 2
    plain = sheet(rows, cell=128)
    labelled = sheet(rows, cell=128, row_labels=["lr 0.1", "lr\n1.0"], column_labels=["a", "b" * 300, ""])
    down, right = (labelled.shape[d] - plain.shape[d] for d in (2, 3))
    assert down > 0 and right > 0
    assert torch.equal(labelled[..., 8 + down :, 8 + right :], plain[..., 8:, 8:])
    assert labelled[..., : 8 + down, 8 + right :].min() < 0.2, "column labels are there"
    assert labelled[..., 8 + down :, : 8 + right].min() < 0.2, "row labels are there"


def test_a_label_that_the_font_cannot_draw_is_spelled_out() -> None:
    grey = torch.full((1, 3, 32, 32), 0.5)
    one, other = (sheet([[grey]], column_labels=[label]) for label in ("Käthe 写", "Kathe ?"))
    assert torch.equal(one, other)


def test_an_empty_caption_leaves_the_next_row_alone() -> None:
    grey = torch.full((1, 3, 32, 32), 0.5)
    assert torch.equal(sheet([[grey], [grey]], captions=[[""], [""]]), sheet([[grey], [grey]]))


def test_an_empty_sheet_is_white() -> None:
    assert (sheet([]) == 1).all()


def test_a_caption_that_is_too_long_goes_on_in_the_next_line() -> None:
    """A note under a narrow picture is not cut; nor do large letters of a high cell fill a narrow one."""
    tall = torch.full((1, 3, 320, 240), 0.5)
    note = "shows features, not evidence"
    whole = sheet([[tall]], captions=[["shows features, not\nevidence"]], cell=(320, 240))
    assert torch.equal(sheet([[tall]], captions=[[note]], cell=(320, 240)), whole)
    wide = sheet([[tall]], captions=[[note]], cell=(320, 330))
    assert wide.shape[2] < whole.shape[2]
    narrow = sheet([[tall]], column_labels=["max |gradient|"], cell=(700, 160))
    cut = sheet([[tall]], column_labels=["max |gradient..."], cell=(700, 160))
    assert not torch.equal(narrow, cut) and narrow.shape[2] < 700 + 50
