"""Runs of events: to their result, and passed on."""

import dataclasses

import pytest

from styler.events import Note, Step, relay, result_of


def run():
    yield Note("a")
    yield Step(1, 1)
    return "the picture"


def test_the_result_of_a_run_is_what_it_returns():
    assert result_of(run()) == "the picture"
    assert result_of(relay(run(), lambda event: ())) == "the picture"


def test_a_relay_passes_on_what_is_answered_to_each_event():
    assert list(relay(run(), lambda event: (event, "more"))) == [Note("a"), "more", Step(1, 1), "more"]


def test_events_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Step(1, 1).index = 2
