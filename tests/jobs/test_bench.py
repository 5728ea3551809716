"""What `styler bench` measures, at tiny sizes; how fast that is, no test can say."""

import dataclasses
import re

import pytest
import torch

from styler.errors import CheckpointError, InputError
from styler.events import Item
from styler.jobs import bench as benching
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.networks.transform import Architecture, TransformNetwork
from styler.options.fast import BenchOptions
from styler.storage.cards import Card, Style
from styler.storage.models import library
from styler.storage.models.library import Model


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    """One round of each, and a folder for models."""
    library.folder().mkdir(parents=True)
    monkeypatch.setattr(benching, "SECONDS", 0.0)
    monkeypatch.setattr(benching, "ROUNDS", 1)


@pytest.fixture
def pair():
    """An installed model of two styles."""
    network = TransformNetwork(Architecture(4, 2))
    card = Card("transform", dataclasses.asdict(network.made), (Style("ink"), Style("oil")))
    library.write(library.folder() / "pair.safetensors", Model(network, card))


def bench(stop=lambda: False, **options):
    """Run it to its end: events, and the rows."""
    run, events = benching.bench(BenchOptions(**options), stop), []
    while True:
        try:
            events.append(next(run))
        except StopIteration as end:
            return events, end.value


def test_a_row_for_each_width_size_and_number_type():
    events, rows = bench(sizes="16,24x16")
    assert len(rows) == len(events) == 3 * 2 * 2 and all(isinstance(event, Item) for event in events)
    assert all(len(row) == len(benching.COLUMNS) for row in rows)
    assert {row[1] for row in rows} == {"16 x 16", "24 x 16"}
    assert {row[2] for row in rows} == {"float32", "bfloat16"}
    assert [row[0] for row in rows[::4]] == ["full (width 32)", "small (width 16)", "tiny (width 8)"]
    for row in rows:
        assert all(re.fullmatch(r"[0-9]+\.[0-9]{2} frames/s", pace) for pace in row[3:5])
        assert re.fullmatch(r"[0-9]+ MB|unknown", row[5])


def test_a_model_is_measured_alone(pair):
    _, rows = bench(model="pair", sizes="16")
    assert [row[:3] for row in rows] == [("pair", "16 x 16", "float32"), ("pair", "16 x 16", "bfloat16")]


def test_models_that_paint_no_photos_are_refused():
    network = TextureNetwork(TextureArchitecture(2, 2, 1))
    card = Card("texture", dataclasses.asdict(network.made), (Style("sand"),))
    library.write(library.folder() / "grain.safetensors", Model(network, card))
    for name, says in (("grain", "makes textures"), ("nothing", "no model is called 'nothing'")):
        with pytest.raises(CheckpointError, match=says):
            bench(model=name)


def test_once_stopped_it_returns_the_rows_that_are_done():
    asked = iter([False, False, True])
    _, rows = bench(stop=lambda: next(asked), sizes="16")
    assert len(rows) == 2


@pytest.mark.parametrize("sizes", ["", "15", "64x", "x64", "64x8", "64,", "64x64x64", "big", "-64", "٣٢"])
def test_sizes_that_are_none_are_refused(sizes):
    with pytest.raises(InputError, match=r"--sizes is '.*512,1920x1080"):
        bench(sizes=sizes)


def test_sizes_are_widths_and_heights():
    assert benching.sizes_of("16, 32x48") == [(16, 16), (48, 32)]


def test_the_pace_is_that_of_the_best_round(monkeypatch):
    """Of rounds of 4, 2 and 5 s after the first, the second counts: one in 2 s."""
    monkeypatch.setattr(benching, "ROUNDS", 3)
    clock = [0.0]
    monkeypatch.setattr(benching.time, "perf_counter", lambda: clock[0])
    spans = iter([100.0, 4.0, 2.0, 5.0])

    def run():
        clock[0] += next(spans)

    assert benching.pace(run, torch.device("cpu")) == 0.5
