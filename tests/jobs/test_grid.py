"""`styler grid`: axes, cells that are kept, labels, and one look at each style."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from corpus import picture
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from styler.engine import terms
from styler.errors import InputError
from styler.events import Item, Step, result_of
from styler.jobs import grid
from styler.options.optimize import GridOptions
from styler.storage.pictures.load import read_recipe

TINY = ("--network", "net.safetensors", "--size", "32", "--steps", "2", "--precision", "float32")


def cells(name="photo-style-grid.png"):
    return {path: path.read_bytes() for path in Path(f"{name}.cells").iterdir()}


def test_the_ratio_is_the_default(run, studio):
    done = run("grid", "photo.png", "style.png", *TINY)
    assert done.code == 0, done.err
    recipes = [read_recipe(path)["options"].get("style_weight", 1.0) for path in cells()]
    assert sorted(recipes) == [0.1, 0.3, 1.0, 3.0, 10.0]
    with Image.open("photo-style-grid.png") as sheet:
        assert sheet.width > 5 * 160 > 2 * sheet.height
    assert read_recipe("photo-style-grid.png")["command"] == "grid"


def test_two_options_make_rows_and_columns_and_cells_are_what_optimize_paints(run, studio):
    axes = ("--columns", "style-weight=0.5,2", "--rows", "style-layers=relu1_1;relu1_1,relu3_1")
    assert run("grid", "photo.png", "style.png", *TINY, *axes).code == 0
    found = {
        (r["options"]["style_layers"], r["options"]["style_weight"]): path
        for path in cells()
        for r in [read_recipe(path)]
    }
    assert set(found) == {
        (layers, weight) for layers in ("relu1_1", "relu1_1,relu3_1") for weight in (0.5, 2.0)
    }
    words = ("--style-weight", "2", "--style-layers", "relu1_1,relu3_1", "-o", "alone.png")
    assert run("optimize", "photo.png", "style.png", *TINY, *words).code == 0
    assert Path("alone.png").read_bytes() == found["relu1_1,relu3_1", 2.0].read_bytes()


def test_masks_make_columns(run, studio):
    with Image.open("photo.png") as photo:
        size = photo.size
    for name, box in (("left", (0, 0, size[0] // 2, size[1])), ("low", (0, size[1] // 2, *size))):
        mask = Image.new("L", size)
        mask.paste(255, box)
        mask.save(f"{name}.png")
    done = run("grid", "photo.png", "style.png", *TINY, "--columns", "style-mask=left.png,low.png")
    assert done.code == 0, done.err
    assert len(cells()) == len(set(cells().values())) == 2


def test_contents_by_styles(run, studio):
    done = run("grid", "photo.png", "style.png", "--style", "style.png", "--style", "photo.png", *TINY)
    assert done.code == 0, done.err
    pairs = {(r["content"]["name"], r["styles"][0]["name"]) for r in map(read_recipe, cells())}
    assert pairs == {(a, b) for a in ("photo.png", "style.png") for b in ("photo.png", "style.png")}


def test_the_command_that_show_prints_makes_the_same_bytes(run, studio):
    words = ("--columns", "color=style,photo", "--rows", "style-weight=1,2")
    assert run("grid", "photo.png", "style.png", *TINY, *words).code == 0
    first = Path("photo-style-grid.png").read_bytes()
    command = next(
        line for line in run("show", "photo-style-grid.png").lines if line.startswith("styler grid")
    )
    assert run(*shlex.split(command)[1:], "--overwrite").code == 0
    assert Path("photo-style-grid.png").read_bytes() == first


def test_finished_cells_are_kept_and_a_stopped_grid_goes_on(run, studio):
    options = GridOptions(
        network="net.safetensors", size=32, steps=3, precision="float32", columns="style-weight=1,2,3"
    )
    events: list[object] = []

    def stop() -> bool:
        return sum(isinstance(event, Step) for event in events) >= 4

    run_events = grid.grid(["photo.png"], ["style.png"], "g.png", options, stop)
    record = None
    while record is None:
        try:
            events.append(next(run_events))
        except StopIteration as end:
            record = end.value
    assert record["output"] is None and not Path("g.png").exists()
    (kept,) = cells("g.png").items()
    again = list(grid.grid(["photo.png"], ["style.png"], "g.png", options))
    assert sum(isinstance(event, Item) for event in again) == 2
    assert kept[0].read_bytes() == kept[1] and Path("g.png").exists() and len(cells("g.png")) == 3


def test_each_styles_targets_are_computed_once(studio, monkeypatch):
    looks = []
    view = terms.View.statistics

    def counted(self, image, asked):
        looks.append(tuple(image.shape[-2:]))
        return view(self, image, asked)

    monkeypatch.setattr(terms.View, "statistics", counted)
    options = GridOptions(
        network="net.safetensors", size=32, steps=1, columns="style-weight=1,2,3,4", overwrite=True
    )
    result_of(grid.grid(["photo.png"], ["style.png"], "g.png", options))
    assert looks.count((24, 32)) == 4, "the content is looked at in each"
    assert looks.count((32, 32)) == 1, "the style is looked at once"


def test_targets_of_reduced_styles_are_kept_over_contents(studio, monkeypatch):
    """As long as they do not depend on the content: a photo's colors change the style for each."""
    looks = []
    view = terms.View.statistics

    def counted(self, image, asked):
        looks.append(tuple(image.shape[-2:]))
        return view(self, image, asked)

    monkeypatch.setattr(terms.View, "statistics", counted)
    Image.new("RGB", (64, 32), "teal").save("other.png")
    for color, count in (("style", 1), ("content-to-style", 1), ("style-to-content", 2)):
        looks.clear()
        options = GridOptions(
            network="net.safetensors", size=32, steps=1, style_colors=3, color=color, overwrite=True
        )
        result_of(grid.grid(["photo.png", "other.png"], ["style.png"], f"g-{color}.png", options))
        assert looks.count((32, 32)) == count, color


