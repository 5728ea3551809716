from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from styler.errors import InputError
from styler.options import fast, optimize, translate
from styler.options.fast import FAST_PRESETS, FastOptions, TrainFastOptions
from styler.options.fields import (
    Options,
    again,
    format_layers,
    format_range,
    format_size,
    parse_layers,
    parse_range,
    parse_size,
)
from styler.options.optimize import OptimizeOptions
from styler.options.shared import SolverOptions, TrainingOptions
from styler.options.translate import TRANSLATE_PRESETS, EdgeOptions, TrainTranslateOptions

CLASSES = sorted(
    {
        kind
        for module in (fast, optimize, translate)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Options)
    },
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize(("text", "size"), [("512", 512), ("800x600", (600, 800)), ("full", None)])
def test_sizes_are_a_long_side_a_box_or_the_inputs_own(text, size):
    assert parse_size(text) == size and format_size(size) == text


@pytest.mark.parametrize(
    "text",
    ["", "8", "15", "-5", "1e3", "half", "8x40", "40x8", "40x", "x40", "40x40x40", "512 ", "٥١٢"],
)
def test_other_sizes_are_refused(text):
    with pytest.raises(InputError, match=f"^'{text}' is no size: write the long side"):
        parse_size(text)


@pytest.mark.parametrize("text", ["1000000", "99999999", "40x1000000"])
def test_a_size_too_large_has_the_bound_in_its_message(text):
    with pytest.raises(InputError, match=f"^'{text}' is too large a size: 999999 pixels is the most"):
        parse_size(text)


@pytest.mark.parametrize("size", [15, (600, 8), (8, 600), -1])
def test_sizes_are_checked_when_options_are_built(size):
    for kind in (OptimizeOptions, FastOptions, TrainFastOptions):
        name = "style_size" if kind is TrainFastOptions else "size"
        with pytest.raises(InputError, match=f"^{name}: .* is no size"):
            kind(**{name: size})
        with pytest.raises(InputError, match=f"^--{name.replace('_', '-')}: .* is no size"):
            kind.of({name: size})


@pytest.mark.parametrize(
    ("text", "ends"), [("2", (2, 2)), ("1-3", (1, 3)), (" 0.5 - 2.5 ", (0.5, 2.5)), (".5", (0.5, 0.5))]
)
def test_a_range_is_a_number_or_two(text, ends):
    assert parse_range(text) == ends and parse_range(format_range(ends)) == ends


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "1-", "1-2-3", "1e9", "nan", "inf"])
def test_other_ranges_are_refused(text):
    with pytest.raises(InputError, match="is no range"):
        parse_range(text)


@pytest.mark.parametrize(
    ("sigma", "says"),
    [((0.0, 1.0), "is 0"), ((0.2, 0.2), "is 0.2"), ((1.0, 99.0), "is 99"), ((3.0, 1.0), "'3-1' is no range")],
)
def test_both_ends_of_a_range_are_within_the_bounds(sigma, says):
    with pytest.raises(InputError, match=f"^sigma:? {says}"):
        EdgeOptions(sigma=sigma)


@given(st.dictionaries(st.sampled_from(["relu1_1", "relu2_1", "conv3_4"]), st.floats(0, 1e6), min_size=1))
def test_layers_come_back_from_their_text(weights):
    layers = (*weights.items(), ("relu5_1", 1.0))
    assert parse_layers(format_layers(layers)) == layers


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("relu1_1,relu1_1", "layer relu1_1 is given twice"),
        ("relu1_1:", "'relu1_1:' is no layer with a weight"),
        (":1", "':1' is no layer with a weight"),
        ("relu1_1:0", "the weights of 'relu1_1:0' sum to nothing usable"),
        ("relu1_1:1e308,relu2_1:1e308", "sum to nothing usable"),
    ],
)
def test_what_is_wrong_with_layers_is_said(text, says):
    with pytest.raises(InputError, match=says):
        parse_layers(text)


def test_a_value_just_out_of_bounds_is_shown_in_full():
    with pytest.raises(InputError, match=r"is 1.0000001; it must be a finite number, at least 0, at most 1$"):
        FastOptions(strength=1.0000001)


@pytest.mark.parametrize(
    ("kind", "zeros"),
    [
        (OptimizeOptions, ("style", "content")),
        (TrainFastOptions, ("style", "content", "grid")),
        (TrainTranslateOptions, ("gan", "l1")),
    ],
)
def test_a_loss_without_weights_is_refused(kind, zeros):
    with pytest.raises(InputError, match="all weights are 0, so"):
        kind(**{f"{name}_weight": 0.0 for name in zeros})
    for name in zeros:  # too small for float32 to tell from 0 beside others
        with pytest.raises(InputError, match=f"{name}_weight is 1e-300, which counts as 0"):
            kind(**{f"{name}_weight": 1e-300})
    with pytest.raises(InputError, match=r"is 1e\+30; .* at most 1e\+09$"):
        kind(**{f"{zeros[0]}_weight": 1e30})


def test_a_texture_is_not_compared_with_photos():
    with pytest.raises(InputError, match="all weights are 0"):
        TrainFastOptions(network="texture", style_weight=0.0)


def test_a_field_again_has_another_default_and_the_same_bounds():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Few(SolverOptions):
        steps: int = again(SolverOptions, "steps", 7)
        history: int = again(SolverOptions, "history", 3, "Little.")

    steps, history = (f for f in dataclasses.fields(Few) if f.name in ("steps", "history"))
    assert Few().steps == 7 and steps.metadata["help"].startswith("Steps at the last scale")
    assert Few().history == 3 and history.metadata["help"] == "Little."
    with pytest.raises(InputError, match=r"^steps is 0; it must be a finite number, at least 1"):
        Few(steps=0)


@pytest.mark.parametrize("kind", CLASSES)
def test_options_come_back_from_plain_data(kind):
    options = kind()
    assert kind.of(options.plain()) == options and options.changed() == {}
    assert all(isinstance(value, str | int | float | list | None) for value in options.plain().values())


def test_what_changed_is_plain_and_leaves_out_what_does_not_change_the_picture():
    options = OptimizeOptions(size=(600, 800), quality=3, style_layers=(("relu1_1", 0.5),))
    assert options.changed() == {"size": "800x600", "style_layers": "relu1_1:0.5"}


@pytest.mark.parametrize(
    ("kind", "presets"), [(TrainFastOptions, FAST_PRESETS), (TrainTranslateOptions, TRANSLATE_PRESETS)]
)
def test_presets_are_values_of_the_options(kind, presets):
    assert issubclass(kind, TrainingOptions) and presets["laptop"] == {}
    for values in presets.values():
        kind(**values)
