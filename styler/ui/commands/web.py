"""The command of the page."""

from __future__ import annotations

from importlib.util import find_spec

import click

from styler.errors import InputError
from styler.options.web import WebOptions
from styler.storage.names import install
from styler.ui import help
from styler.ui.flags import options_of, talking
from styler.ui.follow import Settings, run_job

_EXTRA = ("starlette", "uvicorn")


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
    if not all(map(find_spec, _EXTRA)):
        raise InputError(f"the page needs two small packages: {install('web')}")
    from styler.web.server import serve

    run_job(settings, lambda interrupt: serve(options, interrupt))
    return 0
