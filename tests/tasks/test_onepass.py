"""One pass of any network: sizes, number types, statistics, memory that runs out."""

import math
from dataclasses import replace

import pytest
import torch
from nets import MIX, picture, psnr, small

from styler.device import Form
from styler.errors import DeviceError
from styler.networks import strips
from styler.networks.enlarge import EnlargeArchitecture, EnlargeNetwork
from styler.options.fast import FastOptions
from styler.tasks import onepass
from styler.tasks.enlarge.enlarger import enlarger
from styler.tasks.fast import painter
from styler.tasks.onepass import COMFORT, Budget, OnePass, budgeted, formed
from styler.tasks.steady import followed
from styler.tasks.translate import Preparation, translator

NEVER = 2**62


def translates(**architecture):
    return translator(small(**architecture).eval(), "picture", 3, Preparation(3))


MAKES = {
    "painter": lambda: painter(small("johnson").eval(), MIX, FastOptions()),
    "U-Net": translates,
    "residual": lambda: translates(kind="residual"),
}


@pytest.fixture(params=MAKES)
def paint(request) -> OnePass:
    return MAKES[request.param]()


# What is made


@pytest.mark.parametrize("size", [(16, 16), (17, 40), (33, 70), (69, 47)])
def test_every_size_comes_back_as_the_networks_picture(paint, size):
    image = picture(*size)
    with torch.no_grad():
        right = paint.network(image, paint.mode).clamp(0, 1)
    found = paint(image)
    assert found.shape == image.shape and found.dtype == torch.float32
    torch.testing.assert_close(found, right, atol=1e-5, rtol=0)


def test_the_picture_that_was_given_is_not_changed(paint):
    image = picture(24, 30)
    before = image.clone()
    paint(image).zero_()
    assert torch.equal(image, before)


def test_strips_are_the_whole(paint):
    image = picture(130, 50)
    thin = replace(paint, budget=Budget(largest=16 * 50))
    assert thin.rows(130, 50) < 130
    assert psnr(thin(image), paint(image)) > 60


def test_a_video_is_made_by_the_statistics_of_its_shot(paint):
    frames = [picture(40, 48), picture(40, 48) * 0.9]
    shot = followed(None, frames[0], paint.moments)
    torch.testing.assert_close(paint(frames[0], shot.moments), paint(frames[0]), atol=1e-3, rtol=0)
    shot = followed(shot, frames[1], paint.moments)
    steady, own = paint(frames[1], shot.moments), paint(frames[1])
    assert (steady - own).abs().max() > 1e-3


# Memory


SHORTAGES = (
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    RuntimeError("could not create a primitive"),
)


@pytest.fixture
def short(monkeypatch):
    """Let memory run out as often as is said, and by that error; late, when statistics are collected."""
    paint, left = strips.paint, []

    def failing(*arguments, **options):
        output = paint(*arguments, **options)
        if left:
            raise left.pop()
        return output

    monkeypatch.setattr(strips, "paint", failing)
    return lambda count, error: left.extend([error] * count)


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: str(error)[:20])
def test_painting_goes_on_in_thinner_strips(paint, short, error):
    image = picture(100, 40)
    right = paint(image)
    short(2, error)
    assert psnr(paint(image), right) > 60
    assert [note.split("of ")[-1] for note in paint.budget.notes] == ["50 rows", "25 rows"]
    assert paint.plan(100, 40)[0] == 25  # and the next picture begins there
    assert psnr(paint(image), right) > 60
    assert len(paint.budget.notes) == 2


def test_statistics_are_collected_once(paint, short):
    count = len(paint.moments(picture(100, 40)))
    short(1, MemoryError())
    assert len(paint.moments(picture(100, 40))) == count


def test_copies_of_a_pass_remember_that_memory_ran_out(paint, short):
    short(1, MemoryError())
    replace(paint, mode=paint.mode)(picture(100, 40))
    assert paint.plan(100, 40)[0] == 50 and len(paint.budget.notes) == 1


def test_memory_that_never_suffices_is_an_error_of_one_line(paint, short):
    short(100, MemoryError())
    with pytest.raises(
        DeviceError, match=r"40 x 100 pixels is too large .* out of memory; use a smaller --size"
    ):
        paint(picture(100, 40))


