"""The command line: usage, streams, exit codes, help, and the commands beside `optimize`."""

import hashlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import click
import pytest
import torch
from corpus import picture
from faulty_server import serving
from narrow import indexed, saved
from PIL import Image, PngImagePlugin

import styler
from styler.errors import InputError
from styler.jobs import optimize
from styler.options.optimize import OptimizeOptions
from styler.storage import doctor
from styler.storage.models import library, vgg
from styler.storage.models.known import WEIGHTS
from styler.storage.pictures.load import read_recipe
from styler.ui import cli, flags, remake


def commands(group=cli.styler, path=("styler",)):
    """Every command with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        yield (*path, name), command


# Usage


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--size", "15"), "'15' is no size: write the long side"),
        (("--size", "big"), "'big' is no size: write the long side"),
        (("--style-weight", "nan"), "nan is not a finite number"),
        (("--content-weight", "-1"), "-1"),
        (("--tv-weight", "NaN"), "nan is not a finite number"),
        (("--learning-rate", "inf"), "inf is not in the range 1e-09<=x<=1000000000.0"),
        (("--style-scale", "nan"), "nan is not a finite number"),
        (("--style-weight", "inf"), "inf is not in the range 0<=x<=1000000000.0"),
        (("--threads", "many"), "'many' is not a valid whole number"),
        (("--learning-rate", "much"), "'much' is not a valid number"),
        (("--size", "99999999"), "'99999999' is too large a size: 999999 pixels is the most"),
        (("--style-layers", "relu1_1:nan"), "no layer with a weight"),
        (("--style-layers", "relu1_1,relu1_1"), "layer relu1_1 is given twice"),
        (("--optimizer", "sgd"), "'sgd' is not one of"),
        (("--steps", "0"), "0 is not in the range"),
        (("--seed", "-1"), "-1"),
        (("--stile-weight", "1"), "--style-weight"),
        (("--json", "-o", "-"), "standard output"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_right(paint, studio, words, says):
    before = set(studio.iterdir())
    done = paint(*words)
    assert done.code == 2 and done.out == b"" and says in done.err
    assert "Traceback" not in done.err and set(studio.iterdir()) == before


def test_a_forgotten_style_is_wrong_usage(run, studio):
    assert run("optimize", "photo.png").code == 2
    assert run("nonsense").code == 2


@pytest.mark.parametrize(("path", "command"), list(commands()), ids=lambda value: str(value))
def test_help_tells_of_every_option(run, path, command):
    every = "--help-all" if any(p.name == "help_all" for p in command.params) else "--help"
    done = run(*path[1:], every)
    assert done.code == 0 and done.err == ""
    text = done.out.decode()
    assert command.help and len(command.help.splitlines()[0]) < 105
    assert isinstance(command, click.Group) or f"\n  {' '.join(path)}" in text, "there is no example"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.name} has no help"
            assert all(name in text for name in parameter.opts)


def test_help_begins_with_what_people_turn(run):
    """Examples, then groups of options, half of them; bounds in words; the way to the rest."""
    text = run("optimize", "--help").out.decode()
    titles = re.findall(r"^(\w+):", text, re.MULTILINE)
    assert titles == ["Usage", "Options", "Network", "Machine", "Output", "Messages"]
    assert text.index("styler optimize photo.jpg painting.jpg") < text.index("Options:")
    assert "--style-layers" not in text and "optimize --help-all" in text
    every = run("optimize", "--help-all").out.decode()
    assert "--style-layers" in every and "more options" not in every
    assert text.count("\n  -") < 0.6 * every.count("\n  -")
    assert not re.search(r"[<>]=|e\+?\d\d|9223372036854775807|WHOLE NUMBER RANGE", every)
    assert "[default: 95; 1 to 100]" in " ".join(every.split())


def test_commands_are_listed_in_the_order_of_use(run):
    text = run("--help").out.decode()
    assert re.findall(r"^(\w[^:\n]*):", text, re.MULTILINE)[2:4] == ["Paint", "Train"]
    assert text.index("\n  fast ") < text.index("\n  optimize ") < text.index("\n  doctor ")
    assert (
        all(f"\n  {name} " in text for name in cli.styler.commands)
        and "..." not in text.partition("Options:")[2]
    )


def test_styler_alone_names_commands_to_try(run):
    done = run()
    words = [line.split() for line in done.lines if line.startswith("  styler ")]
    assert done.code == 0 and len(words) == 3
    assert [run(*line[1:2], "--help").code for line in words] == [0, 0, 0]


def test_flags_of_all_commands_may_come_first(run, studio):
    assert json.loads(run("--json", "show", "photo.png").out)["error"] == "InputError"


def test_a_line_comes_before_torch_is_loaded(studio):
    """In a process of its own, as torch is loaded here; not with -q, and not where a file is missing."""
    command = [sys.executable, "-m", "styler", "fast", "photo.png", "--style", "wave"]
    said = [
        subprocess.run([*command, *more], capture_output=True, text=True, cwd=studio).stderr
        for more in (["--size", "32"], ["-q", "--overwrite"], ["nothing.png"])
    ]
    assert said[0].startswith("Loading ...\n") and said[0].count("Loading") == 1
    assert said[1] == "" and "Loading" not in said[2]


def test_the_built_in_network_is_mentioned_once_for_each_user(run, studio):
    words = ("optimize", "photo.png", "style.png", "--size", "32", "--steps", "1", "--overwrite")
    first, second = run(*words), run(*words)
    assert first.err.count("painted by the built-in network") == 1 and "Warning" not in first.err
    assert first.code == second.code == 0 and "built-in" not in second.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("photo.png", "style.png", "out.png"),
            "no file out.png: if it is to be written, -o out.png",
        ),
        (("photo.png", "nothing.png"), "nothing.png cannot be read: no such file"),
        (("photo.png", "style.png", "--init", "randm"), "--init is 'randm'; choose one of content, noise"),
    ],
)
def test_usual_slips_have_advice(run, studio, words, says):
    done = run("optimize", *words)
    assert done.code == 1 and says in done.err and not list(studio.glob("photo-*"))


def test_the_version(run):
    assert run("--version").out.endswith(f"styler {styler.__version__}\n".encode())


def test_every_flag_turns_into_an_option_and_back(run, tmp_path, monkeypatch):
    """What is written of a recipe, click reads as the same options."""
    monkeypatch.chdir(tmp_path)
    Path("-x.png").touch()
    options = OptimizeOptions(
        size=None, style_layers=(("relu1_1", 0.5), ("relu2_1", 1.0)), optimizer="adam", seed=5, init="-x.png"
    )
    found = []
    command = click.command()(flags.options_of(OptimizeOptions)(lambda options: found.append(options)))
    recipe = json.loads(json.dumps(options.changed()))
    words = [
        word for entry in recipe.items() for word in remake.words_of(cli.styler.commands["optimize"], *entry)
    ]
    command.main(words, standalone_mode=False)
    assert found == [options]


def test_the_environment_sets_options_and_the_command_line_wins(paint, monkeypatch, studio):
    monkeypatch.setenv("STYLER_STYLE_WEIGHT", "2")
    monkeypatch.setenv("STYLER_OVERWRITE", "1")
    assert paint().code == 0
    assert read_recipe("photo-style.png")["options"]["style_weight"] == 2
    assert paint("--style-weight", "3").code == 0
    assert read_recipe("photo-style.png")["options"]["style_weight"] == 3
    monkeypatch.setenv("STYLER_STYLE_WEIGHT", "much")
    done = paint()
    assert done.code == 2 and "Invalid value for 'STYLER_STYLE_WEIGHT' in the environment: 'much'" in done.err


@pytest.mark.parametrize(
    ("variable", "value", "code", "says"),
    [
        (
            "STYLER_THREADS",
            "many",
            2,
            "Invalid value for 'STYLER_THREADS' in the environment: 'many' is not a",
        ),
        (
            "STYLER_OPTIMIZE_PRESET",
            "best",
            2,
            "Invalid value for 'STYLER_OPTIMIZE_PRESET' in the environment",
        ),
        (
            "STYLER_DEVICE",
            "abacus",
            1,
            "no device 'abacus' here; there is cpu: use --device cpu (STYLER_DEVICE is",
        ),
        (
            "STYLER_SHARD",
            "3",
            1,
            "write I/N with I from 1 to N, as in 2/4 (STYLER_SHARD is set in the environment)",
        ),
        ("STYLER_CONTENT_WEIGHT", "1e30", 2, "'STYLER_CONTENT_WEIGHT' in the environment"),
        ("STYLER_OPTIMIZE_CONTENT_WEIGHT", "1e30", 2, "'STYLER_OPTIMIZE_CONTENT_WEIGHT' in the environment"),
        ("STYLER_STYLE_LAYERS", "relu1_1,relu9_9:2", 1, "(STYLER_STYLE_LAYERS is set in the environment)"),
    ],
)
def test_a_bad_value_names_the_variable_that_it_came_from(
    paint, studio, monkeypatch, variable, value, code, says
):
    monkeypatch.setenv(variable, value)
    done = paint()
    assert done.code == code and says in done.err


@pytest.mark.parametrize(
    "words",
    [
        "optimize gone.jpg styles/waves.jpg",
        "optimize gone.jpg --style also.jpg --network gone.safetensors",
        "fast gone.jpg --style wave",
        "fast --model gone.safetensors --style wave",
        "translate gone.jpg",
        "translate --checkpoint some/where",
        "pairs gone.jpg --edges -o out",
        "show gone.png",
        "optimize - styles/waves.jpg --protect gone.png",
        "optimize - styles/waves.jpg --style-mask gone.png",
        "optimize - styles/waves.jpg --resume gone.pt",
        "grid - styles/waves.jpg --protect gone.png",
        "fast - --style gone.jpg",
        "fast - --style wave --protect gone.png",
        "enlarge gone.png",
        "enlarge - --model gone.safetensors",
        "imagine --channel conv4_2:1 --network gone.safetensors",
        "dream - --guide gone.png",
        "train-enlarge --dataset gone -o net.safetensors",
        "texture gone.png",
        "saliency gone.png",
        "features gone.png",
        "dream gone.png",
        "layers --network gone.safetensors",
        "invert gone.png",
        "models add gone.pth",
        "models show gone.pth",
        "models convert gone.pth -o new.safetensors",
        "models export gone.safetensors out.onnx",
        "weights add vgg19 gone.pth",
        "train-fast --style gone.jpg --dataset photos -o net.safetensors",
        "train-fast --style name=gone.jpg --dataset photos -o net.safetensors",
        "train-translate --dataset gone -o net.safetensors",
        "train-translate --edges gone -o net.safetensors",
    ],
)
def test_a_wrong_path_costs_no_loading_of_torch(run, monkeypatch, tmp_path, words):
    done = run_without_torch(words, run, monkeypatch, tmp_path)
    assert done.code == 1 and " cannot be read: no such file, check the name" in done.err


@pytest.mark.parametrize("words", ["show gone", "add gone", "convert gone -o new", "export gone out.onnx"])
def test_a_wrong_name_of_a_model_costs_no_loading_of_torch(run, monkeypatch, tmp_path, words):
    done = run_without_torch(f"models {words}", run, monkeypatch, tmp_path)
    assert done.code == 1 and "no model is called 'gone'" in done.err


def run_without_torch(words, run, monkeypatch, tmp_path):
    """How a command ends that needs no torch, and leaves nothing."""
    monkeypatch.chdir(tmp_path)
    forget_torch(monkeypatch)
    done = run(*words.split())
    assert list(tmp_path.iterdir()) == []
    return done


def forget_torch(monkeypatch):
    """Let whoever imports torch from now on fail; what was loaded is loaded anew, and put back afterwards."""
    monkeypatch.setitem(sys.modules, "torch", None)
    rooms = ("styler.jobs", "styler.storage.models")
    for room in rooms:
        monkeypatch.setattr(room, sys.modules[room])  # as its parent's attribute, too
    for name in [name for name in sys.modules if name.startswith(rooms)]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize(
    "words",
    [
        "optimize - styles/waves.jpg",
        "grid - styles/waves.jpg",
        "fast - --style wave",
        "translate - --checkpoint edges2cat",
        "enlarge -",
        "saliency -",
        "features -",
        "dream -",
        "imagine --channel conv1_1:1",
        "texture styles/waves.jpg",
        "invert styles/waves.jpg",
    ],
)
def test_a_wrong_ending_costs_no_loading_of_torch(run, monkeypatch, words):
    forget_torch(monkeypatch)
    done = run(*words.split(), "-o", "a.bmp")
    assert done.code == 1 and "a.bmp must end in one of" in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize(
    "words", ["imagine", "imagine --channel conv1_1:1 --class 3", "dream - --channel conv1_1:1 --class 3"]
)
def test_options_that_exclude_each_other_cost_no_loading_of_torch(run, monkeypatch, words):
    forget_torch(monkeypatch)
    done = run(*words.split())
    assert done.code == 1 and "torch" not in done.err and "--c" in done.err


# Streams


def test_quiet_says_nothing_but_errors(paint, studio):
    assert paint("-q").err == ""
    assert "exists already" in paint("-q").err


def test_verbose_tells_every_term(paint, studio):
    assert "style/relu4_1" in paint("-v").err


def test_json_is_one_object_a_picture(paint, studio):
    done = paint("--json", "--seed", "4", "--init", "style.png")
    record = json.loads(done.out)
    assert record["input"] == "photo.png" and record["output"] == "photo-style.png"
    assert record["sizes"] == [[24, 32]] and record["seed"] == 4 and record["device"]
    assert record["error"] is None and record["seconds"] >= 0 and record["losses"]
    done = paint("--json")
    record = json.loads(done.out)
    assert done.code == 1 and record["error"] == "OutputError" and "--overwrite" in record["message"]


def test_colors_are_for_terminals_and_for_who_wants_them(paint, studio, monkeypatch):
    assert "\x1b" not in paint().err + paint().err
    monkeypatch.setenv("FORCE_COLOR", "1")
    red = "\x1b[1;31mError"
    assert red in paint().err  # it exists already
    monkeypatch.setenv("NO_COLOR", "1")
    assert "Error: " in paint().err and red not in paint().err


def test_a_closed_stdout_does_not_matter_to_who_writes_files(paint, studio, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    assert paint().code == 0


@pytest.mark.parametrize("words", ["--help", "models list", "models list --json"])
@pytest.mark.parametrize("where", ["&-", "/dev/full"])
def test_an_answer_that_cannot_be_written_is_an_error(studio, where, words):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    done = in_a_shell(f"{words} >{where}")
    reason = "it is closed" if where == "&-" else "No space left on device"
    *_, last = done.stderr.decode().splitlines()
    assert (done.returncode, last) == (1, f"Error: standard output cannot be written: {reason}. Use > FILE")


def test_closed_streams_do_not_matter_to_who_writes_files(studio):
    """Nor does a file get the number of one, and what others print on it."""
    done = in_a_shell("fast photo.png --style ink -o a.png <&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    done = in_a_shell("fast photo.png --style ink -o b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_a_reader_that_goes_away_ends_it_quietly(studio):
    """As `styler show FILE | head -c1`, with a reader that is gone before anything is written."""
    read, write = os.pipe()
    os.close(read)
    Image.new("RGB", (16, 16)).save("x.png", pnginfo=recipe_chunk({"long": "x" * 9000}))
    done = in_a_process("show", "x.png", stdout=write)
    os.close(write)
    assert done.returncode == 1 and done.stderr in (b"", b"Loading ...\n")


def test_two_processes_make_the_same_bytes(paint, studio):
    tiny = ["--network", "net.safetensors", "--size", "32", "--steps", "2", "--precision", "float32"]
    words = ["--init", "noise", "--seed", "9", "--optimizer", "adam", "-o", "-"]
    there = in_a_process("optimize", *tiny, *words, "photo.png", "style.png", stdout=subprocess.PIPE)
    assert there.stdout.startswith(b"\x89PNG") and there.stdout == paint(*words).out


def in_a_process(*words, stdout):
    """`python -m styler` with these words, of the same styler as is tested."""
    command = [sys.executable, "-m", "styler", *words]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, env=environment())


def in_a_shell(line):
    """The same with a line of sh."""
    command = f"{shlex.quote(sys.executable)} -m styler {line}"
    return subprocess.run(command, shell=True, capture_output=True, env=environment())


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(styler.__file__).parents[1])}


# Errors


def test_what_nobody_foresaw_is_one_line_and_debug_has_the_traceback(paint, studio, monkeypatch):
    def fail(*_, **__):
        raise KeyError("a\nb")

    monkeypatch.setattr(optimize, "open_studio", fail)
    done = paint()
    assert done.code == 1
    assert "KeyError" in done.err and "bug in styler; --debug" in done.err and done.err.count("\n") == 1
    with pytest.raises(KeyError):
        paint("--debug")


def test_ctrl_c_outside_of_any_loop_is_130(run, monkeypatch, studio):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("styler.storage.pictures.decode.read_recipe", interrupted)
    done = run("show", "photo.png")
    assert done.code == 130 and done.err.splitlines()[-1].startswith("stopped at once")


# show


def recipe_chunk(recipe):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("styler", json.dumps(recipe))
    return info


def test_show_as_json_is_one_line(paint, run, studio):
    paint()
    shown = run("show", "--json", "photo-style.png")
    assert json.loads(shown.out) == read_recipe("photo-style.png")
    assert len(shown.lines) == 1


def test_a_command_that_is_shown_is_safe_to_paste():
    recipe = {
        "command": "optimize",
        "content": {"name": "-x.png"},
        "styles": [{"name": "$(reboot) 'a'.png"}],
        "options": {"size": "full", "seed": 0, "metadata": False},
    }
    line, note = remake.command_line(recipe, cli.styler.commands)
    words = ["styler", "optimize", "--size", "full", "--seed", "0"]
    assert shlex.split(line) == [*words, "./-x.png", "$(reboot) 'a'.png"]
    assert note == "left out of the command: metadata"


def test_an_output_can_be_added_to_a_command_that_is_shown(run, tmp_path, monkeypatch):
    """Also to one with a name that looks like a flag."""
    monkeypatch.chdir(tmp_path)
    picture("RGB", (64, 48)).save("-x.png")
    assert run("dream", "./-x.png", "--steps", "0", "--octaves", "1", "-o", "a.png").code == 0
    command = shlex.split(run("show", "a.png").lines[-1])
    assert run(*command[1:], "-o", "b.png").code == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


HOSTILE = [
    "a\nrm b.png",
    "a\x1b[31m",
    "it's\t\\",
    "\u202egnp.a",
    "\udcff",
    "!!",
    "~",
    "=ls",
    "$(touch c)",
    "`touch c`",
    "a;b",
    "\x9b",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_in_a_command_is_that_name_to_bash_and_on_one_line(name):
    recipe = {
        "command": "optimize",
        "content": {"name": name},
        "styles": [{"name": "s"}],
        "options": {"init": name},
    }
    line, _ = remake.command_line(recipe, cli.styler.commands)
    assert line.isprintable()
    shell = ["bash", "-c", line.replace("styler", "printf '%s\\0'", 1)]
    printed = subprocess.run(shell, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}).stdout
    assert printed.decode(errors="surrogateescape").split("\0")[:-1] == [
        "optimize",
        "--init",
        name,
        name,
        "s",
    ]


HARMLESS = {
    "output": "victim.png",
    "overwrite": True,
    "init": "/etc/passwd",
    "network": "../../secret",
    "dataset": "/",
    "style_weight": "much",
    "steps": 10**9,
    "seed": 1.5,
    "size": "-1",
    "resume": True,
    "edges": True,
    "padding": "wide",
    "a b": 1,
}


def test_options_that_no_recipe_has_are_left_out_with_a_note(run, studio):
    recipe = {
        "command": "optimize",
        "content": {"name": "/tmp/../photo.png"},
        "styles": [{"name": "a.png"}, {"name": "--b"}],
        "options": {**HARMLESS, "tv_weight": 0.5},
    }
    line, note = remake.command_line(recipe, cli.styler.commands)
    assert line == "styler optimize --tv-weight 0.5 --style a.png --style=--b photo.png"
    assert all(name in note for name in HARMLESS)
    picture().save("x.png", pnginfo=recipe_chunk(recipe))
    shown = run("show", "x.png")
    assert (
        shown.code == 0
        and shown.lines[-1] == line
        and "left out of the command: output, overwrite" in shown.err
    )


@pytest.mark.parametrize("command", ["train-fast", "rm", "models", "optimize; rm"])
def test_a_command_that_makes_no_pictures_is_refused(command):
    recipe = {"command": command, "content": {"name": "x"}, "styles": [], "options": {}}
    with pytest.raises(InputError, match="no command of styler that makes pictures"):
        remake.command_line(recipe, cli.styler.commands)


@pytest.mark.parametrize("words", [("show", "a", "\x1b[31m"), ("\x1b[31m",), ("models", "show", "a", "\x9b")])
def test_usage_errors_have_no_control_characters(run, studio, words):
    done = run(*words)
    assert done.code == 2 and all(line.isprintable() for line in done.err.splitlines())


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("optimize", "photo.png", "style.png"), "use a smaller --size or --history"),
        (("fast", "photo.png", "--style", "ink"), "use a smaller --size"),
        (("translate", "photo.png", "--checkpoint", "edges2cat"), "use a smaller --size"),
        (
            ("train-fast", "--style", "style.png", "--dataset", ".", "-o", "a.safetensors"),
            "--crop or --batch",
        ),
        (("models", "show", "ink"), "close other programs"),
        (("weights", "list"), "close other programs"),
    ],
)
def test_advice_about_memory_is_of_options_that_the_command_has(run, studio, monkeypatch, words, advice):
    def fail(*_, **__):
        raise RuntimeError("could not create a primitive")

    for place in ("jobs.optimize.optimize", "jobs.training.fast.train_fast", "storage.models.vgg.describe"):
        monkeypatch.setattr(f"styler.{place}", fail)
    monkeypatch.setattr(library, "read", fail)
    done = run(*words)
    assert done.code == 1 and done.err.startswith("Error: out of memory: ") and done.err.count("\n") == 1
    assert advice in done.err and ("--" in done.err) == ("--" in advice)


def test_a_panic_of_a_library_is_one_line(run, studio, monkeypatch):
    panic = type("PanicException", (BaseException,), {})

    def fail(*_, **__):
        raise panic("PyObject pointer is null")

    monkeypatch.setattr(library, "read", fail)
    done = run("models", "show", "ink")
    assert done.code == 1 and done.err.startswith("Error: out of memory: ") and done.err.count("\n") == 1


def test_where_there_is_no_memory_for_the_error_it_is_told_all_the_same(run, studio, monkeypatch):
    written = []

    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(library, "read", fail)
    monkeypatch.setattr(cli, "console_of", fail)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda number, data: written.append((number, data)))
        code = run("models", "show", "ink").code
    assert code == 1 and written == [(2, b"Error: out of memory\n")]


def test_warnings_of_libraries_are_not_shown(run, studio, monkeypatch):
    def listed():
        warnings.warn("of torch", stacklevel=1)
        return []

    monkeypatch.setattr(library, "installed", listed)
    assert "of torch" not in run("models", "list").err


def test_every_command_with_recipes_can_be_shown():
    recipe = {"content": {"name": "x"}, "styles": [{"name": "y"}], "options": {"seed": 7, "shard": "1/2"}}
    for name, command in cli.styler.commands.items():
        if any(parameter.name == "metadata" for parameter in command.params):
            line, note = remake.command_line({**recipe, "command": name}, cli.styler.commands)
            assert line == f"styler {name} --seed 7 x y" and "left out of the command: shard" in note


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"command": "optimize"},
        {"command": "optimize", "content": "x", "styles": [], "options": {}},
        {"command": "optimize", "content": {"name": "x"}, "styles": 1, "options": {}},
        {"command": "optimize", "content": {"name": "x"}, "styles": [], "options": []},
        {"command": "optimize", "content": {"name": "x"}, "styles": [], "options": {"a": [1]}},
    ],
)
def test_a_recipe_with_parts_missing_has_no_command(run, studio, recipe):
    with pytest.raises(InputError, match="lacks parts"):
        remake.command_line(recipe, cli.styler.commands)
    picture().save("x.png", pnginfo=recipe_chunk(recipe))
    shown = run("show", "x.png")
    assert shown.code == 1 and json.loads(shown.out) == recipe and "lacks parts" in shown.err


# weights


def test_weights_list_tells_each_with_its_state(run):
    done = run("weights", "list")
    rows = [line.split("\t") for line in done.lines]
    assert rows[0] == ["name", "installed", "download", "licence"]
    assert [row[0] for row in rows[1:]] == list(WEIGHTS)
    assert ["vgg19", "not installed", "575 MB"] in [row[:3] for row in rows]
    assert json.loads(run("weights", "list", "--json").lines[0])["name"] == "compact"


def test_added_weights_are_listed_found_and_verified(run, tmp_path, studio):
    assert run("weights", "verify", "vgg19").code == 1
    file = saved(tmp_path / "vgg.pth", indexed())
    assert run("weights", "add", "vgg19", file).code == 0
    kept = tmp_path / "home" / "weights" / "vgg19.safetensors"
    assert run("weights", "path", "vgg19").lines == [str(kept)]
    done = run("weights", "verify", "vgg19")
    assert done.code == 0 and done.lines[1:] == ["vgg19\tok"]
    done = run("optimize", "photo.png", "style.png", "--size", "32", "--steps", "1")
    assert (
        done.code == 0 and read_recipe("photo-style.png")["network"]["name"] == "compact"
    )  # never by itself
    done = run(
        "optimize",
        "photo.png",
        "style.png",
        "--size",
        "32",
        "--steps",
        "1",
        "--network",
        "vgg19",
        "-o",
        "v.png",
    )
    assert done.code == 0 and read_recipe("v.png")["options"]["network"] == "vgg19"
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    done = run("weights", "verify")
    assert done.code == 1 and "vgg19\tdamaged" in done.lines
    done = run("optimize", "photo.png", "style.png", "--network", "vgg19", "-o", "x.png")
    assert done.code == 1 and "styler weights fetch vgg19" in done.err and "Traceback" not in done.err


def test_wrong_weights_are_refused_with_the_right_command(run, tmp_path, studio):
    file = saved(tmp_path / "vgg.pth", indexed("vgg16"))
    done = run("weights", "add", "vgg19", file)
    assert done.code == 1 and f"styler weights add vgg16 {file}" in done.err
    assert run("weights", "add", "vgg19", "photo.png").code == 1
    done = run("weights", "path", "vgg91")
    assert done.code == 1 and "did you mean vgg19" in done.err


def test_fetch_from_a_server(run, monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "*")
    buffer = io.BytesIO()
    torch.save(indexed(), buffer)
    with serving(buffer.getvalue()) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/vgg19-dcbb9e9d.pth"
        record = replace(
            WEIGHTS["vgg19"],
            url=url,
            sha256=hashlib.sha256(server.faults.body).hexdigest(),
            bytes=len(server.faults.body),
        )
        monkeypatch.setitem(WEIGHTS, "vgg19", record)
        refused = run("weights", "fetch", "vgg19", "--offline")
        assert refused.code == 1 and url in refused.err and server.faults.seen == []
        server.faults.plan.append("404")
        gone = run("weights", "fetch", "vgg19")
        assert gone.code == 1 and "the server answers 404" in gone.err and record.sha256 in gone.err
        assert vgg.path("vgg19") is None
        done = run("weights", "fetch", "vgg19")
        assert done.code == 0 and done.out == b"", done.err
        assert str(tmp_path / "home" / "weights" / "vgg19.safetensors") in done.err
        assert run("weights", "verify", "vgg19").code == 0
        assert "is installed already" in run("weights", "fetch", "vgg19").err


# The built-in network


def test_the_built_in_network_paints_without_any_download(run, studio):
    done = run("optimize", "photo.png", "style.png", "--size", "32", "--steps", "1")
    assert done.code == 0, done.err
    assert read_recipe("photo-style.png")["network"]["sha256"] == vgg.sha256("compact")
    assert run("weights", "verify", "compact").code == 0


# doctor


def test_doctor_tells_each_finding_and_fails_on_a_bad_one(run, monkeypatch):
    done = run("doctor")
    rows = [line.split("\t") for line in done.lines]
    areas = {row[1] for row in rows[1:]}
    assert {"styler", "Python", "torch", "torchvision", "CPU", "memory", "weights", "vgg19"} <= areas
    assert done.code == int(any(row[0] == "bad" for row in rows[1:]))
    monkeypatch.setattr(doctor, "report", lambda: [doctor.Finding("torch", "is missing", "bad")])
    assert run("doctor").code == 1
    monkeypatch.setattr(doctor, "report", lambda: [doctor.Finding("HEIC", "not here", "warn")])
    assert run("doctor").code == 0
