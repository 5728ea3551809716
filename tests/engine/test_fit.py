"""fit: that it learns, that a broken run goes on bit for bit, and that bad batches do no harm."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from styler.engine.fit import TrainingState, fit, schedule
from styler.events import TrainStep
from styler.options.shared import TrainingOptions
from styler.storage.runs import load_state, save_state

TARGET = torch.tensor([[1.0, -2.0, 3.0]])


def options(**changes: Any) -> TrainingOptions:
    return TrainingOptions(
        **{"steps": 12, "warmup": 2, "report": 4, "save": 5, "learning_rate": 0.05, **changes}
    )


def numbers(index: int) -> Tensor:
    return torch.randn(32, 3, generator=torch.Generator().manual_seed(index))


class Line(nn.Module):
    """A linear model that also carries a buffer which its training updates."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 3))
        self.register_buffer("seen", torch.zeros(3))


def train(
    chosen: TrainingOptions,
    start: TrainingState | None = None,
    spoil: Callable[[int, Tensor], Tensor] = lambda index, loss: loss,
    optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW,
) -> tuple[Line, list[TrainStep], list[TrainingState]]:
    network = Line()

    def step(index: int, batch: Tensor) -> Mapping[str, Tensor]:
        network.seen.mul_(0.9).add_(batch.mean(0))
        loss = (batch @ (network.weight - TARGET).T + 0.01 * network.seen.sum()).square().mean()
        return {"fit": spoil(index, loss)}

    run = fit(step, numbers, network, [optimizer(network.parameters(), lr=0.5)], chosen, start)
    events: list[TrainStep] = []
    states: list[TrainingState] = []
    while True:
        try:
            event = next(run)
        except StopIteration as stop:
            assert stop.value.step == chosen.steps
            return network, events, states
        (events if isinstance(event, TrainStep) else states).append(event)


def test_learns_a_line() -> None:
    network, events, _ = train(options(steps=200, clip=100.0, report=1))
    torch.testing.assert_close(network.weight.data, TARGET, atol=0.05, rtol=0)
    assert events[-1].losses["fit"] < 1e-3 * events[0].losses["fit"]


def test_reports_every_few_steps_and_at_the_end() -> None:
    _, events, states = train(options(steps=10))
    assert [event.index for event in events] == list(range(1, 11))
    assert [event.index for event in events if event.losses] == [4, 8, 10]
    assert [state.step for state in states] == [5, 10]


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_goes_on_bit_for_bit(optimizer: type[torch.optim.Optimizer]) -> None:
    whole, _, states = train(options(), optimizer=optimizer)
    again, events, ends = train(options(), states[0], optimizer=optimizer)
    assert [state.step for state in states] == [5, 10, 12]
    assert events[0].index == 6
    assert torch.equal(whole.weight, again.weight) and torch.equal(whole.seen, again.seen)
    assert torch.equal(states[-1].norms, ends[-1].norms)


def test_a_saved_state_does_not_change_as_training_goes_on() -> None:
    _, _, states = train(options())
    _, _, short = train(options(steps=12, save=1))
    assert torch.equal(states[0].network["weight"], short[4].network["weight"])
    assert not torch.equal(states[0].network["weight"], states[1].network["weight"])


def test_a_finished_run_has_nothing_left_to_do() -> None:
    whole, _, states = train(options())
    again, events, none = train(options(), states[-1])
    assert not events and not none
    assert torch.equal(whole.weight, again.weight)


@pytest.mark.parametrize("factor", [math.nan, math.inf, 1e6])
def test_a_bad_batch_adds_nothing(factor: float) -> None:
    def spoil(index: int, loss: Tensor) -> Tensor:
        return loss * (factor if index == 6 else 1)

    network, _, states = train(options(save=1), spoil=spoil, optimizer=torch.optim.SGD)
    weights = [state.network["weight"] for state in states]
    assert torch.equal(weights[5], weights[6])
    assert not torch.equal(weights[6], weights[7])
    assert network.weight.isfinite().all()


def test_a_lasting_rise_is_accepted_in_the_end() -> None:
    """Of the gradient: a loss that rises as much is another matter."""

    def spoil(index: int, loss: Tensor) -> Tensor:
        return loss if index < 5 else 1e4 * loss - (1e4 - 1) * loss.detach()

    _, _, states = train(options(steps=80, save=1), spoil=spoil, optimizer=torch.optim.SGD)
    weights = [state.network["weight"] for state in states]
    assert torch.equal(weights[5], weights[6])
    assert not torch.equal(weights[60], weights[70])


def test_a_step_is_no_longer_than_clip() -> None:
    _, _, states = train(options(warmup=0, save=1, clip=0.1), optimizer=torch.optim.SGD)
    assert states[0].network["weight"].norm() == pytest.approx(0.5 * 0.1, rel=1e-5)


def test_rate_rises_and_falls() -> None:
    rates = [schedule(index, options(steps=100, warmup=9)) for index in range(101)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert rates[9] == max(rates) == 1
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[100] == pytest.approx(0)


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_a_linear_fall_takes_the_last_half_and_wastes_no_step(steps: int) -> None:
    rates = [schedule(index, options(steps=steps, warmup=0, decay="linear")) for index in range(steps + 1)]
    assert rates[: steps // 2 + 1] == [1] * (steps // 2 + 1)
    assert rates == sorted(rates, reverse=True)
    assert rates[-2] > 0 and rates[-1] == 0


def test_a_constant_rate_stays() -> None:
    assert {schedule(index, options(steps=50, warmup=0, decay="constant")) for index in range(50)} == {1}


def test_all_optimizers_step() -> None:
    network = nn.ModuleDict({"left": nn.Linear(3, 1), "right": nn.Linear(3, 1)})
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in network.values()]

    def step(index: int, batch: Tensor) -> Mapping[str, Tensor]:
        return {name: part(batch).square().mean() for name, part in network.items()}

    list(fit(step, numbers, network, optimizers, options(steps=1)))
    assert all(not torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_state_survives_the_disk(tmp_path: Path) -> None:
    whole, _, states = train(options())
    save_state(tmp_path / "run", vars(states[0]))
    again, _, _ = train(options(), TrainingState(**load_state(tmp_path / "run")))
    assert torch.equal(whole.weight, again.weight) and torch.equal(whole.seen, again.seen)
