"""Commands of this machine: `styler doctor`, `styler weights`, and the page of `styler web`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from styler.errors import InputError
from styler.options.web import WebOptions
from styler.storage.names import install
from styler.ui import help
from styler.ui.flags import options_of, require_inputs, talking
from styler.ui.follow import Settings, console_of, run_job


@click.command(cls=help.Command)
@talking
@click.pass_obj
def doctor(settings: Settings) -> int:
    """Check the installation: versions, devices, memory, codecs and weights.

    \b
    styler doctor
    """
    from styler.storage import doctor as health

    findings = health.report()
    rows = [(finding.level, finding.area, finding.text) for finding in findings]
    console_of(settings).table("styler doctor", ("", "area", "finding"), rows)
    return int(any(finding.level == "bad" for finding in findings))


@click.group(cls=help.Group)
def weights() -> None:
    """List, fetch, check and add network weights."""


@weights.command("list")
@talking
@click.pass_obj
def list_weights(settings: Settings) -> None:
    """List the networks that styler knows, and which of them are installed.

    \b
    styler weights list
    """
    from styler.storage.models import vgg
    from styler.storage.models.known import WEIGHTS

    rows = [
        (name, vgg.describe(name), f"{known.bytes / 1e6:.0f} MB" if known.bytes else "", known.licence)
        for name, known in WEIGHTS.items()
    ]
    console_of(settings).table("Network weights", ("name", "installed", "download", "licence"), rows)


@weights.command()
@click.argument("name")
@talking
@click.pass_obj
def path(settings: Settings, name: str) -> None:
    """Print the file that NAME is read from.

    \b
    styler weights path vgg19
    """
    from styler.storage.models import vgg

    console_of(settings).text(str(vgg.locate(name)))


@weights.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@talking
@click.pass_obj
def verify(settings: Settings, names: Sequence[str]) -> int:
    """Check the hashes and values of weights; of all that are installed if no NAME is given.

    \b
    styler weights verify
    """
    from styler.storage.models import vgg
    from styler.storage.models.known import WEIGHTS

    states = {name: vgg.verify(name) for name in names or WEIGHTS}
    found = {name: state for name, state in states.items() if names or state != "missing"}
    console_of(settings).table("Network weights", ("name", "state"), list(found.items()))
    return int(any(state != "ok" for state in found.values()))


@weights.command()
@click.argument("name")
@click.option("--url", help="Another address of the same file.")
@click.option("--offline", is_flag=True, help="Refuse to use the network.")
@talking
@click.pass_obj
def fetch(settings: Settings, name: str, url: str | None, offline: bool) -> None:
    """Download the weights NAME, check them and keep the convolutions.

    \b
    styler weights fetch vgg19
    """
    from styler.storage.models import install

    console = console_of(settings)
    console.note(f"{name} is in {console.follow(install.fetch(name, url=url, offline=offline))}")


@weights.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@talking
@click.pass_obj
def add(settings: Settings, name: str, file: Path) -> None:
    """Install the weights NAME from a FILE: torchvision's, Caffe's converted, or styler's own.

    \b
    styler weights add vgg19 vgg19-dcbb9e9d.pth
    """
    require_inputs([str(file)])
    from styler.storage.models import install

    console_of(settings).note(f"{name} is in {install.add(name, file)}")


_PAGE = ("starlette", "uvicorn")
"""Packages that the page needs."""


@click.command(cls=help.Command)
@options_of(WebOptions)
@talking
@click.pass_obj
def web(settings: Settings, options: WebOptions) -> int:
    """Serve a page on this machine to paint, translate and draw in the browser, until Ctrl-C.

    \b
    styler web --open

    Nothing leaves this machine, and all pictures of the page are gone when it ends: download what you like.
    """
    if not all(map(find_spec, _PAGE)):
        raise InputError(f"the page needs two small packages: {install('web')}")
    from styler.web.server import serve

    run_job(settings, lambda interrupt: serve(options, interrupt))
    return 0
