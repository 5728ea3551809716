"""Kinds of trained networks: fields come back from a file, and lies are refused before anything is built."""

import json

import pytest
from nets import architecture

from styler.networks.kinds import ARCHITECTURES, described, empty
from styler.networks.texture import TextureArchitecture
from styler.plans import KINDS

CONFIGS = {
    "johnson": ("transform", architecture("johnson", width=8, styles=3)),
    "texture": ("texture", TextureArchitecture(styles=2)),
    "unet": ("translate", architecture("unet", width=8, dropout=(1, 2))),
    "encoder-decoder": ("translate", architecture("encoder-decoder", slope=0.2)),
    "residual": ("translate", architecture("residual", outputs=1)),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_comes_back_from_json(name):
    kind, config = CONFIGS[name]
    network = empty(kind, json.loads(json.dumps(described(config))))
    assert network.config == config and next(network.parameters()).device.type == "meta"


def test_every_architecture_has_a_kind():
    assert {name for kind in KINDS.values() for name in kind.architectures} == ARCHITECTURES.keys()


@pytest.mark.parametrize(
    ("kind", "config", "told"),
    [
        ("transform", CONFIGS["unet"][1], "architecture is 'unet'"),
        ("translate", CONFIGS["texture"][1], "architecture is 'texture'"),
        ("transform", CONFIGS["residual"][1], "styles is 0"),
        ("translate", CONFIGS["johnson"][1], "styles is 3"),
        ("translate", architecture("residual", halvings=13), "halvings is 13"),
        ("translate", architecture("residual", kernel=8), "kernel is 8"),
        ("translate", architecture("unet", dropout=[]), None),
        ("translate", architecture("unet", dropout=(0,)), "dropout is"),
        ("translate", architecture("unet", slope=float("nan")), "slope is nan"),
    ],
)
def test_fields_are_checked(kind, config, told):
    if told is None:
        assert empty(kind, described(config)).config.dropout == ()
        return
    with pytest.raises(ValueError, match=told):
        empty(kind, described(config))
