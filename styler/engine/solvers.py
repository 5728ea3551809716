"""Solvers of one tensor, fed with losses and gradients: L-BFGS, Adam, steps of one length, SciPy's L-BFGS-B.

None searches along a line on its own: one evaluation is one step, so a loop can show, count and stop each.
"""

from __future__ import annotations

import copy
import math
import queue
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from styler.errors import DivergedError

_FIRST_STEP = 0.005
"""Root mean square of a step that knows no curvature yet, in units of the pixel range [0, 1]."""
_LONGEST_STEP = 0.2
"""Root mean square of the longest step; beyond it no model of the curvature can be right."""
_SHORTEST_STEP = 2.0**-10
"""The fraction of a full step below which going on is pointless."""
_RISE = 1.5
"""A loss of this many times the best one so far has left the region that the model describes."""
_SMALL = 0.01
"""A loss that is as good as 0."""


State = Mapping[str, Any]
"""Tensors, numbers and containers of these."""


class Solver(Protocol):
    """A solver of `engine.minimize`."""

    def tell(self, loss: float, gradient: Tensor) -> None:
        """Take loss and gradient at the tensor as it stands.

        Raises DivergedError when no step, however short, stays among finite losses.
        """

    def move(self) -> None:
        """Move the tensor in place, by what was told."""

    def best(self) -> Tensor:
        """The best point so far, a tensor of its own."""

    def state(self) -> State | None:
        """Copies of all that the solver needs to go on bit for bit; None if it can only begin anew."""

    def restore(self, state: State) -> None:
        """Go on from a state of the same solver."""

    def close(self) -> None:
        """Stop whatever the solver has running."""


_TENSORS = ("x", "s", "y", "best_x", "best_gradient", "displacement", "gradient")
"""Attributes of `LBFGS` that last from step to step."""


class LBFGS:
    """Limited-memory BFGS without line search (Nocedal and Wright 2006, algorithm 7.4), safeguarded.

    torch's own begins with a step whose length over all pixels is 1, which a large picture does not notice;
    here the first step has the same length per pixel at every size. A loss that is not finite, or that rises
    far above the best one, resets the history, goes back to the best point and halves the step; good steps
    double it again.
    """

    def __init__(self, x: Tensor, history: int = 10) -> None:
        self.x = x
        # All that lasts is allocated at once: single vectors, made between activations that come and go,
        # would keep the C heap from ever giving those back.
        self.s, self.y = x.new_empty(2, history, *x.shape)
        self.best_x, self.best_gradient, self.displacement, self.gradient = x.new_zeros(4, *x.shape)
        self.best_x.copy_(x)
        self.pairs: deque[tuple[int, float]] = deque(maxlen=history)
        self.length, self.lowest = 1.0, math.inf

    def tell(self, loss: float, gradient: Tensor) -> None:
        """See `Solver.tell`."""
        if not math.isfinite(loss) or loss > _RISE * self.lowest:
            self._go_back(loss)
        else:
            self._remember(gradient)
            self.length = min(1.0, 2 * self.length)
        if loss < self.lowest:
            self.lowest = loss
            self.best_x.copy_(self.x)
            self.best_gradient.copy_(gradient)

    def move(self) -> None:
        """See `Solver.move`."""
        torch.mul(self._direction(), self.length, out=self.displacement)
        self.x.add_(self.displacement)

    def best(self) -> Tensor:
        """See `Solver.best`."""
        best: Tensor = self.best_x.clone()
        return best

    def state(self) -> State:
        """See `Solver.state`."""
        tensors = {name: getattr(self, name).clone() for name in _TENSORS}
        return {**tensors, "pairs": list(self.pairs), "length": self.length, "lowest": self.lowest}

    def restore(self, state: State) -> None:
        """See `Solver.restore`."""
        for name in _TENSORS:
            getattr(self, name).copy_(state[name])
        self.pairs.extend((row, curvature) for row, curvature in state["pairs"])
        self.length, self.lowest = state["length"], state["lowest"]

    def close(self) -> None:
        """Forget the history."""
        self.pairs.clear()

    def _go_back(self, loss: float) -> None:
        self.length /= 4  # the next good step doubles it
        if self.length < _SHORTEST_STEP and math.isfinite(loss):
            self.length = _SHORTEST_STEP  # nothing lower is near: this is a minimum, and no divergence
        elif not math.isfinite(self.lowest) or self.length < _SHORTEST_STEP:
            raise DivergedError("the loss left the finite numbers and no shorter step brought it back")
        self.pairs.clear()
        self.x.copy_(self.best_x)
        self.gradient.copy_(self.best_gradient)

    def _remember(self, gradient: Tensor) -> None:
        """Note how the gradient changed along the last displacement."""
        row = (self.pairs[-1][0] + 1) % len(self.s) if self.pairs else 0
        if len(self.pairs) == len(self.s):
            self.pairs.popleft()  # its row is written anew
        s, y = self.s[row].copy_(self.displacement), torch.sub(gradient, self.gradient, out=self.y[row])
        curvature = float(_dot(s, y))
        # Along s the loss must curve upward, clearly above rounding, or the model would point uphill.
        if curvature > 1e-7 * float(s.norm() * y.norm()):
            self.pairs.append((row, curvature))
        self.gradient.copy_(gradient)

    def _direction(self) -> Tensor:
        q: Tensor = -self.gradient
        if not self.pairs:
            return q.mul_(_FIRST_STEP / _rms(q))
        weights = []
        for row, curvature in reversed(self.pairs):
            weights.append(_dot(self.s[row], q) / curvature)
            q.addcmul_(self.y[row], weights[-1], value=-1)
        row, curvature = self.pairs[-1]
        q.mul_(curvature / _dot(self.y[row], self.y[row]))
        for (row, curvature), weight in zip(self.pairs, reversed(weights), strict=True):
            q.addcmul_(self.s[row], weight - _dot(self.y[row], q) / curvature)
        return q.mul_((_LONGEST_STEP / _rms(q)).clamp_max(1))


