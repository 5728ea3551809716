"""Grids of paintings on one labeled sheet: two options, or contents and styles. A generator of events."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
import typing
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from styler.errors import InputError, OutputError
from styler.events import Event, Item, Note
from styler.jobs.optimize import paint_content
from styler.jobs.recipes import Record, prove, record_of
from styler.jobs.records import recipe_of, save
from styler.jobs.studio import Studio, open_studio, remarks
from styler.options.fields import Files, flag_of
from styler.options.optimize import INITS, GridOptions, OptimizeOptions, PaintingOptions
from styler.options.shared import MachineOptions, OutputOptions
from styler.storage import disk
from styler.storage.inputs import STREAM, Job, part, picture_target
from styler.storage.names import display, nearest
from styler.storage.pictures.load import load_picture, read_recipe
from styler.storage.pictures.sheet import sheet
from styler.storage.runs import refuse_links
from styler.storage.styles import weighted

RATIOS = "style-weight=0.1,0.3,1,3,10"
"""The columns where nothing else varies: from the photo to the style."""
_MOST = 400
"""Cells of a grid."""
_CELL = 160
"""Least side in pixels of a sheet's cells, so that labels can be read."""


@dataclass(frozen=True)
class Axis:
    """Labels along a side of a grid, and what changes with each: an option's value, a content or a style."""

    labels: Sequence[str]
    changes: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Cell:
    """A painting of a grid, and the file that keeps it."""

    label: str
    content: str
    style: str
    options: OptimizeOptions
    file: Path

    @property
    def done(self) -> bool:
        """Whether the painting is there whole; a run that was killed may have left a part of it."""
        try:
            return not read_recipe(self.file).get("interrupted")
        except InputError:
            return False


def grid(
    contents: Sequence[str],
    styles: Sequence[str],
    output: str | None,
    options: GridOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Record]:
    """Paint a grid; returns the record of what was done.

    Several contents make the rows, several styles the columns; else options do. Cells are kept in
    OUTPUT.cells, and a cell that is there already is not painted again.

    Args:
        contents: files.
        styles: files.
        output: file, folder or "-"; CONTENT-STYLE-grid.png without one.
        options: of the axes and of every cell.
        stop: asked between steps; once true, the cells that are whole are kept, and no sheet is written; so
            it is while cells of another shard are missing.

    Raises:
        StylerError: of each kind; finished cells are kept.
    """
    begun = time.monotonic()
    styles = yield from _unweighted(styles)
    if STREAM in (*contents, *styles):
        raise InputError("a grid looks at its pictures more than once: give files, not standard input (-)")
    rows, columns = axes(contents, styles, options)
    target = picture_target(output, f"{Path(contents[0]).stem}-{Path(styles[0]).stem}-grid")
    if target == STREAM:
        raise InputError("a grid keeps its cells beside its output: give --output a file")
    cells = _cells(contents, styles, rows, columns, options, Path(f"{target}.cells"))
    mine = part([cell for row in cells for cell in row], options.shard)
    if options.dry_run:
        return (yield from _forecast(mine, target))
    prove(target, options.overwrite, [*contents, *styles])
    with _folder(Path(f"{target}.cells")):
        studio = yield from _paint(mine, stop)
    missing = sum(not cell.done for row in cells for cell in row)
    device = studio.device if studio else options.device
    record = record_of(contents[0], target, options, device, begun, [])
    if missing:
        count, how = len(rows.labels) * len(columns.labels), "the same command goes on"
        if all(cell.done for cell in mine):
            how = "the last --shard makes the sheet"
        yield Note(f"{count - missing} of {count} cells are there; {how}")
        return {**record, "output": None, "message": f"{missing} cells are left"}
    pictures = [[load_picture(cell.file).image for cell in row] for row in cells]
    image = _sheet(pictures, rows, columns)
    try:
        save(target, image, _recipe(contents, styles, image, options), options)
    except OutputError:
        if options.shard.endswith("/1") or not Path(target).exists():
            raise
        return {**record, "output": None, "message": f"another --shard has made {display(target)}"}
    return {**record, "sizes": [list(image.shape[-2:])]}