def test_a_dry_run_says_which_cells_are_left_and_writes_nothing(run, studio):
    words = ("--columns", "style-weight=1,2")
    before = set(studio.rglob("*"))
    done = run("grid", "photo.png", "style.png", *TINY, *words, "--dry-run")
    assert done.code == 0 and "photo.png in style.png: style-weight 2" in done.err
    assert "photo-style-grid.png: 2 of 2 cells to paint" in done.err and set(studio.rglob("*")) == before
    assert run("grid", "photo.png", "style.png", *TINY, *words).code == 0
    assert "0 of 2 cells" in run("grid", "photo.png", "style.png", *TINY, *words, "--dry-run").err


def test_a_weight_of_a_style_that_is_alone_is_remarked_on(run, studio):
    words = ("--columns", "style-weight=1,2", "--dry-run")
    done = run("grid", "photo.png", "style.png:0.5", *TINY, *words)
    assert done.code == 0 and "of one alone use --style-weight" in done.err
    assert run("grid", "photo.png", "style.png:0", *TINY, *words).code == 1


def test_the_last_shard_makes_the_sheet(run, studio):
    words = ("--columns", "style-weight=1,2,3")
    assert run("grid", "photo.png", "style.png", *TINY, *words, "-o", "whole.png").code == 0
    done = run("grid", "photo.png", "style.png", *TINY, *words, "--shard", "1/2")
    assert done.code == 0 and "2 of 3 cells are there; the last --shard makes the sheet" in done.err
    assert not Path("photo-style-grid.png").exists()
    assert run("grid", "photo.png", "style.png", *TINY, *words, "--shard", "2/2").code == 0
    assert Path("photo-style-grid.png").read_bytes() == Path("whole.png").read_bytes()
    assert run("grid", "photo.png", "style.png", *TINY, *words, "--shard", "3/2").code == 1


