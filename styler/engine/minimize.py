"""Optimization of an image by a solver, step by step."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

import torch
from torch import Tensor, nn

from styler.engine.solvers import Solver
from styler.errors import DivergedError
from styler.events import Checkpoint, Step
from styler.losses.perceptual import Objective, total

Evaluate = Callable[[Tensor], tuple[Mapping[str, Tensor], Tensor]]
"""Image [N, 3, H, W] -> weighted scalar by term name, and the gradient of their sum by the Image."""

STILL = "no step has changed the picture by a level"
"""Note on an image that is what it was."""
LIMITS = "most colors went to their limits, 0 or 255"
"""Note on an image whose steps were too long."""


def minimize(
    image: nn.Module,
    evaluate: Evaluate,
    solver: Solver,
    steps: int,
    stop: Callable[[], bool] = lambda: False,
    first: int = 0,
    every: int = 0,
) -> Generator[Step | Checkpoint, None, Tensor]:
    """Let `solver` move the parameter of `image` until `steps` are done or `stop()` is true.

    Args:
        first: steps that were done before, by a solver that was restored.
        every: steps between two Checkpoints, 0 for none; there is one more where the run is stopped.

    Yields a Step after each move, with the image and its losses: N steps are N moves, and one evaluation more
    than that. Returns the best Image.

    Raises:
        DivergedError: when the solver cannot go on; its `image` is the best one.
    """
    (parameter,) = image.parameters()
    try:
        if 0 < first < steps:
            with torch.no_grad():
                solver.move()
        for index in range(first + bool(first), steps + 1):
            current = image()
            losses, on_image = evaluate(current.detach())
            # One transfer from the device a step: the solver has to know whether the loss rose.
            values = torch.stack([total(losses), *losses.values()]).tolist()
            if index:
                yield Step(index, steps, dict(zip(losses, values[1:], strict=True)), current.detach())
            (gradient,) = torch.autograd.grad(current, parameter, on_image)
            with torch.no_grad():
                solver.tell(values[0], gradient)
            del current, losses, on_image, gradient  # or they would be there while the next ones are made
            stopped = index == steps or (index > 0 and stop())
            if every and index and (stopped or index % every == 0):
                yield Checkpoint(index, solver.state())
            if stopped:
                break
            with torch.no_grad():
                solver.move()
    except DivergedError as error:
        raise DivergedError(str(error), _shown(image, solver.best())) from error
    else:
        return _shown(image, solver.best())
    finally:
        solver.close()


@torch.no_grad()
def _shown(image: nn.Module, best: Tensor) -> Tensor:
    """The Image of a parameter, a tensor of its own."""
    (parameter,) = image.parameters()
    parameter.copy_(best)
    shown: Tensor = image()
    return best if shown is parameter else shown


def at_once(objective: Objective) -> Evaluate:
    """Evaluation of an objective on the whole image in one forward and backward pass."""

    def evaluate(image: Tensor) -> tuple[Mapping[str, Tensor], Tensor]:
        leaf = image.detach().requires_grad_()
        losses = objective(leaf)
        (gradient,) = torch.autograd.grad(total(losses), leaf)
        return {name: loss.detach() for name, loss in losses.items()}, gradient

    return evaluate