def _unweighted(words: Sequence[str]) -> Generator[Event, None, list[str]]:
    """Show what there is to say of styles, each of which is alone in its cells; returns their files."""
    pairs = [weighted(word) for word in words]
    notes = [note for style, weight in pairs for note in remarks([style], [weight])]
    yield from map(Note, dict.fromkeys(notes))
    return [style for style, _ in pairs]


# Axes


def axes(contents: Sequence[str], styles: Sequence[str], options: GridOptions) -> tuple[Axis, Axis]:
    """Rows and columns; raises InputError where a side has two meanings, or an option or a value is wrong."""
    if len(contents) > 1 and options.rows:
        raise InputError("several contents are the rows already: leave out --rows, or give one content")
    if len(styles) > 1 and options.columns:
        raise InputError("several styles are the columns already: leave out --columns, or give one style")
    several = len(contents) > 1 or len(styles) > 1
    by_columns = options.columns or ("" if several or options.rows else RATIOS)
    rows = _of_pictures("content", contents) if len(contents) > 1 else axis(options.rows, "--rows")
    columns = _of_pictures("style", styles) if len(styles) > 1 else axis(by_columns, "--columns")
    if len(rows.labels) * len(columns.labels) > _MOST:
        raise InputError(f"the grid would have more than {_MOST} cells: give fewer values")
    names = [name for one in (rows, columns) for name in one.changes[0]]
    if len(set(names)) < len(names):
        raise InputError(f"{flag_of(names[0])} is of rows and columns: give two options")
    return rows, columns


def axis(text: str, flag: str) -> Axis:
    """The axis of `style-weight=0.1,1`; one cell without a label for "".

    Raises InputError for an option that no painting has, and for a value that it cannot have.
    """
    if not text:
        return Axis([""], [{}])
    name, equals, values = text.partition("=")
    field = name.strip().removeprefix("--").replace("-", "_")
    hints = {f.name: hint for f, hint in _varied().items()}
    words = [word.strip() for word in values.split(";" if ";" in values else ",")]
    if not equals or not all(words):
        raise InputError(f"{flag} is '{display(text)}': write OPTION=VALUE,..., as in {RATIOS}")
    if field not in hints:
        known = [name.replace("_", "-") for name in hints]
        raise InputError(f"{flag}: no option '{display(name)}'{nearest(name, known)}")
    changes = [OptimizeOptions.of({field: _value(word, hints[field], flag)}) for word in words]
    return Axis([f"{name.strip()} {word}" for word in words], [{field: getattr(o, field)} for o in changes])


def _varied() -> dict[dataclasses.Field[Any], Any]:
    """Options that make a difference to a painting, with their types."""
    apart = {f.name for kind in (MachineOptions, OutputOptions) for f in dataclasses.fields(kind)} - {"seed"}
    hints = typing.get_type_hints(PaintingOptions)
    fields = (f for f in dataclasses.fields(PaintingOptions) if f.metadata["recipe"] and f.name not in apart)
    return {f: hints[f.name] for f in fields}


def _value(word: str, hint: Any, flag: str) -> Any:
    """A word as a value of a field; texts are parsed by the options themselves."""
    try:
        if hint is bool:
            return {"yes": True, "no": False}[word]
        if hint == Files:  # for one style, so one file
            return (word,)
        return hint(word) if hint in (int, float) else word
    except (ValueError, KeyError) as error:
        wanted = "yes or no" if hint is bool else "a number"
        raise InputError(f"{flag}: '{display(word)}' is no value; it must be {wanted}") from error


def _of_pictures(kind: Literal["content", "style"], files: Sequence[str]) -> Axis:
    return Axis([Path(file).stem for file in files], [{kind: file} for file in files])


# Cells


