"""Watch over the loss of a training: the best weights so far, and the end of a training that diverges."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from styler.errors import DivergedError
from styler.losses.perceptual import total
from styler.options.shared import TrainingOptions, unusual
from styler.processes import Group

_WINDOW, _WINDOWS = 20, 50
"""Steps whose losses are averaged, at most, and such windows in a training, at least."""
_FAR, _LONG = 2.0, 10
"""Times its least that no mean loss stays for so many windows in a row."""
_LOST, _SHORT = 1000.0, 3
"""The same of losses that no training comes back from, among them those without a finite gradient."""
MOVED = "moved"
"""Key of whether a weight has moved, in `Watch.state`."""
_FLOOR = 0.01
"""Share of the first loss below which any loss is as good as another."""


class Watch:
    """The mean losses of a training, window by window, and its best weights.

    Window 0 is the first step, so that there are weights from before the first step went wrong. Weights are
    copied where a window has the least loss so far, before the step that ends it changes them, and the device
    is waited for once a window.

    Attributes:
        finite: finite gradients in this window, for others to count; on the network's device.
        begun: the sum of each parameter before the first step.
    """

    def __init__(
        self, network: nn.Module, options: TrainingOptions, rivals: Collection[str], group: Group
    ) -> None:
        """`rivals` are the losses against a network that learns too, which rise in good trainings."""
        self.network, self.options, self.rivals, self.group = network, options, rivals, group
        device = next(network.parameters()).device
        self.finite, self.sums = torch.zeros((), device=device), torch.zeros(3, device=device)
        self.first, self.least = [math.inf, math.inf], [math.inf, math.inf]
        self.far = self.lost = self.step = 0
        self.weights: Mapping[str, Tensor] = {}
        self.begun: list[float] = []

    def see(self, index: int, losses: Mapping[str, Tensor]) -> None:
        """Take the losses of step `index` (from 0), whose gradients are there and not yet used.

        Raises:
            DivergedError: if the training has diverged; its network has the best weights again then.
        """
        self.begun = self.begun or self._sums()
        every, steady = total(losses), [name for name in losses if name not in self.rivals]
        own = total({name: losses[name] for name in steady}) if steady else every
        pair = torch.stack([own, every]).detach().to(self.sums)
        self.sums += torch.cat([pair, pair.new_ones(1)]) * pair.isfinite().all()
        length = min(_WINDOW, max(1, self.options.steps // _WINDOWS))
        if index % length == 0:
            self._close(index, bool(steady))

    def _close(self, index: int, steady: bool) -> None:
        """End a window: keep the weights if they are the best, and count how long the loss has been high."""
        *sums, count, gradients = torch.cat([self.sums, self.finite[None]]).tolist()
        means = [value / count if count and gradients else math.inf for value in sums]
        own, every = self.group.mean({"own": means[0], "every": means[1]}).values()
        self.sums.zero_()
        self.finite.zero_()
        if math.isinf(self.first[1]):
            self.first = [own, every]
        if own < self.least[0]:
            self.step = index
            weights = self.network.state_dict()
            self.weights = {name: x.detach().to("cpu", copy=True) for name, x in weights.items()}
        self.least = [min(self.least[0], own), min(self.least[1], every)]
        usual = [max(low, _FLOOR * abs(first)) for low, first in zip(self.least, self.first, strict=True)]
        self.far = self.far + 1 if steady and own > _FAR * usual[0] else 0
        self.lost = self.lost + 1 if math.isinf(every) or every > _LOST * usual[1] else 0
        if self.far >= _LONG or self.lost >= _SHORT:
            self._end(index + 1, *((self.least[0], own) if self.far >= _LONG else (self.least[1], every)))

    def _end(self, done: int, least: float, loss: float) -> None:
        if self.weights:
            self.network.load_state_dict(self.weights)
        finite = math.isfinite(loss)
        rose = f"the loss rose from {least:.3g} to {loss:.3g}" if finite else "the loss is not finite"
        cause = likely_cause(self.options) or "use a smaller --learning-rate"
        raise DivergedError(f"training diverged by step {done} ({rose}): {cause}", self.step)

    def _sums(self) -> list[float]:
        learning = (x.detach() for x in self.network.parameters() if x.requires_grad)
        return [float(x.cpu().double().sum()) for x in learning]

    def state(self) -> dict[str, Any]:
        """Copies of all that another Watch needs to go on bit for bit; and whether a weight has moved yet."""
        tensors = {"finite": self.finite.clone(), "sums": self.sums.clone()}
        pairs = zip(self._sums(), self.begun, strict=False)
        moved = not self.begun or not all(math.isclose(*pair, abs_tol=1e-9) for pair in pairs)
        return {**tensors, **{name: getattr(self, name) for name in _LASTING}, MOVED: moved}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; from none, of a file that an earlier version wrote, begin anew."""
        for name in ("finite", "sums"):
            if name in state:
                getattr(self, name).copy_(state[name])
        for name in _LASTING:
            setattr(self, name, state.get(name, getattr(self, name)))


_LASTING = ("first", "least", "far", "lost", "step", "weights", "begun")
"""Attributes that last from step to step, beside the tensors that a step adds to."""


def likely_cause(options: TrainingOptions) -> str:
    """What makes a training fail if it is off its usual range, with advice; "" if nothing is."""
    if not options.learning_rate:
        return "at --learning-rate 0 nothing is learned: use a larger one"
    name = unusual(options)
    return name and f"{name}: use a smaller one"
