"""`styler fast` and `styler models` as they are typed: messages, streams and exit codes."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.shell_completion import BashComplete
from corpus import picture
from PIL import Image
from theirs import save_johnson

from styler.networks.kinds import described
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.plans import ResidualArchitecture
from styler.storage.cards import Card, Style
from styler.storage.models import find, library
from styler.storage.models.known import WEIGHTS
from styler.storage.models.library import Model
from styler.storage.pictures.load import load_picture, read_recipe
from styler.ui import cli, completion


def installed(name, network, kind, *styles):
    torch.manual_seed(len(name))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    thumbnails = torch.full((len(styles), 3, 4, 4), 200, dtype=torch.uint8)
    card = Card(kind, described(network.config), tuple(map(Style, styles)), "MIT")
    library.write(library.folder() / f"{name}.safetensors", Model(network, card, thumbnails))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The current folder with photos; models with the styles ink and oil, wash, and the texture sand."""
    monkeypatch.setattr(find, "_bundled", lambda: None)
    monkeypatch.setattr("styler.storage.models.shelf.bundled", lambda: None)
    folder = tmp_path / "here"
    (folder / "in").mkdir(parents=True)
    library.folder().mkdir(parents=True)
    monkeypatch.chdir(folder)
    installed("pair-2", ResidualNetwork(ResidualArchitecture(width=4, styles=2)), "transform", "ink", "oil")
    installed("pair", ResidualNetwork(ResidualArchitecture(width=4, styles=1)), "transform", "wash")
    installed("grain", TextureNetwork(TextureArchitecture(2, 2, 1)), "texture", "sand")
    for name in ("photo.png", "in/a.png", "in/b.png"):
        picture(size=(40, 24)).save(name)
    return folder


# fast


def test_a_style_paints_a_photo_and_says_so(run):
    done = run("fast", "photo.png", "--style", "ink")
    assert done.code == 0 and done.out == b"" and "Wrote photo-ink.png (40 x 24)" in done.err
    assert read_recipe("photo-ink.png")["options"]["style"] == "ink"


def test_from_stream_to_stream(run):
    done = run("fast", "-", "--style", "oil", "-o", "-", stdin=Path("photo.png").read_bytes())
    assert done.code == 0
    with Image.open(io.BytesIO(done.out)) as painted:
        assert painted.size == (40, 24)


def test_json_has_a_line_for_each_of_many_and_failures_are_1(run):
    Path("in/bad.png").write_bytes(b"no")
    done = run("fast", "in", "--style", "ink", "-o", "out", "--json")
    records = [json.loads(line) for line in done.lines]
    assert done.code == 1 and [record["input"] for record in records] == [
        "in/a.png",
        "in/b.png",
        "in/bad.png",
    ]
    assert [record["error"] for record in records] == [None, None, "InputError"]
    assert "2 done, 1 failed" in done.err


def test_a_second_run_skips_what_is_there(run):
    assert run("fast", "in", "--style", "ink").code == 0
    again = run("fast", "in", "--style", "ink")
    assert again.code == 0 and "0 done, 2 skipped (their outputs exist)" in again.err


def test_quiet_is_quiet(run):
    done = run("fast", "in", "--style", "ink", "-q")
    assert (done.code, done.out, done.err) == (0, b"", "")