class Adam:
    """Adam (Kingma and Ba 2015) whose result is an average over its last steps (decay 0.99).

    Single iterates jitter by the step size; their average does not. Pixels (`bounded`) are kept in [0, 1].
    A loss of `most` times the lowest one ends it; that is for losses that are never under 0.

    Attributes:
        first, last: the first and the last loss.
    """

    def __init__(self, x: Tensor, learning_rate: float, bounded: bool = True, most: float = math.inf) -> None:
        self.x, self.bounded, self.most = x, bounded, most
        self.adam = torch.optim.Adam([x], lr=learning_rate, betas=(0.9, 0.99))
        self.average, self.weight = torch.zeros_like(x), 0.0
        self.lowest, self.lowest_x, self.diverged = math.inf, x.clone(), False
        self.first = self.last = math.nan

    def tell(self, loss: float, gradient: Tensor) -> None:
        """See `Solver.tell`."""
        if not math.isfinite(loss) or loss > self.most * max(self.lowest, _SMALL):
            self.diverged = True
            grown = f"grew from {self.lowest:.3g} to {loss:.3g}"
            reason = grown if math.isfinite(loss) else "left the finite numbers"
            raise DivergedError(f"the loss {reason}; use a smaller --learning-rate")
        if loss < self.lowest:
            self.lowest = loss
            self.lowest_x.copy_(self.x)
        self.first, self.last = loss if math.isnan(self.first) else self.first, loss
        self.x.grad = gradient

    def move(self) -> None:
        """See `Solver.move`."""
        self.adam.step()
        if self.bounded:
            self.x.clamp_(0, 1)
        self.weight = 0.99 * self.weight + 0.01
        self.average.lerp_(self.x, 0.01)

    def best(self) -> Tensor:
        """See `Solver.best`."""
        average = self.weight and not self.diverged
        return self.average / self.weight if average else self.lowest_x.clone()

    def state(self) -> State:
        """See `Solver.state`."""
        tensors = {name: getattr(self, name).clone() for name in ("x", "average", "lowest_x")}
        numbers = {name: getattr(self, name) for name in ("weight", "lowest", "diverged", "first")}
        gradient = None if self.x.grad is None else self.x.grad.clone()
        return {**tensors, **numbers, "gradient": gradient, "adam": copy.deepcopy(self.adam.state_dict())}

    def restore(self, state: State) -> None:
        """See `Solver.restore`."""
        for name in ("x", "average", "lowest_x"):
            getattr(self, name).copy_(state[name])
        self.weight, self.lowest, self.diverged = state["weight"], state["lowest"], state["diverged"]
        self.first = state.get("first", math.nan)
        self.x.grad = None if state["gradient"] is None else state["gradient"].to(self.x)
        self.adam.load_state_dict(copy.deepcopy(state["adam"]))

    def close(self) -> None:
        """Nothing runs."""


