"""Training of a network by gradient steps, bit for bit repeatable from a saved state."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from styler.engine.watch import Watch
from styler.events import TrainStep
from styler.losses.perceptual import total
from styler.options.shared import TrainingOptions
from styler.processes import ALONE, Group

B = TypeVar("B")

_SPIKE = 10.0
"""A gradient this many times its usual norm is left out: one bad batch must not undo many good ones."""

AVERAGE_EVERY = 8
"""Steps between two updates of the averaged weights: each costs as much as an optimizer's step."""


@dataclass(frozen=True)
class TrainingState:
    """Copies of all that `fit` needs to go on bit for bit after `step` steps.

    Attributes:
        step: steps done.
        network: its state dict.
        optimizers: their state dicts.
        norms: the usual gradient norm of each optimizer.
        watch: see `Watch.state`.
    """

    step: int
    network: Mapping[str, Tensor]
    optimizers: Sequence[dict[str, Any]]
    norms: Tensor
    watch: Mapping[str, Any] = field(default_factory=dict)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, index: int) -> None:
    """Update the exponential moving average of a network's weights, before step `index`.

    `decay` is the average's share at each step, which is less in the first steps.
    """
    if index % AVERAGE_EVERY:
        return
    count = index // AVERAGE_EVERY
    share = min(decay**AVERAGE_EVERY, count / (count + 10))  # the first weights are random
    weights = network.state_dict()
    for name, value in average.state_dict().items():
        value.lerp_(weights[name], 1 - share)


def fit(
    step: Callable[[int, B], Mapping[str, Tensor]],
    batches: Callable[[int], B],
    network: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    options: TrainingOptions,
    start: TrainingState | None = None,
    stop: Callable[[], bool] = lambda: False,
    group: Group = ALONE,
    rivals: Collection[str] = (),
) -> Generator[TrainStep | TrainingState, None, TrainingState]:
    """Train `network` to minimize the sum of `step(index, batch)`, the weighted losses of a batch.

    Randomness in `step` and `batches` may depend on the index (from 0) alone: then a run that goes on from a
    saved state gives the same bits as one without a break.

    Args:
        step: losses by name, scalars.
        batches: index -> batch.
        network: all that is trained and, in buffers, all else that `step` changes.
        optimizers: of the network's parameters; all step at once.
        start: the state to go on from.
        stop: asked after each step; once true, the training ends early.
        group: the processes that train together.
        rivals: losses against a network that learns too, which rise in good trainings.

    Yields a TrainStep after each step, with losses every `options.report` steps, and the TrainingState every
    `options.save` steps and at the end, which comes early once `stop()` is true. Returns the last state.

    Raises:
        DivergedError: as `Watch`, with the number of the step whose weights the network has then.
    """
    rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    watch = Watch(network, options, rivals, group)
    first, norms = _restore(network, optimizers, watch, start)
    for index in range(first, options.steps):
        _set_rates(optimizers, rates, schedule(index, options))
        losses = step(index, batches(index))
        for optimizer in optimizers:
            optimizer.zero_grad()
        torch.autograd.backward(total(losses))
        usual = zip(optimizers, norms, strict=True)
        norms = torch.stack([_guard(one, norm, options.clip, watch.finite) for one, norm in usual])
        watch.see(index, losses)
        for optimizer in optimizers:
            optimizer.step()
        done = index + 1
        yield _report(done, options, losses)
        ended = stop() or done == options.steps
        if ended or done % options.save == 0:
            state = _state(done, network, optimizers, norms, watch)
            yield state
            if ended:
                return state
    return _state(max(first, options.steps), network, optimizers, norms, watch)


def schedule(index: int, options: TrainingOptions) -> float:
    """Learning rate of step `index` (from 0) relative to the highest: linear warmup, then decay.

    Cosine decay follows the warmup, linear decay takes the last half; both would reach 0 in the step after
    the last.
    """
    if index < options.warmup:
        return (index + 1) / (options.warmup + 1)
    if options.decay == "constant":
        return 1.0
    if options.decay == "linear":
        return min(1.0, 2 * (1 - index / options.steps))
    return 0.5 + 0.5 * math.cos(math.pi * (index - options.warmup) / max(1, options.steps - options.warmup))


def _set_rates(
    optimizers: Sequence[torch.optim.Optimizer], rates: Sequence[Sequence[float]], factor: float
) -> None:
    for optimizer, highest in zip(optimizers, rates, strict=True):
        for group, rate in zip(optimizer.param_groups, highest, strict=True):
            group["lr"] = rate * factor


def _guard(optimizer: torch.optim.Optimizer, usual: Tensor, clip: float, finite: Tensor) -> Tensor:
    """Clip an optimizer's gradient to norm `clip`; set it to 0 if it is not finite or a spike.

    Everything stays on the device. Counts a finite gradient in `finite`; returns the new usual norm.
    """
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients).to(usual.device)
    usable = norm.isfinite() & (norm <= _SPIKE * usual)
    finite += norm.isfinite()
    _scale(gradients, clip / norm.clamp_min(clip), usable)
    # A spike raises the usual norm a little: a lasting rise is not refused for ever.
    bounded = torch.minimum(norm, _SPIKE * usual)
    updated = torch.where(usual.isfinite(), usual + 0.02 * (bounded - usual), norm)
    return torch.where(norm.isfinite(), updated, usual)


def _scale(gradients: Sequence[Tensor], factor: Tensor, usable: Tensor) -> None:
    """Multiply gradients by a factor, or set them to 0.

    Usually that changes nothing, and takes as long as the optimizer's step of a large network. On a CPU it is
    skipped then; a GPU would have to be waited for.
    """
    if factor.device.type == "cpu" and usable and factor == 1:
        return
    for gradient in gradients:
        gradient.copy_(torch.where(usable, gradient * factor, 0))  # a product with 0 would let NaN through


def _report(done: int, options: TrainingOptions, losses: Mapping[str, Tensor]) -> TrainStep:
    if done % options.report and done != options.steps:
        return TrainStep(done, options.steps)
    values = torch.stack(list(losses.values())).tolist()
    return TrainStep(done, options.steps, dict(zip(losses, values, strict=True)))


def _restore(
    network: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    watch: Watch,
    start: TrainingState | None,
) -> tuple[int, Tensor]:
    """Load a saved state; returns its number of steps and the usual norms."""
    device = next(network.parameters()).device
    if start is None:
        return 0, torch.full((len(optimizers),), torch.inf, device=device)
    network.load_state_dict(start.network)
    for optimizer, saved in zip(optimizers, start.optimizers, strict=True):
        optimizer.load_state_dict(copy.deepcopy(saved))
    watch.restore(start.watch)
    return start.step, start.norms.to(device)


def _state(
    done: int,
    network: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    norms: Tensor,
    watch: Watch,
) -> TrainingState:
    weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    moments = [copy.deepcopy(optimizer.state_dict()) for optimizer in optimizers]
    return TrainingState(done, weights, moments, norms.clone(), watch.state())