def test_textures_need_no_input(run):
    done = run("fast", "--model", "grain", "--size", "40x24", "--precision", "bfloat16")
    assert done.code == 0 and "Wrote sand-texture.png (40 x 24)" in done.err
    assert read_recipe("sand-texture.png")["options"]["precision"] == "bfloat16"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("photo.png", "--style", "inc"), 1, "no installed network has style 'inc'; did you mean ink?"),
        (("photo.png", "--style", "ink,wash"), 1, "no one network has all of ink, wash"),
        (("photo.png", "--style", "ink:0"), 1, "sum to nothing usable"),
        (("photo.png", "--model", "pair-2"), 1, "choose with --style from ink, oil"),
        (("photo.png", "--model", "pear"), 1, "no model is called 'pear'; did you mean pair"),
        (("photo.png", "--model", "photo.png"), 1, "photo.png is a PNG picture"),
        (("photo.png", "--model", "grain"), 1, "makes texture from noise"),
        (("--model", "pair"), 1, "no input given: name a photo"),
        (("none.png", "--style", "ink"), 1, "no such file"),
        (("in", "--style", "ink", "--shard", "3/2"), 1, "--shard is '3/2'"),
        (("photo.png", "--style", "ink", "--size", "9"), 2, "'9' is no size"),
        (("photo.png", "--style", "ink", "-o", "a.xyz"), 1, "must end in one of .png"),
        (("photo.png", "in", "--style", "ink", "-o", "a.png"), 1, "several inputs need a folder"),
        (("photo.png", "--style", "ink", "-o", "photo.png", "--overwrite"), 1, "is also an input"),
        (("photo.png", "--style", "ink", "--memory", "1e-6"), 1, "too large to paint here"),
        (("--model", "grain", "--size", "512", "--memory", "0.001"), 1, "use --size"),
        (("photo.png", "--style", "ink", "--device", "moon"), 1, "no device 'moon'"),
        (("photo.png", "--style", "ink", "-o", "-", "--json"), 2, "standard output"),
        (("photo.png", "--strength", "2"), 2, "2.0 is not in the range"),
        (("photo.png", "--color", "grey"), 2, "'grey' is not one of"),
        (("photo.png", "--stile", "ink"), 2, "--style"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(run, here, words, code, says):
    before = sorted(here.rglob("*"))
    done = run("fast", *words)
    assert (done.code, done.out) == (code, b"") and says in done.err and "Traceback" not in done.err
    assert code == 2 or done.err.count("\n") == 1
    assert sorted(here.rglob("*")) == before


def test_a_texture_of_the_size_that_is_proposed_fits(run):
    refused = run("fast", "--model", "grain", "--size", "512x256", "--memory", "0.001")
    size = refused.err.split()[-1]
    assert run("fast", "--model", "grain", "--size", size, "--memory", "0.001").code == 0


def test_a_dry_run_reads_headers_only_but_for_one_sample(run, here, monkeypatch):
    seen = []

    def noticed(source, **options):
        seen.append(source)
        return load_picture(source, **options)

    monkeypatch.setattr("styler.jobs.passes.apply.load_picture", noticed)
    before = sorted(here.rglob("*"))
    done = run("fast", "in", "photo.png", "--style", "ink", "--dry-run", "-o", "out")
    assert done.code == 0 and "in/b.png -> out/in/b.png: 40 x 24, whole" in done.err
    assert seen == ["in/a.png"] and sorted(here.rglob("*")) == before


# models


def test_the_list_is_by_name_and_tells_styles_kind_size_licence_and_origin(run):
    done = run("models")
    rows = [line.split("\t") for line in done.lines]
    assert done.code == 0 and rows[0] == ["name", "styles", "kind", "size", "licence", "from"]
    ours = [row for row in rows if row[2] == "picture"]
    assert "waves" in [row[0] for row in ours] and rows[-len(ours) :] == ours
    rows = rows[: -len(ours)]
    assert [row[:3] for row in rows[1:]] == [
        ["grain", "sand", "texture"],
        ["pair", "wash", "transform"],
        ["pair-2", "ink, oil", "transform"],
    ]
    assert all(row[3].endswith("MB") and row[4:] == ["MIT", "you"] for row in rows[1:])
    assert run("models", "list").out == done.out


def test_damaged_models_do_not_hide_the_others(run):
    """One is no model, one has a good header and a changed value, which only painting will notice."""
    (library.folder() / "odd.safetensors").write_bytes(b"no")
    path = library.folder() / "pair.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    (library.folder() / "nothing.safetensors").symlink_to("nowhere")
    (library.folder() / "folder.safetensors").mkdir()
    os.mkfifo(library.folder() / "pipe.safetensors")
    done = run("models")
    rows = [line for line in done.lines if "\tpicture\t" not in line]
    assert done.code == 0 and len(rows) == 8 and done.out.decode().count("you; ") == 4
    assert "is damaged" in run("fast", "photo.png", "--style", "wash").err


def test_without_any_model_it_says_how_to_get_one(run, monkeypatch):
    monkeypatch.setenv("STYLER_HOME", str(Path("empty").resolve()))
    done = run("models")
    assert done.code == 0 and "styler train-fast makes one" in done.err
    assert all("\tpicture\t" in row for row in done.lines[1:])


def test_the_list_as_json(run):
    rows = [json.loads(line) for line in run("models", "--json").lines]
    rows = [row for row in rows if row["kind"] != "picture"]
    assert [row["name"] for row in rows] == ["grain", "pair", "pair-2"]


def test_show_prints_the_card(run):
    told = json.loads(run("models", "show", "pair-2").out)
    assert [style["name"] for style in told["styles"]] == ["ink", "oil"] and told["network"]["width"] == 4
    assert len(run("models", "show", "pair-2", "--json").lines) == 1


def test_theirs_is_painted_with_shown_added_and_converted(run):
    save_johnson("theirs.pth")
    assert "pytorch/examples layout, width 4" in run("fast", "photo.png", "--model", "theirs.pth").err
    assert "pytorch/examples layout" in json.loads(run("models", "show", "theirs.pth").out)["origin"]
    assert run("models", "add", "theirs.pth").code == 0
    assert run("models", "add", "theirs.pth").code == 1
    assert run("models", "add", "theirs.pth", "--overwrite").code == 0
    assert run("fast", "photo.png", "--style", "theirs", "-o", "a.png").code == 0
    done = run("models", "convert", "theirs.pth", "-o", "ours.safetensors")
    assert done.code == 0 and "Wrote ours.safetensors, from pytorch/examples layout" in done.err
    assert run("fast", "photo.png", "--model", "ours.safetensors", "-o", "b.png").code == 0
    assert Image.open("a.png").tobytes() == Image.open("b.png").tobytes()


def test_a_folder_that_is_not_there_is_made(run):
    assert run("models", "convert", "pair", "-o", "new/one/").code == 0
    assert Path("new/one/pair.safetensors").is_file()
    assert "new/one/pair.safetensors exists" in run("models", "convert", "pair", "-o", "new/one").err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("show", "pear"), 1, "did you mean pair"),
        (("show", "none.pth"), 1, "no such file"),
        (("add", "photo.png"), 1, "photo.png is a PNG picture"),
        (("add", "none.pth"), 1, "no such file"),
        (("convert", "pair-2", "-o", "a.pth"), 1, "does not end in .safetensors"),
        (("export", "pair", "a.txt"), 1, "does not end in .onnx"),
        (("export", "pair", "-"), 1, "does not end in .onnx"),
        (("export", "grain", "a.onnx"), 1, "makes textures"),
        (("convert", "pair"), 2, "-o"),
        (("delete", "pair"), 2, "No such command"),
        (("remove", "pear"), 1, "no model of yours is called 'pear'; did you mean pair"),
    ],
)
def test_what_is_wrong_with_models_is_told_in_one_line(run, here, words, code, says):
    before = sorted(here.rglob("*"))
    done = run("models", *words)
    assert (done.code, done.out) == (code, b"") and says in done.err and "Traceback" not in done.err
    assert sorted(here.rglob("*")) == before


