"""Shell completion of the names of trained networks and of styles."""

from __future__ import annotations

from collections.abc import Collection

import click
from click.shell_completion import CompletionItem


def networks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Installed networks, each with a summary; files where no name begins so."""
    return _offered(incomplete, ("transform", "texture", "translate"))


def painters(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Installed networks with styles."""
    return _offered(incomplete, ("transform", "texture"))


def translators(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Installed networks that translate."""
    return _offered(incomplete, ("translate",))


def _offered(incomplete: str, kinds: Collection[str]) -> list[CompletionItem]:
    from styler.storage.models import library

    found = [
        CompletionItem(entry.name, help=entry.card.summary)
        for entry in library.installed()
        if entry.card and entry.card.kind in kinds and entry.name.startswith(incomplete)
        if entry.name.isprintable()
    ]
    return found or [CompletionItem(incomplete, type="file")]


def styles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Styles of installed networks, or of `--model`; after `waves:0.6,i` those that begin with i."""
    from styler.storage.models import library

    before, comma, begun = incomplete.rpartition(",")
    model = ctx.params.get("model")
    entries = [entry for entry in library.installed() if not model or entry.name == model]
    cards = [(entry.name, entry.card) for entry in entries if entry.card]
    found = {style.name: name for name, card in reversed(cards) for style in card.styles}
    return [
        CompletionItem(before + comma + style, help=f"of {name}")
        for style, name in sorted(found.items())
        if style.startswith(begun)
    ]
