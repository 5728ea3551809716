"""What a person and a program see: streams, escapes, plain lines, the live region and its preview."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console as RichConsole
from rich.text import Text

from styler.errors import InputError
from styler.events import Event, Item, Note, Result, Stage, Step, TrainStep
from styler.ui.console import JSON_KEYS, Console
from styler.ui.live import by_kind, duration, half_blocks, printable

LOSSES = {"content/relu4_2": 1.0, "style/relu1_1": 0.25, "style/relu2_1": 0.5, "tv": 0.0012345}
SHOW_CURSOR = "\x1b[?25h"


class Clock:
    """Time that passes only when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def terminal(is_terminal: bool, width: int = 120, height: int = 40, **environ: str) -> RichConsole:
    return RichConsole(
        file=io.StringIO(),
        force_terminal=is_terminal,
        color_system="truecolor" if is_terminal else None,
        width=width,
        height=height,
        legacy_windows=False,
        _environ=environ,
    )


class Screen:
    """A Console on two strings."""

    def __init__(self, stderr: RichConsole | None = None, tty_out: bool = False, **options: bool) -> None:
        self.clock = Clock()
        self.stderr = stderr or terminal(False)
        self.stdout = terminal(tty_out)
        self.console = Console(stderr=self.stderr, stdout=self.stdout, monotonic=self.clock, **options)

    @property
    def err(self) -> str:
        return self.stderr.file.getvalue()  # type: ignore[attr-defined]

    @property
    def out(self) -> str:
        return self.stdout.file.getvalue()  # type: ignore[attr-defined]

    def objects(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(events: Iterable[Event], result: str = "done") -> Generator[Event, None, str]:
    yield from events
    return result


def timed(clock: Clock, seconds: float, events: Iterable[Event]) -> Generator[Event, None, None]:
    for event in events:
        yield event
        clock.now += seconds


def steps(total: int, losses: dict[str, float] | None = None) -> list[Event]:
    return [Stage("scale", 192, 256, total), *(Step(i, total, losses) for i in range(1, total + 1))]


def picture(*rows: str) -> torch.Tensor:
    """[1, 3, H, W] from rows of letters: r, g, b, w and k (black)."""
    colors = {"r": (1, 0, 0), "g": (0, 1, 0), "b": (0, 0, 1), "w": (1, 1, 1), "k": (0, 0, 0)}
    return torch.tensor([[colors[pixel] for pixel in row] for row in rows]).permute(2, 0, 1)[None].float()


def cells(text: Text) -> list[list[tuple[str, str | None]]]:
    """Foreground and background per cell, e.g. ("#ff0000", None)."""
    console = terminal(True)
    lines = console.render_lines(text, console.options, pad=False)
    return [
        [
            (segment.style.color.name, segment.style.bgcolor.name if segment.style.bgcolor else None)
            for segment in line
            for _ in segment.text
        ]
        for line in lines
    ]


# Words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x[/red].jpg", "x[/red].jpg"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("two\nlines\t", r"two\nlines\t"),
        ("\x9b31m", r"\x9b31m"),
        ("txt\u202egpj.exe", r"txt\u202egpj.exe"),
        (os.fsdecode(b"caf\xe9.jpg"), r"caf\xe9.jpg"),
        ("日本 é.jpg", "日本 é.jpg"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_printable_fits_a_narrow_encoding() -> None:
    assert printable("é日", "latin-1") == r"é\u65e5"


@given(st.text(st.characters()))
def test_printable_text_cannot_drive_a_terminal_or_fail_to_encode(text: str) -> None:
    shown = printable(text)
    assert shown.encode().decode() == shown
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (41.4, "41 s"),
        (59.7, "1 min 00 s"),
        (725, "12 min 05 s"),
        (11230, "3 h 07 min"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_losses_are_summed_by_kind_in_order() -> None:
    assert list(by_kind(LOSSES).items()) == [("content", 1.0), ("style", 0.75), ("tv", 0.0012345)]


# Half blocks


def test_half_blocks_put_the_upper_pixel_in_front_and_the_lower_behind() -> None:
    red, green, blue, white = "#ff0000", "#00ff00", "#0000ff", "#ffffff"
    text = half_blocks(picture("rg", "bw", "wr"), columns=48, lines=20)
    assert text.plain == "▀▀\n▀▀"
    assert cells(text) == [[(red, blue), (green, white)], [(white, None), (red, None)]]


def test_half_blocks_average_squares() -> None:
    text = half_blocks(picture("rkgg", "krgg", "bbww", "bbkk"), columns=2, lines=5)
    assert cells(text) == [[("#800000", "#0000ff"), ("#00ff00", "#808080")]]


@pytest.mark.parametrize("size", [(1, 1), (1, 999), (999, 1), (300, 400), (401, 97), (2000, 16)])
@pytest.mark.parametrize("room", [(48, 22), (7, 3)])
def test_half_blocks_stay_in_their_room(size: tuple[int, int], room: tuple[int, int]) -> None:
    rows = cells(half_blocks(torch.rand(1, 3, *size), *room))
    assert 1 <= len(rows) <= room[1]
    assert {1 <= len(row) <= room[0] for row in rows} == {True}


def test_half_blocks_survive_numbers_that_are_none() -> None:
    image = torch.tensor([float("nan"), float("inf"), -3.0]).view(1, 3, 1, 1)
    assert cells(half_blocks(image, 9, 9)) == [[("#00ff00", None)]]


# Plain lines


def test_follow_returns_what_the_events_return() -> None:
    assert Screen().console.follow(run([*steps(2)], "the picture")) == "the picture"
    assert Screen(quiet=True).console.follow(run([*steps(2)], "the picture")) == "the picture"


def test_plain_lines_come_at_most_every_ten_seconds() -> None:
    screen = Screen()
    screen.console.follow(timed(screen.clock, 4.0, steps(8, LOSSES)))
    losses = "content 1, style 0.75, tv 0.00123"
    assert screen.err.splitlines() == [
        "scale 256 x 192: 8 steps",  # at 0 s
        f"scale 256 x 192: step 3 of 8, {losses}, 20 s left",  # 12 s, the first after 10 s
        f"scale 256 x 192: step 6 of 8, {losses}, 8.0 s left",  # 24 s
        f"scale 256 x 192: 8 of 8 steps in 32 s, {losses}",
    ]
    assert screen.out == ""


def test_a_pipe_gets_no_escape_sequences_and_no_preview() -> None:
    screen = Screen()
    screen.console.follow(run([Stage("scale", 8, 8, 2), Step(1, 2, LOSSES, picture("r")), Step(2, 2)]))
    assert "\x1b" not in screen.err and "▀" not in screen.err


def test_items_are_throttled_and_name_their_stages() -> None:
    screen = Screen()
    items: list[Event] = [Item(i, 4, f"{i}.jpg") for i in range(1, 4)]
    screen.console.follow(timed(screen.clock, 6.0, [*items, Item(4, 4, "x[/red].jpg"), *steps(1)]))
    assert screen.err.splitlines() == [
        "1.jpg: 1 of 4",
        "3.jpg: 3 of 4",
        "x[/red].jpg: scale 256 x 192: 1 steps",
        "x[/red].jpg: scale 256 x 192: 1 of 1 steps in 6.0 s",
    ]


def test_a_training_without_a_stage_is_followed() -> None:
    screen = Screen()
    screen.console.follow(timed(screen.clock, 11.0, [TrainStep(i, 3, {"style": 2.0}) for i in (1, 2, 3)]))
    assert "steps: step 2 of 3, style 2, 11 s left" in screen.err


def test_the_first_slow_step_tells_how_long_the_rest_takes() -> None:
    screen = Screen()
    screen.console.follow(
        timed(screen.clock, 15.0, [Stage("train", 8, 8, 9), TrainStep(1, 9), TrainStep(2, 9)])
    )
    assert "train 8 x 8: step 1 of 9, 2 min 00 s left" in screen.err


def test_a_stage_that_is_left_early_is_reported_once() -> None:
    screen = Screen()
    screen.console.follow(run([*steps(9)[:4], *steps(2)]))
    ends = [line for line in screen.err.splitlines() if " in " in line]
    assert ends == ["scale 256 x 192: 3 of 9 steps in 0.0 s", "scale 256 x 192: 2 of 2 steps in 0.0 s"]


def test_verbose_lists_the_losses_of_every_reported_step() -> None:
    screen = Screen(verbose=True)
    screen.console.follow(
        run([Stage("scale", 4, 4, 4), Step(1, 4), *(Step(i, 4, LOSSES) for i in (2, 3, 4))])
    )
    lines = [line for line in screen.err.splitlines() if "relu" in line]
    assert [line.partition("step ")[2][:6] for line in lines] == ["2 of 4", "3 of 4", "4 of 4"]
    assert lines[0].endswith("content/relu4_2 1, style/relu1_1 0.25, style/relu2_1 0.5, tv 0.00123")


def test_quiet_leaves_errors_only() -> None:
    screen = Screen(quiet=True)
    screen.console.follow(run([*steps(2, LOSSES), Note("hm")]))
    screen.console.note("hm")
    screen.console.warn("hm")
    screen.console.result({"output": "a.png"})
    assert screen.err == ""
    screen.console.error(InputError("No such picture: a.png"))
    assert (screen.err, screen.out) == ("Error: No such picture: a.png\n", "")


# The live region


def test_the_live_region_shows_stage_bar_steps_and_losses() -> None:
    screen = Screen(terminal(True, width=80))
    seen = []

    def work() -> Generator[Event, None, None]:
        yield from steps(4, LOSSES)[:3]
        screen.clock.now += 2
        yield Step(3, 4)
        screen.console.note("redrawn below this line")
        seen.append(screen.err)

    screen.console.follow(work())
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", seen[0]).splitlines()
    assert shown[-2].startswith("scale 256 x 192 ━") and "3/4 1.0/s 0:00:01" in shown[-2]
    assert shown[-1].rstrip() == "content 1, style 0.75, tv 0.00123"
    assert screen.err.rpartition("\x1b[?25l")[2].count(SHOW_CURSOR) == 1


def shown_by(stderr: RichConsole, *pictures: torch.Tensor, seconds: float = 0.5) -> str:
    screen = Screen(stderr)

    def work() -> Generator[Event, None, None]:
        yield Stage("scale", 2, 1, 9)
        for index, image in enumerate(pictures, 1):
            yield Step(index, 9, LOSSES, image)
            screen.console.note("redrawn below this line")
            screen.clock.now += seconds

    screen.console.follow(work())
    return screen.err


def test_the_preview_has_the_colors_of_the_picture() -> None:
    assert "\x1b[38;2;255;0;0;48;2;0;0;255m▀" in shown_by(terminal(True), picture("r", "b"))


def test_the_preview_changes_at_most_once_a_second() -> None:
    shown = shown_by(terminal(True), picture("r"), picture("g"), picture("b"), seconds=0.5)
    assert "38;2;255;0;0" in shown and "38;2;0;255;0" not in shown and "38;2;0;0;255" in shown


def test_no_preview_on_a_small_terminal() -> None:
    assert "▀" not in shown_by(terminal(True, width=99), picture("r"))
    assert "▀" not in shown_by(terminal(True, height=29), picture("r"))


def test_no_color_drops_colors_and_preview_but_not_the_bar() -> None:
    shown = shown_by(terminal(True, NO_COLOR="1"), picture("r"))
    assert "━" in shown and "▀" not in shown
    assert not re.search(r"\x1b\[[\d;]*(3[0-9]|38;)[\d;]*m", shown)
    assert re.search(r"\x1b\[[\d;]*(3[0-9]|38;)[\d;]*m", shown_by(terminal(True), picture("r")))


def test_a_dumb_terminal_gets_plain_lines() -> None:
    screen = Screen(terminal(True, TERM="dumb"))
    screen.console.follow(run(steps(2)))
    assert "8 steps" not in screen.err and "scale 256 x 192: 2 steps" in screen.err and "━" not in screen.err


def test_forced_colors_in_a_pipe_bring_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    Console().follow(run(steps(2)))
    assert "━" not in sys.stderr.getvalue() and "2 of 2 steps" in sys.stderr.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_an_interrupt_closes_the_events_and_restores_the_terminal(is_terminal: bool) -> None:
    closed = []

    def work() -> Generator[Event, None, None]:
        try:
            yield from steps(9)[:3]
            yield Note("now")
        finally:
            closed.append(True)

    screen = Screen(terminal(is_terminal))
    screen.console.note = lambda text: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[assignment,method-assign]
    events = work()  # held, so that only follow can close it
    with pytest.raises(KeyboardInterrupt):
        screen.console.follow(events)
    assert closed == [True]
    assert "2 of 9 steps" in screen.err
    assert screen.err.count(SHOW_CURSOR) == is_terminal


def test_an_error_of_the_work_passes_through() -> None:
    def work() -> Generator[Event, None, None]:
        yield Stage("scale", 4, 4, 4)
        raise InputError("no")

    screen = Screen(terminal(True))
    with pytest.raises(InputError):
        screen.console.follow(work())
    assert SHOW_CURSOR in screen.err


def test_results_on_the_terminal_of_the_live_region_wait_for_it_to_be_erased() -> None:
    stream = terminal(True)
    console = Console(json=True, stderr=stream, stdout=stream, monotonic=Clock())

    def work() -> Generator[Event, None, None]:
        yield Item(1, 2, "a.jpg")
        console.result({"output": "a.png"})
        yield Item(2, 2, "b.jpg")

    console.follow(work())
    before, _, after = stream.file.getvalue().partition('{"version"')  # type: ignore[attr-defined]
    assert before.rpartition("\x1b[?25l")[2].count(SHOW_CURSOR) == 1
    assert before.endswith("\x1b[2K")  # the region's last line erased, the cursor on it
    following = after.partition("\n")[2]
    assert "\x1b[1A" not in following.partition("b.jpg")[0]  # the new region starts below and erases nothing


# Names, notes, errors


def test_names_are_printed_as_they_are_or_escaped() -> None:
    screen = Screen(terminal(True))
    name = "x[/red][bold]:smile:\x1b[2J" + os.fsdecode(b"\xff")
    shown = r"x[/red][bold]:smile:\x1b[2J\xff"
    screen.console.follow(run([Item(1, 1, name), Stage(name, 4, 4, 1), Step(1, 1), Note(name)]))
    for say in (screen.console.note, screen.console.warn, screen.console.text):
        say(name)
    screen.console.error(InputError(name))
    screen.console.result({"output": name})
    assert name not in screen.err and "\x1b[2J" not in screen.err
    assert f"Wrote {shown}" in screen.err and f"m{shown}\n" in screen.err
    assert screen.out == shown + "\n"


def test_a_narrow_stream_never_fails() -> None:
    raw = io.BytesIO()
    stream = RichConsole(file=io.TextIOWrapper(raw, "ascii"), force_terminal=False, _environ={})
    console = Console(stderr=stream, stdout=stream)
    console.follow(run([Item(1, 1, "é.jpg"), Note("日")]))
    console.text("é")
    assert raw.getvalue().decode("ascii").splitlines() == [r"\xe9.jpg: 1 of 1", r"\u65e5", r"\xe9"]


def test_a_long_error_stays_one_line() -> None:
    screen = Screen(terminal(False, width=40))
    screen.console.error(InputError("word " * 40 + "\nend"))
    assert screen.err == "Error: " + "word " * 40 + "\\nend\n"


def test_an_error_without_words_has_its_class() -> None:
    screen = Screen()
    screen.console.error(MemoryError())
    assert screen.err == "Error: MemoryError\n"


# Results


def test_a_result_is_a_sentence_for_people_on_stderr() -> None:
    screen = Screen()
    screen.console.result({"output": Path("a.png"), "sizes": [[192, 256], [384, 512]], "seconds": 41.2})
    screen.console.result({})
    assert (screen.err, screen.out) == ("Wrote a.png (512 x 384) in 41 s\nDone\n", "")


def test_json_has_one_object_a_line_with_all_keys() -> None:
    screen = Screen(json=True)
    name = os.fsdecode(b"\xff\n.png")
    screen.console.follow(run([*steps(1), Note("tiles of 512 pixels")]))
    screen.console.warn("no profile")
    screen.console.result(
        {"input": Path("a.jpg"), "output": name, "losses": {"tv": float("nan"), "style": 2.0}}
    )
    screen.console.error(InputError("No such picture: b.jpg"), {"input": "b.jpg"})
    done, failed = screen.objects()
    assert set(done) == set(failed) == {"version", *JSON_KEYS}
    assert done["version"] == 1 and done["error"] is None and done["seed"] is None
    assert done["output"] == name and done["input"] == "a.jpg"
    assert done["losses"] == {"tv": None, "style": 2.0}
    assert done["warnings"] == ["tiles of 512 pixels", "no profile"] and failed["warnings"] == []
    assert (failed["input"], failed["error"]) == ("b.jpg", "InputError")
    assert failed["message"] == "No such picture: b.jpg"
    assert "Error" not in screen.err and "Wrote" not in screen.err


def test_quiet_json_still_has_its_objects() -> None:
    screen = Screen(json=True, quiet=True)
    screen.console.follow(run([Note("hm")]))
    screen.console.result({"output": "a.png"})
    assert screen.objects()[0]["warnings"] == ["hm"] and screen.err == ""


COLUMNS = ("name", "bytes")
ROWS = [("vgg[/x]", 12), ("a\tb\x1b", 3)]


def test_a_table_in_a_pipe_is_tab_separated() -> None:
    screen = Screen()
    screen.console.table("Weights", COLUMNS, ROWS)
    assert screen.out == "name\tbytes\nvgg[/x]\t12\na\\tb\\x1b\t3\n"


def test_a_table_on_a_terminal_is_drawn() -> None:
    screen = Screen(tty_out=True)
    screen.console.table("Weights[/x]", ("name[/y]", "bytes"), ROWS)
    assert "Weights[/x]" in screen.out and "name[/y]" in screen.out
    assert "vgg[/x]" in screen.out and r"a\tb\x1b" in screen.out
    assert "━" in screen.out and "\t" not in screen.out


def test_a_table_as_json_has_an_object_a_row() -> None:
    screen = Screen(json=True)
    screen.console.table("Weights", COLUMNS, ROWS)
    assert screen.objects()[0] == {"version": 1, "name": "vgg[/x]", "bytes": 12}


def test_text_keeps_its_lines_and_is_not_wrapped() -> None:
    screen = Screen()
    screen.console.text("a" * 500 + "\nb\n")
    assert screen.out == "a" * 500 + "\nb\n\n"


def test_a_closed_stdout_ends_quietly() -> None:
    script = "from styler.ui.console import Console\nfor i in range(10 ** 6): Console().text('line')"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    assert process.stdout.readline() == b"line" + os.linesep.encode()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 1
    process.stderr.close()


# Batches and pictures


DONE = Result({"input": "a.jpg", "output": "b.png", "seconds": 0.5, "sizes": [[20, 30]]})
FAILED = Result({"input": "c.jpg", "output": None, "error": "InputError", "message": "c.jpg is empty"})
PLANNED = Result({"input": "d.jpg", "output": None, "message": "d.jpg -> e.png, whole"})


def test_each_input_of_a_batch_gets_a_line():
    screen = Screen()
    screen.console.follow(run([DONE, FAILED, PLANNED]))
    assert screen.err.splitlines() == [
        "Wrote b.png (30 x 20) in 0.5 s",
        "Error: c.jpg is empty",
        "d.jpg -> e.png, whole",
    ]


def test_a_quiet_batch_tells_errors_only():
    screen = Screen(quiet=True)
    screen.console.follow(run([DONE, FAILED, PLANNED]))
    assert screen.err == "Error: c.jpg is empty\n"


def test_a_batch_in_json_is_an_object_an_input():
    screen = Screen(json=True)
    screen.console.follow(run([Note("small"), DONE, FAILED]))
    done, failed = screen.objects()
    assert set(done) == {"version", *JSON_KEYS}
    assert (done["output"], done["error"], done["warnings"]) == ("b.png", None, ["small"])
    assert (failed["error"], failed["message"], failed["warnings"]) == ("InputError", "c.jpg is empty", [])


def test_pictures_are_drawn_on_a_terminal_with_colors():
    screen = Screen(tty_out=True)
    screen.console.pictures([torch.rand(1, 3, 32, 32), torch.rand(1, 3, 16, 32)])
    lines = screen.out.splitlines()
    assert 8 <= len(lines) <= 9 and lines[0].count("▀") == 32


def test_pictures_have_their_names_below():
    screen = Screen(tty_out=True)
    screen.console.pictures([torch.rand(1, 3, 32, 32)] * 2, ["ink", "o\x1bil"])
    assert screen.out.splitlines()[8].split() == ["ink", "o\\x1bil"]


def test_pictures_are_drawn_nowhere_else():
    for screen in (Screen(), Screen(tty_out=True, json=True)):
        screen.console.pictures([torch.rand(1, 3, 32, 32)])
        assert screen.out == ""