def test_two_shards_that_end_together_make_one_sheet(run, studio, monkeypatch):
    words = (*TINY, "--columns", "style-weight=1,2")
    assert run("grid", "photo.png", "style.png", *words, "--shard", "1/2").code == 0
    made = grid._sheet

    def beaten(*arguments):
        Path("photo-style-grid.png").write_bytes(b"the other's")
        return made(*arguments)

    monkeypatch.setattr(grid, "_sheet", beaten)
    done = run("grid", "photo.png", "style.png", *words, "--shard", "2/2")
    assert done.code == 0 and "another --shard has made photo-style-grid.png" in done.err
    assert Path("photo-style-grid.png").read_bytes() == b"the other's"
    Path("photo-style-grid.png").unlink()
    assert run("grid", "photo.png", "style.png", *words).code == 1, "without shards it is someone else's file"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"columns": "style-wait=1,2"}, "did you mean style-weight"),
        ({"columns": "style-weight"}, "write OPTION=VALUE"),
        ({"columns": "style-weight=1,,2"}, "write OPTION=VALUE"),
        ({"columns": "style-weight=much"}, "must be a number"),
        ({"rows": "style-weight=-1"}, "--style-weight is -1"),
        ({"rows": "color=loud"}, "choose one of"),
        ({"rows": "colors-only=maybe"}, "must be yes or no"),
        ({"rows": "overwrite=yes"}, "no option 'overwrite'"),
        ({"rows": "style-weight=1", "columns": "style-weight=2"}, "is of rows and columns"),
        ({"columns": "seed=" + ",".join(map(str, range(500)))}, "more than 400 cells"),
    ],
)
def test_axes_that_make_no_sense_are_refused(changes, says):
    with pytest.raises(InputError, match=says):
        grid.axes(["a"], ["b"], GridOptions(**changes))


def test_sides_with_two_meanings_are_refused(run, studio):
    with pytest.raises(InputError, match="leave out --rows"):
        grid.axes(["a", "b"], ["c"], GridOptions(rows="seed=1,2"))
    assert run("grid", "photo.png", *TINY).code == 2
    done = run("grid", "-", "style.png", *TINY)
    assert done.code == 1 and "not standard input" in done.err


def test_a_cell_that_is_damaged_or_was_cut_off_by_a_signal_is_painted_anew(run, studio):
    """A kill may come between the writing of an interrupted painting and its removal."""
    words = ("grid", "photo.png", "style.png", *TINY, "--columns", "style-weight=1,2")
    assert run(*words).code == 0
    whole, (first, second) = cells(), sorted(cells())
    image = Image.open(first)
    info = PngInfo()
    info.add_text("styler", json.dumps({**read_recipe(first), "interrupted": True}))
    image.save(first, pnginfo=info)
    assert read_recipe(first)["interrupted"] is True
    second.write_bytes(second.read_bytes()[:50])
    done = run(*words, "--overwrite")
    assert done.code == 0, done.err
    assert cells() == whole


def test_a_grid_that_is_refused_leaves_no_folder(run, studio):
    picture("RGB", (400, 16)).save("thin.png")
    assert "too thin" in run("grid", "thin.png", "style.png", *TINY).err
    assert "cannot be read" in run("grid", "photo.png", "gone.png", *TINY).err
    assert not list(Path().glob("*.cells"))


@pytest.mark.parametrize("inside", [False, True])
def test_a_link_at_the_folder_of_cells_is_not_followed(run, studio, inside):
    foreign = studio / "foreign"
    foreign.mkdir()
    folder = Path("photo-style-grid.png.cells")
    if inside:
        folder.mkdir()
    (folder / "0.png" if inside else folder).symlink_to(foreign)
    done = run("grid", "photo.png", "style.png", *TINY)
    assert done.code == 1 and "is a link, which no grid makes" in done.err and not list(foreign.iterdir())