def test_other_errors_are_not_taken_for_a_shortage(paint, short):
    short(1, RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        paint(picture(100, 40))


def test_the_plan_paints_whole_what_fits_and_strips_what_does_not(paint):
    full = replace(paint, budget=Budget(comfort=COMFORT))
    assert full.plan(512, 512)[0] == 512
    rows, needed = full.plan(40_000, 20_000)
    assert rows < 40_000
    full.budget.room = needed
    assert full.plan(40_000, 20_000) == (rows, needed)
    assert full.plan(512, 512)[0] == 512


def test_the_plan_names_a_size_that_fits(paint):
    paint.budget.room = 2e9
    with pytest.raises(DeviceError, match=r"^a picture of 40000 x 30000 .* GB.* use --size \d+$") as caught:
        paint.plan(30_000, 40_000)
    side = int(str(caught.value).split()[-1])
    assert 1000 < side < 40_000
    assert paint.plan(side * 3 // 4, side)[1] <= 2e9


def test_memory_is_obeyed(paint):
    given = budgeted(paint, 1.5).budget
    assert (given.room, given.comfort) == (1.5e9, math.inf)
    free = budgeted(paint, 0.0).budget
    assert 0 < free.room <= math.inf
    assert free.comfort == COMFORT


# Number types


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_precision_is_obeyed_without_a_look(paint, name, monkeypatch):
    monkeypatch.setattr(onepass, "_alike", None)
    assert formed(paint, name, picture(20, 20), math.inf).form.dtype == getattr(torch, name)


@pytest.mark.parametrize(
    ("able", "work", "noise", "right"),
    [
        (True, math.inf, 0.001, torch.bfloat16),
        (True, math.inf, 0.1, torch.float32),  # not alike
        (True, 400, 0.001, torch.float32),  # not worth it
        (False, math.inf, 0.001, torch.float32),  # not this machine's
    ],
)
def test_auto_hangs_on_machine_and_picture_alone(paint, monkeypatch, able, work, noise, right):
    sample = picture(20, 20)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": able})
    rough = {torch.float32: sample, torch.bfloat16: sample + noise}
    monkeypatch.setattr(OnePass, "run", lambda self, x: rough[self.form.dtype].clone())
    assert formed(paint, "auto", sample, work).form.dtype == right


@pytest.mark.parametrize(
    ("size", "right"), [((20, 30), (20, 30)), ((500, 1000), (128, 256)), ((2000, 20), (256, 16))]
)
def test_samples_are_small_but_not_too_small(size, right):
    assert tuple(onepass.shrunk(picture(*size)).shape[2:]) == right


def test_auto_looks_and_paints(paint):
    image = picture(40, 40)
    chosen = formed(paint, "auto", image, math.inf)
    assert psnr(chosen(image), paint(image)) > 38
    assert chosen.plan(40, 40) == (40, chosen.needed(40, 40, 40))


def test_bfloat16_is_near(paint):
    image = picture(64, 64)
    rough = replace(paint, form=Form(torch.bfloat16, torch.channels_last))
    assert 25 < psnr(rough(image), paint(image)) < 100


def test_a_network_that_sees_few_rows_works_in_strips_on_a_cpu():
    """Not for memory, of which there is plenty, but for time; a small picture is one strip."""
    network = EnlargeNetwork(EnlargeArchitecture(inputs=3, blocks=2)).eval()
    enlarge = enlarger({4: network}, 4, lambda size: (4 * size[0], 4 * size[1]))
    rows, needed = enlarge.plan(512, 512)
    assert 16 <= rows < 128 and needed < enlarge.needed(512, 512, 512) / 2
    assert enlarge.plan(24, 32)[0] == 24
    image = picture(150, 512)
    with torch.no_grad():
        right = network(image, enlarge.mode).clamp(0, 1)
    assert enlarge.rows(150, 512) < 150
    torch.testing.assert_close(enlarge(image), right, atol=1e-5, rtol=0)


def test_networks_that_see_few_rows_take_thinner_strips_where_memory_asks_for_them():
    """Down to the thinnest; below that the message gives a size of the input, which --size is not there."""
    network = EnlargeNetwork(EnlargeArchitecture(inputs=3, blocks=2)).eval()
    enlarge = enlarger({4: network}, 4, lambda size: (4 * size[0], 4 * size[1]))
    usual, least = (enlarge.needed(150, 256, rows) for rows in (enlarge.rows(150, 256), 16))
    assert least < 0.9 * usual
    tight = replace(enlarge, budget=Budget((least + usual) / 2))
    rows, needed = tight.plan(150, 256)
    assert 16 <= rows < enlarge.rows(150, 256) and needed <= tight.budget.room
    image = picture(150, 256)
    torch.testing.assert_close(tight(image), enlarge(image), atol=1e-5, rtol=0)
    with pytest.raises(DeviceError, match=r"256 x 150 pixels is too large.*; a long side of \d+ would do$"):
        replace(enlarge, budget=Budget(least - 1)).plan(150, 256)
