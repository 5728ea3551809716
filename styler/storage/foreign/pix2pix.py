"""Other tools' translators, read into ours exactly, whatever they call their parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import count, takewhile
from pathlib import Path
from typing import NamedTuple, cast

from torch import nn

from styler.networks.kinds import PictureArchitecture, PictureNetwork, described, empty
from styler.networks.unet import UNetArchitecture
from styler.options.translate import GeneratorNorm
from styler.plans import PIX2PIX, ResidualArchitecture
from styler.storage.cards import Translation
from styler.storage.foreign import read
from styler.storage.foreign.adopt import (
    COUNTER,
    Endings,
    ForeignLayout,
    ForeignNorms,
    LayerNames,
    fill,
    kernel,
    layers,
)
from styler.storage.foreign.read import Refusal, StateDict, complain

_OTHERS = {
    r"model1_1\.1\.weight": "pix2pixHD's local enhancer, of which only the global generator is known here",
    r"(model|net)\.0\.weight|(scale\d_)?layer0\.0\.weight": "a discriminator: give the generator (net_G)",
}
"""What files hold that come with translators, by a key."""

_Keys = Collection[str]


class _ForeignTranslator(NamedTuple):
    """A network of another tool, what its file was in words, and what is known of its use."""

    network: PictureNetwork
    origin: str
    about: Translation


@dataclass(frozen=True, kw_only=True)
class _TranslatorLayout(ForeignLayout):
    """How a tool stores pix2pix's generators.

    Attributes:
        mark: what one key at least matches in its files, and none in those of the layouts after it.
        config: of the keys, an architecture without channels and norm, which shapes show.
        names: of the layers of such an architecture, in the order in which they work.
        dropout: whether it was trained with dropout; None where the keys do not show it.
        plain: the norm where norms have no parameters; None: instance norm if convolutions have biases.
        decoder_first: whether on the way up the channels from below come before those of the skip.
        note: what is lost.
    """

    mark: str
    config: Callable[[_Keys], PictureArchitecture]
    names: Callable[[PictureArchitecture], list[LayerNames]]
    dropout: Callable[[PictureArchitecture], bool | None]
    plain: GeneratorNorm | None = None
    decoder_first: bool = False
    note: str = ""


def knows(state: StateDict) -> bool:
    """Whether these are the tensors of a translator, or of a part of one."""
    return _recognized(state) is not None or _other(state) is not None


def adopt(path: Path | str, state: StateDict) -> _ForeignTranslator:
    """Make the network that has these tensors of a file.

    Raises:
        CheckpointError: if anything is left over, missing, misshapen or not finite.
    """
    with read.refusing(path):
        layout = _recognized(state)
        if layout is None:
            raise Refusal(f"holds {_other(state)}")
        shape = layout.config(state)
        _empty(shape)  # which refuses strange numbers of layers
        names = layout.names(shape)
        norms = _norms(layout, names, state)
        unused = _unused(layout, names, norms, state)
        state = {key: tensor for key, tensor in state.items() if key not in unused}
        network = _empty(_with_channels(shape, layout, names, norms, state))
        fill(network, layout, names, norms, state)
    if layout.decoder_first:
        _put_skips_first(network)
    about = Translation(dropout=layout.dropout(shape), color="grey" if network.config.outputs == 1 else "rgb")
    dropped = sum(not key.endswith(COUNTER) for key in unused)
    return _ForeignTranslator(network, _origin(layout, network.config, about, dropped), about)


def _recognized(keys: _Keys) -> _TranslatorLayout | None:
    return next((one for one in LAYOUTS if any(re.fullmatch(one.mark, key) for key in keys)), None)


def _other(state: StateDict) -> str | None:
    """What a file is that is no generator but comes with one."""
    return next(
        (what for mark, what in _OTHERS.items() if any(re.fullmatch(mark, key) for key in state)), None
    )


def _norms(layout: _TranslatorLayout, names: list[LayerNames], state: StateDict) -> ForeignNorms:
    """Told by what there is of the first norm, and by a bias anywhere but at the end, where all have one."""
    endings = layout.endings
    norm = next((own.norm for own in names if own.norm), "")
    biased = any(own.conv + endings.bias in state for own in names[:-1])
    if norm + endings.gain in state:
        return ForeignNorms("batch" if norm + endings.mean in state else "instance", True, biased)
    return ForeignNorms(layout.plain or ("instance" if biased else "none"), False, biased)


def _unused(
    layout: _TranslatorLayout, names: list[LayerNames], norms: ForeignNorms, state: StateDict
) -> set[str]:
    """Keys of norms that do nothing: counters, and statistics, which PyTorch before 0.4 kept for any norm."""
    statistics = (layout.endings.mean, layout.endings.variance) if norms.kind == "instance" else ()
    return {own.norm + ending for own in names for ending in (COUNTER, *statistics)} & state.keys()


def _with_channels(
    config: PictureArchitecture,
    layout: _TranslatorLayout,
    names: list[LayerNames],
    norms: ForeignNorms,
    state: StateDict,
) -> PictureArchitecture:
    """The whole architecture, by the shapes of the first and the last convolution."""
    ends = [own.conv + layout.endings.weight for own in (names[0], names[-1])]
    complain("lacks", [key for key in ends if key not in state])
    complain("has misshapen", [key for key in ends if state[key].dim() != 4])
    first, last = (kernel(layout, state[key]) for key in ends)
    width, inputs = first.shape[:2]
    if isinstance(config, ResidualArchitecture):
        return replace(config, width=width, inputs=inputs, outputs=last.shape[0], norm=norms.kind)
    outputs = last.shape[1 if config.last == "same" else 0]
    return replace(config, width=width, inputs=inputs, outputs=outputs, norm=norms.kind, bias=norms.biased)


def _empty(config: PictureArchitecture) -> PictureNetwork:
    try:
        return cast(PictureNetwork, empty("translate", described(config)))
    except ValueError as error:
        raise Refusal(f"is no generator that can be used here: its {error}") from error


def _put_skips_first(network: PictureNetwork) -> None:
    """Swap the halves of the inputs of all layers that see a skip: those on the way up but the first."""
    for layer in layers(network)[network.config.halvings + 1 :]:
        channels = 0 if isinstance(layer.conv, nn.ConvTranspose2d) else 1
        weight = layer.conv.weight
        layer.conv.weight = nn.Parameter(weight.detach().roll(weight.shape[channels] // 2, channels))


def _origin(layout: _TranslatorLayout, config: PictureArchitecture, about: Translation, dropped: int) -> str:
    """The sentence on what a file was."""
    depth = f", {config.blocks} blocks" if isinstance(config, ResidualArchitecture) else ""
    dropout = {True: "with dropout", False: "without dropout", None: "dropout unknown"}[about.dropout]
    norm = "no" if config.norm == "none" else config.norm
    lost = [layout.note] if layout.note else []
    if dropped:
        lost.append(f"dropped {dropped} running statistics")
    return (
        f"{layout.name}, {config.halvings} halvings{depth}, width {config.width}, {norm} norm, "
        f"{config.inputs} to {config.outputs} channels, {dropout}"
    ) + (f" ({'; '.join(lost)})" if lost else "")


# Layouts


def _length(keys: _Keys, name: Callable[[int], str], first: int) -> int:
    """How many of the keys name(first), name(first + 1), ... there are without a gap."""
    return sum(1 for _ in takewhile(lambda number: name(number) in keys, count(first)))


def _level(level: int) -> str:
    """The block of junyanz's U-Net between `level` halvings and one more, which is within that before it."""
    return "model.model" + (".1.model" if level else "") + ".3.model" * (level - 1)