def _cells(
    contents: Sequence[str],
    styles: Sequence[str],
    rows: Axis,
    columns: Axis,
    options: GridOptions,
    folder: Path,
) -> list[list[Cell]]:
    """All cells; a file's name is a digest of what makes its painting."""
    shared = {f.name: getattr(options, f.name) for f in dataclasses.fields(PaintingOptions)}
    hashes = {file: disk.sha256_of(file) for file in (*contents, *styles)}
    cells: list[list[Cell]] = []
    for down, by_row in zip(rows.labels, rows.changes, strict=True):
        cells.append([])
        for across, by_column in zip(columns.labels, columns.changes, strict=True):
            changes = {**by_row, **by_column}
            content, style = changes.pop("content", contents[0]), changes.pop("style", styles[0])
            chosen = OptimizeOptions(**{**shared, **changes, "overwrite": True, "metadata": True})
            made_of = [hashes[content], hashes[style], chosen.changed()]
            digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
            label = ", ".join(filter(None, (down, across)))
            cells[-1].append(Cell(label, content, style, chosen, folder / f"{digest}.png"))
    return cells


def _forecast(cells: Sequence[Cell], target: str) -> Generator[Event, None, Record]:
    """Show which cells would be painted; returns a record that says how many."""
    todo = [cell for cell in cells if not cell.done]
    for cell in todo:
        pair = f"{Path(cell.content).name} in {Path(cell.style).name}"
        yield Note(": ".join(filter(None, (pair, cell.label))))
    message = f"{display(target)}: {len(todo)} of {len(cells)} cells to paint"
    return {"output": None, "message": message}


def _paint(cells: Sequence[Cell], stop: Callable[[], bool]) -> Generator[Event, None, Studio | None]:
    """Paint the cells that are not there, style by style, so that each is looked at once."""
    todo = sorted((cell for cell in cells if not cell.done), key=_common)
    studio, common = None, ""
    for index, cell in enumerate(todo, 1):
        if stop():
            break
        yield Item(index, len(todo), cell.label)
        if studio is None or common != _common(cell):
            inits = [] if cell.options.init in INITS else [cell.options.init]
            cell.file.parent.mkdir(parents=True, exist_ok=True)
            studio = yield from open_studio([], [cell.style], [1.0], inits, cell.options)
            common = _common(cell)
        job = Job(cell.content, str(cell.file), video=False)
        yield from paint_content(job, dataclasses.replace(studio, options=cell.options), stop)
        if not cell.done:
            cell.file.unlink(missing_ok=True)
    return studio


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Leave no empty folder of cells, and follow no link at it."""
    refuse_links(folder, "grid")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it is not empty, or not there
            folder.rmdir()


def _common(cell: Cell) -> str:
    """What cells have in common that share a network and the pictures of a style."""
    o = cell.options
    layers = [name for name, _ in (*o.style_layers, *o.content_layers)]
    opened = [
        cell.style,
        o.network,
        o.precision,
        o.size,
        o.style_scale,
        o.init,
        o.style_mask,
        o.protect,
        layers,
    ]
    return json.dumps([*opened, o.style_colors])


def _sheet(pictures: Sequence[Sequence[Tensor]], rows: Axis, columns: Axis) -> Tensor:
    sizes = [image.shape[-2:] for row in pictures for image in row]
    cell = max(_CELL, *(size[0] for size in sizes)), max(_CELL, *(size[1] for size in sizes))
    row_labels = list(rows.labels) if any(rows.labels) else []
    column_labels = list(columns.labels) if any(columns.labels) else []
    return sheet(pictures, row_labels=row_labels, column_labels=column_labels, cell=cell)


def _recipe(contents: Sequence[str], styles: Sequence[str], image: Tensor, options: GridOptions) -> Record:
    """Recipe of the sheet."""
    entries = {
        file: {"name": Path(file).name, "sha256": disk.sha256_of(file)} for file in (*contents, *styles)
    }
    return recipe_of(
        "grid",
        options,
        {},
        size=[image.shape[-1], image.shape[-2]],
        contents=[entries[file] for file in contents],
        styles=[entries[file] for file in styles],
    )
