"""Watch: what diverges ends with its best weights, what only rises does not, and a break changes nothing."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from styler.engine.fit import TrainingState, fit
from styler.engine.watch import likely_cause
from styler.errors import DivergedError
from styler.events import TrainStep
from styler.options.fast import TrainFastOptions
from styler.options.shared import TrainingOptions
from styler.options.translate import TrainTranslateOptions

Spoil = Callable[[int], float]


def options(steps: int, rate: float = 1e-3) -> TrainingOptions:
    return TrainingOptions(steps=steps, learning_rate=rate, save=1, warmup=0, decay="constant")


class Counter(nn.Module):
    """A number that each step of SGD takes down by the rate."""

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.ones(()))


def count(
    spoil: Spoil,
    steps: int = 100,
    start: TrainingState | None = None,
    name: str = "loss",
    rivals: tuple[str, ...] = (),
) -> tuple[Counter, dict[int, TrainingState], DivergedError | None]:
    """The network, its states by step, and how it diverged; the loss is the number plus what spoils it."""
    network, states = Counter(), {}
    losses = lambda index, _: {"own": network.number, name: 0 * network.number + spoil(index)}  # noqa: E731
    sgd = torch.optim.SGD(network.parameters(), 1e-3)
    try:
        for event in fit(losses, lambda index: None, network, [sgd], options(steps), start, rivals=rivals):
            if not isinstance(event, TrainStep):
                states[event.step] = event
    except DivergedError as error:
        return network, states, error
    return network, states, None


def test_a_loss_of_a_thousand_times_its_least_for_three_windows_ends() -> None:
    """Windows of two steps; the least mean is that of steps 20 and 21, which has weights of 20 steps."""
    network, states, error = count(lambda index: 2000.0 if index > 20 else 0.0)
    assert str(error) == (
        "training diverged by step 27 (the loss rose from 0.981 to 2e+03): use a smaller --learning-rate"
    )
    assert error.best == 20 and max(states) == 26
    assert torch.equal(network.number.data, states[20].network["number"])


def test_one_bad_window_ends_nothing() -> None:
    assert count(lambda index: 2000.0 if 20 < index < 25 else 0.0)[2] is None


@pytest.mark.parametrize(("rise", "ends"), [(1.2, True), (0.9, False)])
def test_a_loss_that_stays_above_twice_its_least_for_ten_windows_ends(rise: float, ends: bool) -> None:
    network, states, error = count(lambda index: rise if index > 20 else 0.0)
    assert (error is not None) is ends
    if error:
        assert "by step 41 " in str(error) and error.best == 20
        assert torch.equal(network.number.data, states[20].network["number"])


def test_nine_high_windows_do_not_end_it() -> None:
    assert count(lambda index: 5.0 if 20 < index <= 38 else 0.0)[2] is None


def test_a_rival_may_do_better_but_not_lose_all_measure() -> None:
    rise: Spoil = lambda index: 50.0 if index > 20 else 0.0  # noqa: E731
    assert count(rise)[2] is not None
    assert count(rise, name="rival", rivals=("rival",))[2] is None
    assert count(lambda index: 40 * rise(index), name="rival", rivals=("rival",))[2] is not None


def test_a_loss_that_had_nearly_gone_may_come_back_a_little() -> None:
    assert count(lambda index: [100.0, 0.0, 0.9][min(index // 20, 2)] - 0.9)[2] is None


def test_the_first_step_counts_alone() -> None:
    """So that what goes wrong at once goes back to where it began."""
    network, _, error = count(lambda index: 1e6 if index else 0.0)
    assert error is not None and error.best == 0 and network.number.item() == 1


@pytest.mark.parametrize("stop", [1, 20, 21, 24])
def test_a_break_changes_nothing(stop: int) -> None:
    spoil: Spoil = lambda index: 2000.0 if index > 20 else 0.0  # noqa: E731
    network, states, error = count(spoil)
    again, _, same = count(spoil, start=states[stop])
    assert str(same) == str(error) and same.best == error.best
    assert torch.equal(again.number, network.number)


def test_a_state_of_an_earlier_version_can_be_gone_on_from() -> None:
    _, states, _ = count(lambda index: 0.0)
    old = {name: value for name, value in vars(states[5]).items() if name != "watch"}
    assert count(lambda index: 0.0, start=TrainingState(**old))[2] is None


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_run_without_finite_gradients_ends(lost: float) -> None:
    network, _, error = count(lambda index: 0.0, 12)
    step = lambda index, _: {"own": network.number * (lost if index > 3 else 1.0)}  # noqa: E731
    sgd = torch.optim.SGD(network.parameters(), 1e-3)
    with pytest.raises(DivergedError, match=r"by step 7 \(the loss is not finite\)"):
        list(fit(step, lambda index: None, network, [sgd], options(12)))
    assert error is None and network.number.isfinite()


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (TrainFastOptions(), ""),
        (TrainFastOptions(learning_rate=0.004), ""),
        (
            TrainFastOptions(learning_rate=0.1),
            "--learning-rate 0.1 is 100 times the usual 0.001: use a smaller one",
        ),
        (
            TrainFastOptions(style_weight=1e8),
            "--style-weight 1e+08 is 1e+08 times the usual 1: use a smaller one",
        ),
        (
            TrainFastOptions(tv_weight=2000, learning_rate=0.004),
            "--tv-weight 2000 is 2000 times the usual 1: use a smaller one",
        ),
        (
            TrainTranslateOptions(l1_weight=1e6, discriminator_rate=1000),
            "--discriminator-rate 1000 is 1000 times the usual 1: use a smaller one",
        ),
    ],
)
def test_the_cause_is_what_is_farthest_off(chosen: TrainingOptions, text: str) -> None:
    assert likely_cause(chosen) == text


def test_weights_are_copied_once_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    given = Counter.state_dict

    def counted(self: Counter, *args: object, **more: object) -> dict[str, Tensor]:
        copies.append(self)
        return given(self, *args, **more)

    monkeypatch.setattr(Counter, "state_dict", counted)
    network = Counter()
    sgd = torch.optim.SGD(network.parameters(), 1e-3)
    chosen = TrainingOptions(steps=1000, save=1000, warmup=0)
    list(fit(lambda index, _: {"own": network.number}, lambda index: None, network, [sgd], chosen))
    assert len(copies) == 1 + 999 // 20 + 1  # the first step, each window, the state at the end