def _nested(keys: _Keys) -> UNetArchitecture:
    halvings = 1 + _length(keys, lambda level: f"{_level(level)}.1.weight", 1)
    return UNetArchitecture(halvings=halvings, dropout=tuple(range(2, halvings - 3)))


def _nested_names(config: PictureArchitecture) -> list[LayerNames]:
    deepest = _level(config.halvings - 1)
    between = [_level(level) for level in range(1, config.halvings - 1)]
    down = [LayerNames(f"{level}.1", f"{level}.2") for level in between]
    up = [LayerNames(f"{level}.5", f"{level}.6") for level in reversed(between)]
    innermost = [LayerNames(f"{deepest}.1"), LayerNames(f"{deepest}.3", f"{deepest}.4")]
    return [LayerNames("model.model.0"), *down, *innermost, *up, LayerNames("model.model.3")]


_BLOCK = r"model\.(\d+)\.conv_block\.(\d+)\.weight"


def _row(keys: _Keys) -> ResidualArchitecture:
    """Of a residual network that is one row of modules."""
    matches = [match for match in (re.fullmatch(_BLOCK, key) for key in keys) if match]
    start = min(int(match[1]) for match in matches)
    dropout = not any(match[2] == "5" for match in matches)
    blocks = _length(keys, lambda index: f"model.{index}.conv_block.1.weight", start)
    halvings = (start - 4) // 3
    return replace(PIX2PIX, halvings=halvings, blocks=blocks, dropout=dropout)


