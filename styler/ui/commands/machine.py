"""Commands about this machine."""

from __future__ import annotations

import click

from styler.ui.flags import talking
from styler.ui.settings import Settings, console_of


@click.command()
@talking
@click.pass_obj
def doctor(settings: Settings) -> int:
    """Tell versions, devices, memory, codecs and weights, and what is wrong with them."""
    from styler.storage import doctor as health

    findings = health.report()
    rows = [(finding.level, finding.area, finding.text) for finding in findings]
    console_of(settings).table("styler doctor", ("", "area", "finding"), rows)
    return int(any(finding.level == "bad" for finding in findings))
