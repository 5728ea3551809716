"""The solvers on problems with known answers, and what they do when things go wrong."""

from __future__ import annotations

import math

import pytest
import scipy.optimize
import torch
from torch import Tensor, nn

from styler.engine.minimize import at_once, minimize
from styler.engine.parameterization import PixelImage
from styler.engine.solvers import LBFGS, Adam, FixedSteps, SciPy, Solver
from styler.errors import DivergedError
from styler.events import Step

SHAPE = (1, 3, 6, 8)


def quadratic(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Curvatures over three orders of magnitude, and the minimum, inside the pixel range."""
    generator = torch.Generator().manual_seed(seed)
    curvature = 10 ** (3 * torch.rand(SHAPE, generator=generator) - 2)
    return curvature, 0.2 + 0.6 * torch.rand(SHAPE, generator=generator)


def run(solver_of: object, steps: int, start: Tensor | None = None) -> tuple[Tensor, list[float]]:
    curvature, minimum = quadratic()
    x = torch.full(SHAPE, 0.5) if start is None else start.clone()
    solver: Solver = solver_of(x)  # type: ignore[operator]
    losses = []
    for _ in range(steps):
        losses.append(float((curvature * (x - minimum).square()).sum()))
        solver.tell(losses[-1], 2 * curvature * (x - minimum))
        solver.move()
    best = solver.best()
    solver.close()
    return best, losses


@pytest.mark.parametrize("solver_of", [LBFGS, SciPy])
def test_quasi_newton_finds_the_minimum(solver_of: object) -> None:
    best, losses = run(solver_of, 80)
    assert min(losses) < 1e-5 * losses[0]
    assert (best - quadratic()[1]).abs().max() < 0.01


def test_lbfgs_needs_no_more_steps_than_scipy() -> None:
    _, ours = run(lambda x: LBFGS(x, 10), 60)
    curvature, minimum = (t.double().flatten().numpy() for t in quadratic())
    theirs = scipy.optimize.minimize(
        lambda x: ((curvature * (x - minimum) ** 2).sum(), 2 * curvature * (x - minimum)),
        [0.5] * curvature.size, jac=True, method="L-BFGS-B", options={"maxcor": 10, "maxfun": 60},
    )  # fmt: skip
    assert min(ours) < 10 * max(theirs.fun, 1e-9)


def test_lbfgs_minimizes_rosenbrock() -> None:
    x = torch.tensor([-1.2, 1.0], dtype=torch.double)
    solver = LBFGS(x)
    for _ in range(400):
        p = x.clone().requires_grad_()
        loss = 100 * (p[1] - p[0] ** 2) ** 2 + (1 - p[0]) ** 2
        solver.tell(float(loss.detach()), torch.autograd.grad(loss, p)[0])
        solver.move()
    torch.testing.assert_close(solver.best(), torch.ones(2, dtype=torch.double), atol=1e-3, rtol=0)


def test_adam_averages_its_steps() -> None:
    best, losses = run(lambda x: Adam(x, 0.02), 400)
    assert losses[-1] < 0.05 * losses[0]
    noisy = torch.full(SHAPE, 0.5)
    solver = Adam(noisy, 0.05)
    generator = torch.Generator().manual_seed(1)
    for _ in range(400):
        solver.tell(1.0, noisy - 0.5 + torch.randn(SHAPE, generator=generator))
        solver.move()
    assert (solver.best() - 0.5).abs().mean() < 0.5 * (noisy - 0.5).abs().mean()
    assert best.min() >= 0


def test_the_first_step_has_the_same_length_per_pixel_at_every_size() -> None:
    for side in (8, 256):
        x = torch.full((1, 3, side, side), 0.5)
        solver = LBFGS(x)
        solver.tell(1.0, torch.full_like(x, 1e-9))
        solver.move()
        assert (0.5 - x).mean().item() == pytest.approx(0.005, rel=1e-3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e30])
def test_lbfgs_goes_back_and_shortens_its_step(bad: float) -> None:
    x = torch.full(SHAPE, 0.5)
    solver = LBFGS(x)
    solver.tell(1.0, torch.ones_like(x))
    solver.move()
    first = (x - 0.5).abs().max()
    solver.tell(bad, torch.full_like(x, math.nan))
    solver.move()
    assert torch.equal(solver.best(), torch.full(SHAPE, 0.5))
    assert x.isfinite().all()
    assert 0 < (x - 0.5).abs().max() < 0.5 * first


@pytest.mark.parametrize("solver_of", [LBFGS, lambda x: Adam(x, 0.02), SciPy])
def test_divergence_ends_with_the_best_point(solver_of: object) -> None:
    x = torch.full(SHAPE, 0.5)
    solver: Solver = solver_of(x)  # type: ignore[operator]
    solver.tell(1.0, torch.ones_like(x))
    with pytest.raises(DivergedError):
        for _ in range(50):
            solver.move()
            solver.tell(math.nan, torch.ones_like(x))
    assert solver.best().isfinite().all()
    solver.close()


def test_a_flat_loss_does_no_harm() -> None:
    x = torch.full(SHAPE, 0.5)
    solver = LBFGS(x)
    for _ in range(5):
        solver.tell(0.0, torch.zeros_like(x))
        solver.move()
    assert torch.equal(x, torch.full(SHAPE, 0.5))


def test_a_minimum_is_no_divergence() -> None:
    """At a loss next to 0 rounding alone multiplies it; every step from there leads up."""
    x = torch.full(SHAPE, 0.5)
    solver = LBFGS(x)
    solver.tell(1e-9, torch.full_like(x, 1e-7))
    for _ in range(30):
        solver.move()
        solver.tell(1e-5, torch.full_like(x, 1e-3))
    assert torch.equal(solver.best(), torch.full(SHAPE, 0.5))


def test_adam_that_grows_out_of_hand_ends_with_its_lowest_point() -> None:
    x = torch.full(SHAPE, 0.5)
    solver = Adam(x, 1e3, bounded=False, most=100.0)
    solver.tell(1.0, torch.ones_like(x))
    solver.move()
    with pytest.raises(DivergedError, match="grew from 1 to 1e\\+06; use a smaller --learning-rate"):
        solver.tell(1e6, torch.ones_like(x))
    assert torch.equal(solver.best(), torch.full(SHAPE, 0.5))


def test_scipy_can_be_closed_at_any_time() -> None:
    solver = SciPy(torch.full(SHAPE, 0.5))
    solver.close()
    solver.thread.join(5)
    assert not solver.thread.is_alive()


class Pull(nn.Module):
    """An objective towards a gray."""

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        return {"pull": (image - 0.25).square().mean(), "zero": 0 * image.sum()}


def test_minimize_reports_each_step_and_returns_the_best() -> None:
    image = PixelImage(torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)))
    events = minimize(image, at_once(Pull()), LBFGS(image.parameter.data), 30)
    steps: list[Step] = []
    while True:
        try:
            steps.append(next(events))
        except StopIteration as end:
            result = end.value
            break
    assert [s.index for s in steps] == list(range(1, 31))
    assert all(s.total == 30 and s.losses is not None and set(s.losses) == {"pull", "zero"} for s in steps)
    assert (result - 0.25).abs().max() < 1e-3
    assert not result.requires_grad


@pytest.mark.parametrize(
    "solver_of", [LBFGS, lambda x: Adam(x, 0.02), SciPy, lambda x: FixedSteps(x, 0.01, bounded=True)]
)
def test_one_step_is_one_move(solver_of: object) -> None:
    start = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))
    image = PixelImage(start)
    events = minimize(image, at_once(Pull()), solver_of(image.parameter.data), 1)  # type: ignore[operator]
    (step,) = events
    assert step.image is not None
    assert (step.image - 0.25).abs().mean() < (start - 0.25).abs().mean()
    assert not torch.equal(image.parameter, start)


def test_minimize_stops_when_asked_and_closes_its_solver() -> None:
    image = PixelImage(torch.rand(SHAPE))
    solver = SciPy(image.parameter.data)
    events = minimize(image, at_once(Pull()), solver, 1000, stop=lambda: True)
    assert len(list(events)) == 1
    assert not solver.thread.is_alive()
    solver = SciPy(image.parameter.data)
    events = minimize(image, at_once(Pull()), solver, 1000)
    next(events)
    events.close()
    assert not solver.thread.is_alive()


def test_minimize_passes_the_best_image_with_the_error() -> None:
    class Broken(Pull):
        calls = 0

        def __call__(self, image: Tensor) -> dict[str, Tensor]:
            self.calls += 1
            return {"pull": (image - 0.25).square().mean() * (1 if self.calls < 4 else math.nan)}

    image = PixelImage(torch.rand(SHAPE))
    with pytest.raises(DivergedError) as raised:
        list(minimize(image, at_once(Broken()), LBFGS(image.parameter.data), 100))
    assert isinstance(raised.value.best, Tensor)
    assert raised.value.best.isfinite().all()


def test_a_picture_in_tiles_takes_the_same_steps_as_a_whole_one() -> None:
    """Another way to the same gradient, through a parameterization that is not the pixels."""

    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.halves = nn.Parameter(torch.rand(SHAPE, generator=torch.Generator().manual_seed(3)) / 2)

        def forward(self) -> Tensor:
            return 2 * self.halves

    whole = at_once(lambda image: {"square": (image - 0.25).square().sum()})

    def tiled(image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        parts = [whole(tile) for tile in image.chunk(2, 3)]
        losses = {"square": torch.stack([losses["square"] for losses, _ in parts]).sum()}
        return losses, torch.cat([gradient for _, gradient in parts], 3)

    found = []
    for evaluate in (whole, tiled):
        image = Doubled()
        found.append(list(minimize(image, evaluate, LBFGS(image.halves.data), 10)))
    for one, other in zip(*found, strict=True):
        assert one.losses == pytest.approx(other.losses)
        torch.testing.assert_close(one.image, other.image)
    assert found[0][-1].losses["square"] < 1e-3 * found[0][0].losses["square"]