class FixedSteps:
    """Gradient steps of one length, the mean change of a value (Mordvintsev et al. 2015).

    One length suits every layer, whose gradients differ by powers of ten. With `decay` each step goes that
    share of the way back to `center` first, as the L2 term of Simonyan et al. 2013 wants it.
    """

    def __init__(
        self, x: Tensor, length: float, *, bounded: bool, center: Tensor | None = None, decay: float = 0.0
    ) -> None:
        self.x, self.length, self.bounded, self.center, self.decay = x, length, bounded, center, decay
        self.gradient = torch.zeros_like(x)

    def tell(self, loss: float, gradient: Tensor) -> None:
        """See `Solver.tell`."""
        if not math.isfinite(loss):
            raise DivergedError("the loss left the finite numbers; use a smaller --strength")
        self.gradient = gradient

    def move(self) -> None:
        """See `Solver.move`."""
        if self.center is not None:
            self.x.lerp_(self.center.expand_as(self.x), self.decay)
        self.x.sub_(self.length * self.gradient / self.gradient.abs().mean().clamp_min(1e-30))
        if self.bounded:
            self.x.clamp_(0, 1)

    def best(self) -> Tensor:
        """The last point: of steps that do not shrink none is meant to be the lowest."""
        return self.x.clone()

    def state(self) -> State:
        """See `Solver.state`."""
        return {"x": self.x.clone(), "gradient": self.gradient.clone()}

    def restore(self, state: State) -> None:
        """See `Solver.restore`."""
        self.x.copy_(state["x"])
        self.gradient = state["gradient"].to(self.x)

    def close(self) -> None:
        """Nothing runs."""


class SciPy:
    """SciPy's L-BFGS-B in float64, pixels (`bounded`) boxed to [0, 1] as in the papers' own code.

    SciPy calls the function that it minimizes, so it runs in a thread of its own and waits for answers there.
    """

    def __init__(self, x: Tensor, history: int = 10, bounded: bool = True) -> None:
        self.x, self.bounded = x, bounded
        self.lowest, self.best_x = math.inf, x.clone()
        self.questions: queue.Queue[np.ndarray | None] = queue.Queue()
        self.answers: queue.Queue[tuple[float, np.ndarray] | None] = queue.Queue()
        start = x.detach().double().clamp(*self._range()).cpu().numpy().ravel()
        self.finished = False
        self.thread = threading.Thread(target=self._run, args=(start, history), daemon=True)
        self.thread.start()
        self._take_question()

    def tell(self, loss: float, gradient: Tensor) -> None:
        """See `Solver.tell`."""
        if not math.isfinite(loss):
            raise DivergedError("the loss left the finite numbers")
        if loss < self.lowest:
            self.lowest = loss
            self.best_x.copy_(self.x)
        if not self.finished:
            self.answers.put((loss, gradient.double().cpu().numpy().ravel()))

    def move(self) -> None:
        """See `Solver.move`."""
        if not self.finished:
            self._take_question()

    def best(self) -> Tensor:
        """See `Solver.best`."""
        return self.best_x.clone()

    def state(self) -> None:
        """None: SciPy keeps its state to itself."""

    def restore(self, state: State) -> None:
        """Nothing to restore."""

    def close(self) -> None:
        """End the thread."""
        self.answers.put(None)
        self.thread.join()

    def _range(self) -> tuple[float, float]:
        return (0, 1) if self.bounded else (-math.inf, math.inf)

    def _take_question(self) -> None:
        """Move to where SciPy wants to know the loss next; None says that it found nothing better to try."""
        values = self.questions.get()
        if values is None:
            self.finished = True
            self.x.copy_(self.best_x)
        else:
            self.x.copy_(torch.from_numpy(values).view(self.x.shape))

    def _run(self, start: np.ndarray, history: int) -> None:
        # Imported here, for it takes a third of torch's time and memory and is seldom wanted.
        import scipy.optimize

        options = {"maxcor": history, "ftol": 0, "gtol": 0, "maxiter": 10**9, "maxfun": 10**9}
        bounds = scipy.optimize.Bounds(*self._range())
        try:
            scipy.optimize.minimize(
                self._ask, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options
            )
        except _Closed:
            pass
        finally:
            self.questions.put(None)

    def _ask(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        self.questions.put(values.copy())
        answer = self.answers.get()
        if answer is None:
            raise _Closed
        return answer


class _Closed(Exception):
    """The solver was closed while SciPy waited for an answer."""


def _dot(x: Tensor, y: Tensor) -> Tensor:
    """Inner product of two contiguous tensors of the same shape, in one pass."""
    return torch.dot(x.view(-1), y.view(-1))


def _rms(x: Tensor) -> Tensor:
    """Root mean square, never 0, so that a flat loss makes no NaN."""
    return (_dot(x, x) / x.numel()).sqrt().clamp_min(1e-30)
