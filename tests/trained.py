"""Trained networks of each kind with random values, fully described, for the tests of their files."""

import dataclasses

import torch
from nets import architecture

from styler.networks.kinds import build, described
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.plans import ResidualArchitecture
from styler.storage.cards import Card, Style, Translation
from styler.storage.models import library
from styler.storage.models.library import Model

INK, WAVES = Style("ink"), Style("big-waves", "The Great Wave", "Hokusai", "public domain", "https://x.org")


def model(*styles, width=2, licence="MIT", thumbnails=True):
    """A network with random values; fully described."""
    styles = styles or (INK, WAVES)
    network = ResidualNetwork(ResidualArchitecture(width=width, styles=len(styles)))
    return filled(network, Card("transform", described(network.config), styles, licence), thumbnails)


def translator(**changes):
    made = architecture(**{"width": 2, "halvings": 2, "dropout": (1,), **changes})
    about = Translation(direction="AtoB", batch=4, dropout=True, condition={"name": "edges", "sigma": [1, 2]})
    card = Card("translate", described(made), (), "MIT", about.information)
    made = filled(build(made), card, False)
    information = {**made.card.information, **about.information}
    return dataclasses.replace(made, card=dataclasses.replace(made.card, information=information))


def install_fronts(labels):
    """Install a translator of labels (name -> "#rrggbb"), called fronts."""
    made = translator(dropout=())
    about = Translation(direction="AtoB", dropout=False, inputs="labels", outputs="front", labels=labels)
    card = dataclasses.replace(made.card, information=about.information)
    library.folder().mkdir(parents=True, exist_ok=True)
    library.write(library.folder() / "fronts.safetensors", dataclasses.replace(made, card=card))


def texture():
    network = TextureNetwork(TextureArchitecture(scales=2, channels=2))
    return filled(network, Card("texture", described(network.config), (INK,), "MIT"), False)


def filled(network, card, thumbnails):
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw).half())
    size = (len(card.styles), 3, 5, 7)
    pictures = torch.randint(256, size, dtype=torch.uint8, generator=draw) if thumbnails else None
    return Model(network, dataclasses.replace(card, information={"steps": 7, "losses": [0.5]}), pictures)
