"""Foreign networks that `styler distill` may learn from, besides a whole VGG-19."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from styler.errors import WeightsError
from styler.features import Extractor
from styler.networks.vgg import Normalization, convolution_names
from styler.storage import disk
from styler.storage.names import display

Map = tuple[Tensor, Tensor]
"""Weight [C_wide, C] and bias [C_wide] that lead from narrow to wide channels."""


def read_collaborative(path: Path | str) -> tuple[Extractor, dict[str, Map]]:
    """The narrow VGG-19 of Collaborative Distillation (Wang et al. 2020), and its maps by layer.

    Its keys are `conv11.weight`, ..., `conv51_aux.bias`; a first 1x1 convolution, `conv0`, turns RGB in
    [0, 1] into what conv1_1 wants and is folded into it here.

    Raises:
        WeightsError: for a file of another kind.
    """
    with disk.open_input(path) as file:
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
            state = state.get("model", state)
            pairs = {name: _pair(state, name.replace("_", "")) for name in convolution_names("compact")}
            maps = {f"relu{b}_1": _pair(state, f"conv{b}1_aux") for b in range(1, 6)}
            mix, shift = _pair(state, "conv0")
        except Exception as error:  # decoding a foreign file: torch raises a dozen kinds
            raise WeightsError(
                f"{display(path)} is not a network of Collaborative Distillation "
                f"({type(error).__name__}): give a file such as its 5SE.pth"
            ) from error
    weight, bias = pairs["conv1_1"]
    folded = torch.einsum("oikl,ij->ojkl", weight, mix[:, :, 0, 0])
    pairs["conv1_1"] = folded, bias + torch.einsum("oikl,i->o", weight, shift)
    plain = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    flat = {layer: (weight[:, :, 0, 0], bias) for layer, (weight, bias) in maps.items()}
    return Extractor("compact", pairs, plain, "reflect"), flat


def _pair(state: Mapping[str, Tensor], name: str) -> Map:
    return state[f"{name}.weight"].float(), state[f"{name}.bias"].float()
