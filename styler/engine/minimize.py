"""The two loops: `minimize` optimizes an image, `fit` trains a network; they yield events and that is all."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from styler.engine.solvers import Solver
from styler.errors import DivergedError
from styler.events import Step, TrainStep
from styler.losses.perceptual import Objective, total
from styler.options.shared import TrainingOptions

B = TypeVar("B")

SPIKE = 10.0
"""A gradient this many times its usual norm is left out: one bad batch must not undo many good ones."""


def minimize(
    image: nn.Module,
    objective: Objective,
    solver: Solver,
    steps: int,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Step, None, Tensor]:
    """Let `solver` move the parameter of `image` until `steps` are done or `stop()` is true.

    Yields a Step after each evaluation, with the losses of the image shown. Returns the solver's best Image.

    Raises:
        DivergedError: when the solver cannot go on; its `image` is the best one.
    """
    (parameter,) = image.parameters()
    try:
        for index in range(1, steps + 1):
            shown = image()
            losses = objective(shown)
            whole = total(losses)
            (gradient,) = torch.autograd.grad(whole, parameter)
            # One transfer from the device a step: the solver has to know whether the loss rose.
            values = torch.stack([whole, *losses.values()]).tolist()
            yield Step(index, steps, dict(zip(losses, values[1:], strict=True)), shown.detach())
            with torch.no_grad():
                solver.tell(values[0], gradient)
            del gradient, losses, whole  # or they would be there while the next ones are made
            if stop():
                break
    except DivergedError as error:
        raise DivergedError(str(error), solver.best()) from error
    else:
        return solver.best()
    finally:
        solver.close()


@dataclass(frozen=True)
class TrainingState:
    """What `fit` needs to go on bit for bit after `step` steps: copies, which training does not alter.

    `optimizers` holds their state dicts; `norms` is the usual gradient norm of each.
    """

    step: int
    network: Mapping[str, Tensor]
    optimizers: Sequence[dict[str, Any]]
    norms: Tensor


def fit(
    step: Callable[[int, B], Mapping[str, Tensor]],
    batches: Callable[[int], B],
    network: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    options: TrainingOptions,
    start: TrainingState | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[TrainStep | TrainingState, None, TrainingState]:
    """Train `network` on `step(index, batch)`, the weighted losses of a batch, whose sum is minimized.

    `network` holds whatever is trained and, in buffers, whatever else `step` carries along; all `optimizers`
    step at once. What is random in `step` and `batches` may depend on the index (from 0) alone: then going on
    from a saved state gives bit for bit what the run without a break gives.

    Yields a TrainStep after each step, with losses every `options.report` steps, and the TrainingState every
    `options.save` steps and at the end, which comes early once `stop()` is true. Returns the last state.

    Raises:
        DivergedError: when no step since the last report had a finite gradient.
    """
    rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    first, norms = _restore(network, optimizers, start)
    finite = torch.zeros((), device=norms.device)
    for index in range(first, options.steps):
        _set_rates(optimizers, rates, schedule(index, options))
        losses = step(index, batches(index))
        for optimizer in optimizers:
            optimizer.zero_grad()
        torch.autograd.backward(total(losses))
        pairs = zip(optimizers, norms, strict=True)
        norms = torch.stack([_guard(optimizer, norm, options.clip, finite) for optimizer, norm in pairs])
        for optimizer in optimizers:
            optimizer.step()
        done = index + 1
        yield _report(done, options, losses, finite)
        ended = stop() or done == options.steps
        if ended or done % options.save == 0:
            state = _state(done, network, optimizers, norms)
            yield state
            if ended:
                return state
    return _state(max(first, options.steps), network, optimizers, norms)


def schedule(index: int, options: TrainingOptions) -> float:
    """The learning rate of step `index` over the highest: a linear rise, then as `options.decay` says.

    A cosine falls from there on, `linear` over the last half; both would reach 0 in the step after the last.
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
    """Shorten an optimizer's gradient to norm `clip`; empty it where it is not finite or a spike.

    Everything stays on the device. Counts a finite gradient in `finite`; returns the new usual norm.
    """
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients).to(usual.device)
    kept = norm.isfinite() & (norm <= SPIKE * usual)
    finite += norm.isfinite()
    _shorten(gradients, clip / norm.clamp_min(clip), kept)
    # A spike raises what is usual a little: a lasting rise is not refused for ever.
    seen = torch.minimum(norm, SPIKE * usual)
    updated = torch.where(usual.isfinite(), usual + 0.02 * (seen - usual), norm)
    return torch.where(norm.isfinite(), updated, usual)


def _shorten(gradients: Sequence[Tensor], factor: Tensor, kept: Tensor) -> None:
    """Multiply gradients by a factor, or empty them.

    Usually that leaves them as they are, and of large networks it takes as long as an optimizer's step; a CPU
    tells at once whether it would, a GPU would have to be waited for.
    """
    if factor.device.type == "cpu" and kept and factor == 1:
        return
    for gradient in gradients:
        gradient.copy_(torch.where(kept, gradient * factor, 0))  # a product with 0 would let NaN through


def _report(done: int, options: TrainingOptions, losses: Mapping[str, Tensor], finite: Tensor) -> TrainStep:
    if done % options.report and done != options.steps:
        return TrainStep(done, options.steps)
    if not finite.item():
        raise DivergedError(f"training diverged before step {done}: use a smaller --learning-rate")
    finite.zero_()
    values = torch.stack(list(losses.values())).tolist()
    return TrainStep(done, options.steps, dict(zip(losses, values, strict=True)))


def _restore(
    network: nn.Module, optimizers: Sequence[torch.optim.Optimizer], start: TrainingState | None
) -> tuple[int, Tensor]:
    """Put a saved state into place; how many steps it has done, and the usual norms."""
    device = next(network.parameters()).device
    if start is None:
        return 0, torch.full((len(optimizers),), torch.inf, device=device)
    network.load_state_dict(start.network)
    for optimizer, saved in zip(optimizers, start.optimizers, strict=True):
        optimizer.load_state_dict(copy.deepcopy(saved))
    return start.step, start.norms.to(device)


def _state(
    done: int, network: nn.Module, optimizers: Sequence[torch.optim.Optimizer], norms: Tensor
) -> TrainingState:
    weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    moments = [copy.deepcopy(optimizer.state_dict()) for optimizer in optimizers]
    return TrainingState(done, weights, moments, norms.clone())
