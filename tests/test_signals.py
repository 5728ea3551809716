"""Signals: the first ends the work with a picture, the second ends it at once, and nothing is left half."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import styler
from styler.engine.solvers import LBFGS
from styler.signals import Interrupt, Interrupted, interruptible
from styler.storage.pictures.load import load_picture, read_recipe
from styler.storage.pictures.save import encode_picture

INT, TERM = signal.SIGINT, signal.SIGTERM


def send(number):
    os.kill(os.getpid(), number)


@pytest.fixture
def at_step(monkeypatch):
    """Have something done in the middle of a step."""
    tell = LBFGS.tell

    def at_step(index, do):
        calls = []

        def told(self, loss, gradient):
            calls.append(loss)
            if len(calls) == index:
                do()
            tell(self, loss, gradient)

        monkeypatch.setattr(LBFGS, "tell", told)

    return at_step


def test_the_first_signal_is_remembered_and_the_second_raises():
    interrupt = Interrupt()
    assert not interrupt() and interrupt.exit_code == 0
    interrupt.receive(TERM)
    assert interrupt() and interrupt.exit_code == 143
    with pytest.raises(Interrupted) as caught:
        interrupt.receive(INT)
    assert caught.value.exit_code == 130


def test_a_signal_before_anybody_asked_raises():
    with pytest.raises(Interrupted) as caught:
        Interrupt().receive(TERM)
    assert caught.value.exit_code == 143


@pytest.mark.parametrize("number", [INT, TERM, getattr(signal, "SIGHUP", INT)])
def test_real_signals_come_through_and_the_old_handlers_come_back(number):
    before = signal.getsignal(number)
    with interruptible() as interrupt:
        interrupt()
        send(number)
        assert interrupt()
    assert interrupt.exit_code == 128 + number
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", [INT, TERM, getattr(signal, "SIGHUP", INT)])
def test_ignored_signals_stay_ignored(number):
    """As SIGHUP is under nohup."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with interruptible() as interrupt:
            interrupt()
            send(number)
            assert not interrupt()
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(("number", "code"), [(INT, 130), (TERM, 143)])
def test_the_first_signal_saves_the_picture_as_it_stands(paint, studio, at_step, number, code):
    at_step(3, lambda: send(number))
    done = paint("--steps", "1000", "--coarse-steps", "1000", "--size", "96", "--scales", "2")
    assert done.code == code, done.err
    assert "2 of 1000" in done.err  # in the third evaluation, that of the second step's picture
    with Image.open("photo-style.png") as painted:
        assert painted.size == (96, 72)  # of the last scale, though it was in the first
    assert read_recipe("photo-style.png")["interrupted"] is True


def test_the_second_signal_leaves_nothing(paint, studio, at_step):
    before = set(studio.iterdir())
    at_step(3, lambda: [send(INT), send(TERM)])
    done = paint("--steps", "1000")
    assert done.code == 143 and done.err.splitlines()[-1].startswith("stopped at once")
    assert set(studio.iterdir()) == before


def test_a_signal_while_the_program_is_loaded_prints_no_traceback():
    finder = "class Finder:\n def find_spec(self, name, *_):\n  if name == 'click': raise KeyboardInterrupt\n"
    code = f"import sys\n{finder}sys.meta_path.insert(0, Finder())\nimport styler.__main__"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130 and not done.stderr


def test_a_signal_before_the_first_step_leaves_nothing(paint, studio, monkeypatch):
    before = set(studio.iterdir())

    def slow(source, **options):
        if source == "photo.png":
            send(INT)
        return load_picture(source, **options)

    monkeypatch.setattr("styler.jobs.records.load_picture", slow)
    done = paint()
    assert done.code == 130 and done.err.endswith("stopped at once: what was not finished is not saved\n")
    assert set(studio.iterdir()) == before


def test_a_signal_while_the_picture_is_written_lets_it_be_whole(paint, studio, monkeypatch):
    def slow(*args, **options):
        send(INT)
        return encode_picture(*args, **options)

    monkeypatch.setattr("styler.storage.pictures.save.encode_picture", slow)
    assert paint().code == 130
    assert load_picture("photo-style.png").image.shape == (1, 3, 24, 32)


@pytest.mark.parametrize("number", [INT, TERM, getattr(signal, "SIGHUP", INT)])
def test_a_signal_to_a_command_without_steps_leaves_no_temporary(run, studio, monkeypatch, number):
    before = set(studio.iterdir())
    monkeypatch.setattr(os, "fsync", lambda _: send(number))
    assert run("models", "convert", "ink", "-o", "new.safetensors").code == 128 + number
    assert set(studio.iterdir()) == before


def test_signals_to_a_process_of_its_own(studio):
    """Ctrl-C and SIGTERM to two real runs; each saves a whole picture and says with its code why it ended."""
    words = ["optimize", "photo.png", "style.png", "--network", "net.safetensors", "--size", "64"]
    words += ["--steps", "1000000", "-v"]
    environment = {**os.environ, "PYTHONPATH": str(Path(styler.__file__).parents[1])}
    running = {
        number: subprocess.Popen(
            [sys.executable, "-m", "styler", *words, "-o", f"{number}.png"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for number in (INT, TERM)
    }
    for number, process in running.items():
        with process:
            for line in process.stderr:
                if "step 3 of" in line:
                    break
            process.send_signal(number)
            rest = process.stderr.read()
        assert process.returncode == 128 + number, rest
        assert "Wrote" in rest.splitlines()[-1]
        assert load_picture(f"{number}.png").image.shape == (1, 3, 48, 64)
    assert {path.name for path in studio.iterdir() if path.name.startswith(".")} == set()