def _row_names(config: PictureArchitecture) -> list[LayerNames]:
    assert isinstance(config, ResidualArchitecture)
    start = 4 + 3 * config.halvings
    end = start + config.blocks
    after = end + 3 * config.halvings
    second = 6 if config.dropout else 5  # dropout is a module too
    blocks = [
        LayerNames(f"model.{n}.conv_block.{part}", f"model.{n}.conv_block.{part + 1}")
        for n in range(start, end)
        for part in (1, second)
    ]
    down, up = (
        [LayerNames(f"model.{n}", f"model.{n + 1}") for n in way]
        for way in (range(1, start, 3), range(end, after, 3))
    )
    return [*down, *blocks, *up, LayerNames(f"model.{after + 1}")]


def _numbered(keys: _Keys) -> UNetArchitecture:
    """ReLUs before the skips, a last layer of its own."""
    halvings = _length(keys, lambda number: f"down{number}.model.0.weight", 1)
    return UNetArchitecture(halvings=halvings, dropout=(1, 2, 3, 4), slope=0.2, last="shifted")


def _numbered_names(config: PictureArchitecture) -> list[LayerNames]:
    down, up = (
        [LayerNames(f"{way}{number}.model.0", f"{way}{number}.model.1") for number in range(1, count)]
        for way, count in (("down", config.halvings + 1), ("up", config.halvings))
    )
    bare = {0, config.halvings - 1}  # the first and the innermost have no norms
    down = [LayerNames(own.conv) if level in bare else own for level, own in enumerate(down)]
    return [*down, *up, LayerNames("final.2")]


def _paths(keys: _Keys) -> UNetArchitecture:
    """Paths of TensorFlow's, a norm on the bottleneck."""
    halvings = _length(keys, lambda number: f"generator/encoder_{number}/conv2d/kernel", 1)
    return UNetArchitecture(halvings=halvings, bottleneck_norm=True)


def _path_names(config: PictureArchitecture) -> list[LayerNames]:
    down, up = (
        [
            LayerNames(f"{path}_{n}/{conv}", f"{path}_{n}/batch_normalization" if n > 1 else "")
            for n in range(1, config.halvings + 1)
        ]
        for path, conv in (("generator/encoder", "conv2d"), ("generator/decoder", "conv2d_transpose"))
    )
    return [*down, *reversed(up)]


_ROW = _TranslatorLayout(
    name="junyanz residual network",
    mark=r"model\.10\.conv_block\.1\.weight",
    config=_row,
    names=_row_names,
    dropout=lambda config: bool(config.dropout),
)
LAYOUTS = (
    _TranslatorLayout(
        name="junyanz U-Net",
        mark=r"model\.model\.1\.model\.1\.weight",
        config=_nested,
        names=_nested_names,
        dropout=lambda config: None if config.dropout else False,  # few halvings have no place for it
    ),
    _ROW,
    replace(_ROW, name="pix2pixHD global generator", mark=_BLOCK),
    _TranslatorLayout(
        name="eriklindernoren U-Net",
        mark=r"down1\.model\.0\.weight",
        config=_numbered,
        names=_numbered_names,
        dropout=lambda config: True,
        plain="instance",
        decoder_first=True,
        note="the dropout of its way down is left out",
    ),
    _TranslatorLayout(
        name="affinelayer U-Net",
        mark=r"generator/encoder_1/conv2d/kernel",
        config=_paths,
        names=_path_names,
        dropout=lambda config: True,
        endings=Endings("/kernel", "/bias", "/gamma", "/beta", "/moving_mean", "/moving_variance"),
        channels_last=True,
        decoder_first=True,
    ),
)
"""In the order in which they are looked for."""
