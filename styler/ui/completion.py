"""Shell completion of the names of networks and of styles, without torch."""

from __future__ import annotations

from collections.abc import Collection

import click
from click.shell_completion import CompletionItem

from styler.storage.models import shelf

FEATURE_NETWORKS = ("compact", "vgg19", "vgg16", "vgg19-caffe", "vgg16-caffe", "squeezenet")
"""Those of `styler weights list`, of which the table cannot be read without torch."""


def networks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Installed networks, each with a summary; files where no name begins so."""
    return _offered(incomplete, ("transform", "texture", "translate", "enlarge"))


def painters(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Installed networks with styles."""
    return _offered(incomplete, ("transform", "texture"))


def starts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Installed networks with styles, and these styles; files where no name begins so."""
    offered = painters(ctx, param, incomplete)
    known = {item.value for item in offered if item.type == "plain"}
    more = [item for item in styles(ctx, param, incomplete) if item.value not in known]
    return [*(offered if known or not more else []), *more]


def translators(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Installed networks that translate."""
    return _offered(incomplete, ("translate",))


def feature_networks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Networks that are looked through; files where no name begins so."""
    found = [CompletionItem(name) for name in FEATURE_NETWORKS if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def enlargers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Installed networks that enlarge."""
    return _offered(incomplete, ("enlarge",))


def _offered(incomplete: str, kinds: Collection[str]) -> list[CompletionItem]:
    found = [
        CompletionItem(entry.model, help=entry.summary)
        for entry in shelf.names()
        if entry.kind in kinds and entry.model.startswith(incomplete) and entry.model.isprintable()
    ]
    return found or [CompletionItem(incomplete, type="file")]


def styles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Styles of installed networks, or of `--model`; after `waves:0.6,i` those that begin with i."""
    before, comma, begun = incomplete.rpartition(",")
    model = ctx.params.get("model")
    entries = [entry for entry in shelf.names() if not model or entry.model == model]
    found = {style: entry.model for entry in reversed(entries) for style in entry.styles}
    return [
        CompletionItem(before + comma + style, help=f"of {name}")
        for style, name in sorted(found.items())
        if style.startswith(begun)
    ]