def test_an_exported_model_prints_its_parity(run):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    done = run("models", "export", "pair-2", "a.onnx", "--style", "ink:1,oil:1")
    assert done.code == 0 and Path("a.onnx").is_file() and "Wrote a.onnx" in done.err
    assert len(done.lines) == 4 and all(line.endswith("of 255") for line in done.lines[1:])
    assert run("models", "export", "pair-2", "a.onnx", "--style", "ink").code == 1


# Completion


@pytest.mark.parametrize(
    ("words", "incomplete", "offers"),
    [
        (["fast", "--style"], "", ["ink", "oil", "sand", "wash"]),
        (["fast", "--style"], "i", ["ink"]),
        (["fast", "--style"], "ink:0.6,o", ["ink:0.6,oil"]),
        (["fast", "--model", "pair", "--style"], "", ["wash"]),
        (["fast", "--model"], "p", ["pair", "pair-2"]),
        (["train-fast", "--add-to"], "pair-", ["pair-2"]),
        (["train-fast", "--start-from"], "pair-", ["pair-2"]),
        (["train-fast", "--start-from"], "wa", ["wash"]),
        (["train-fast", "--start-from"], "dir/x", ["dir/x"]),
        (["models", "show"], "g", ["grain"]),
        (["models", "convert"], "g", ["grain"]),
        (["models", "export"], "pair-", ["pair-2"]),
        (["models", "export", "pair-2", "--style"], "o", ["oil"]),
    ],
)
def test_the_shell_completes_names(words, incomplete, offers):
    (library.folder() / "odd.safetensors").write_bytes(b"no")
    shell = BashComplete(cli.styler, {}, "styler", "_STYLER_COMPLETE")
    assert [item.value for item in shell.get_completions(words, incomplete)] == offers


def test_names_are_completed_without_torch():
    """In a process of its own; the names of feature networks are those of the table."""
    code = (
        "import sys; from click.shell_completion import BashComplete; from styler.ui.cli import styler\n"
        "shell = BashComplete(styler, {}, 'styler', '_STYLER_COMPLETE')\n"
        "print([item.value for item in shell.get_completions(['fast', '--style'], 'mo')])\n"
        "print([item.value for item in shell.get_completions(['optimize', '--network'], '')])\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["['mosaic']", str([*completion.FEATURE_NETWORKS]), "False"]
    assert set(completion.FEATURE_NETWORKS) == set(WEIGHTS)


def test_where_no_name_fits_files_are_offered():
    shell = BashComplete(cli.styler, {}, "styler", "_STYLER_COMPLETE")
    assert [item.type for item in shell.get_completions(["fast", "--model"], "dir/x")] == ["file"]


def test_a_style_in_the_place_of_a_file_is_told(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 32)).save("photo.png")
    done = run("fast", "photo.png", "oil")
    assert done.code == 1 and done.err == "Error: there is no file oil: it is a style: add --style oil\n"
    assert "cannot be read: no such file" in run("fast", "photo.png", "nothing").err


def test_without_a_style_none_is_chosen(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 32)).save("photo.png")
    done = run("fast", "photo.png")
    assert done.code == 2 and "Missing option '--style': choose from ink, oil, wash, or give" in done.err
    assert not list(Path().glob("photo-*"))
