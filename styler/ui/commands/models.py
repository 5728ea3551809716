"""Commands about trained networks: `styler models`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from styler.storage.disk import file_for
from styler.storage.names import pictures
from styler.ui import completion, help
from styler.ui.flags import require_file, talking
from styler.ui.follow import Settings, console_of

if TYPE_CHECKING:
    from torch import Tensor

    from styler.storage.models.library import Card, Entry, Style
    from styler.ui.console import Console

STYLE = click.option(
    "--style",
    default="",
    metavar="NAME[:WEIGHT],...",
    help="Which of its styles.",
    shell_complete=completion.styles,
)
_OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace a file that exists.")


@click.group("models", cls=help.Group, invoke_without_command=True)
@talking
@click.pass_context
def models(ctx: click.Context) -> None:
    """List, show, add, convert and export trained networks: of styles, translators, and for enlarging.

    Without a command it lists those that are installed: the ones that came with styler and your own.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_models)


@models.command("list")
@talking
@click.pass_obj
def list_models(settings: Settings) -> None:
    """List the networks that are installed, with their styles, or with what they translate.

    Below them stand the style pictures that come with styler, which `styler optimize` knows by name.

    \b
    styler models list
    """
    from styler.storage.models import library

    console, entries = console_of(settings), library.installed()
    columns = ("name", "styles", "kind", "size", "licence", "from")
    painted = [
        (name, name, "picture", f"{file.stat().st_size / 1e6:.1f} MB", "MIT", "styler; for styler optimize")
        for name, file in pictures().items()
    ]
    console.table("Trained networks, style pictures", columns, [*map(_row, entries), *painted])
    if not entries:
        console.note("none is installed yet: styler train-fast makes one, styler models add keeps one")
    _draw(console, [(e.card, library.read_thumbnails(e.path)) for e in entries if e.card])


@models.command()
@click.argument("model", metavar="NAME|FILE", shell_complete=completion.networks)
@talking
@click.pass_obj
def show(settings: Settings, model: str) -> None:
    """Show a network's details: styles, licence, credits, training; or what another tool's file holds.

    \b
    styler models show wave
    styler models show mosaic.pth
    """
    path = _located(model)
    from styler.storage.models import library

    console, network = console_of(settings), library.read(path)
    _draw(console, [(network.card, network.thumbnails)])
    origin = {"origin": network.origin} if network.origin else {}
    described = {**_described(network.card), **origin}
    console.text(json.dumps(described, indent=None if settings.get("json") else 2, ensure_ascii=False))


@models.command()
@click.argument("file", metavar="NAME|FILE", shell_complete=completion.networks)
@click.option("--name", help="Its name. [default: the file's name; of a painting that was learned its own]")
@_OVERWRITE
@talking
@click.pass_obj
def add(settings: Settings, file: str, name: str | None, overwrite: bool) -> None:
    """Install a network: `styler fast` then knows its styles, `translate` or `enlarge` its name.

    \b
    styler models add painting.safetensors
    styler models add painting-0123456789ab

    A painting that `styler fast` has learned is kept for good by its NAME in `styler models`.
    """
    path = Path(file) if Path(file).is_file() else _located(file)
    from styler.storage.models import library

    name = name or library.suggested(path)
    console_of(settings).note(f"it is in {library.add(path, name, overwrite)}")


@models.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=completion.networks)
@talking
@click.pass_obj
def remove(settings: Settings, names: Sequence[str]) -> None:
    """Remove networks that you added, or that `styler fast` has learned.

    \b
    styler models remove my-style
    """
    from styler.storage.models import library

    for name in names:
        console_of(settings).note(f"removed {library.remove(name)}")


@models.command()
@click.argument("file", metavar="NAME|FILE", shell_complete=completion.networks)
@click.option("-o", "--output", required=True, metavar="FILE", help="A .safetensors file, or a folder.")
@_OVERWRITE
@talking
@click.pass_obj
def convert(settings: Settings, file: str, output: str, overwrite: bool) -> None:
    """Write a network of another tool in our format (.safetensors), with all its styles.

    \b
    styler models convert mosaic.pth -o mosaic.safetensors
    """
    console, path = console_of(settings), _located(file)
    from styler.storage.models import convert as converting

    output = file_for(output, f"{path.stem}.safetensors")
    origin = converting.convert(path, output, overwrite)
    console.note(f"Wrote {output}, from {origin or 'a network of ours'}")


@models.command()
@click.argument("model", metavar="NAME|FILE", shell_complete=completion.networks)
@click.argument("output", metavar="OUT.onnx|FOLDER")
@STYLE
@click.option(
    "--statistics",
    type=click.Choice(["auto", "picture", "stored"]),
    default="auto",
    show_default=True,
    help="Of a translator's norms: the picture's, or those of the training; auto: as its file says.",
)
@click.option("--detail", type=click.FloatRange(0, 1), help="Of a network that enlarges; see styler enlarge.")
@click.option("--clean", type=click.FloatRange(0, 1), help="Of a network that enlarges; see styler enlarge.")
@_OVERWRITE
@talking
@click.pass_obj
def export(
    settings: Settings,
    model: str,
    output: str,
    style: str,
    statistics: str,
    overwrite: bool,
    detail: float | None,
    clean: float | None,
) -> None:
    """Write a style, a blend, or any other network as ONNX for pictures of any size, checked in onnxruntime.

    \b
    styler models export wave wave.onnx
    styler models export enlarge-x4 x4.onnx --detail 0
    """
    console, path = console_of(settings), _located(model)
    from styler.storage.models import convert as converting

    output = file_for(output, f"{path.stem}.onnx")
    parity = converting.export(path, output, style, statistics, overwrite, detail, clean)
    rows = [(f"{p.width} x {p.height}", f"{255 * p.difference:.4f} of 255") for p in parity]
    console.note(f"Wrote {output}; in onnxruntime it paints noise like this:")
    console.table("styler models export", ("size", "largest difference"), rows)
    for text in converting.left_out(path):
        console.note(f"not in the file: {text}")


def _located(name: str) -> Path:
    """The file of a NAME|FILE; what is neither is refused before torch is loaded."""
    require_file(name)
    from styler.storage.models import find

    return find.locate(name, "")


def _draw(console: Console, models: Iterable[tuple[Card, Tensor | None]]) -> None:
    """Draw thumbnails of models that have some, over the names of their styles."""
    from styler.image.levels import to_unit

    drawn = [(card, to_unit(pictures)) for card, pictures in models if pictures is not None]
    names = [style.name for card, _ in drawn for style in card.styles]
    console.pictures([picture[None] for _, pictures in drawn for picture in pictures], names)


def _row(entry: Entry) -> tuple[object, ...]:
    size = f"{entry.path.stat().st_size / 1e6:.1f} MB" if entry.path.is_file() else ""
    if entry.card is None:
        return entry.name, "", "", size, "", f"{entry.origin}; {entry.problem}"
    card = entry.card
    return entry.name, card.summary, card.kind, size, card.licence, entry.origin


def _style(style: Style) -> dict[str, str]:
    return {key: value for key, value in vars(style).items() if value}


def _described(card: Card) -> dict[str, object]:
    return {
        "kind": card.kind,
        "network": dict(card.network),
        **({"styles": [_style(style) for style in card.styles]} if card.styles else {}),
        "licence": card.licence,
        "information": dict(card.information),
        "sha256": card.sha256,
    }
