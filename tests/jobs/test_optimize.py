"""`styler optimize` from files to a file: what is written and what is refused, all in one process."""

import json
import os
import shlex
import shutil
import signal
from pathlib import Path

import pytest
import torch
from corpus import bad_files, encoded, odd_files, picture, write_names
from PIL import Image

from styler import device
from styler.engine import memory
from styler.engine.solvers import LBFGS
from styler.jobs.records import partial_for
from styler.options.optimize import INITS
from styler.storage.models import vgg as stored
from styler.storage.pictures.load import load_picture, read_recipe
from styler.tasks import optimize


@pytest.fixture
def untouched(studio):
    """After the test the folder holds what it held, byte for byte."""
    before = {path: path.read_bytes() for path in studio.iterdir() if path.is_file()}
    yield studio
    left = {path: path.read_bytes() for path in studio.iterdir() if path.is_file()}
    assert left == before


def names(folder):
    return {path.name for path in folder.iterdir()}


def fails(done, *parts, code=1):
    """One line on stderr with these parts, and nothing on stdout."""
    assert done.code == code and done.out == b""
    (line,) = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in done.err and "bug in styler" not in line
    for part in parts:
        assert part in line, f"'{part}' is not in: {line}"


# What is written


def test_one_picture_of_the_contents_aspect_with_its_recipe(paint, studio):
    before = names(studio)
    done = paint("--seed", "7")
    assert done.code == 0 and done.out == b""
    assert names(studio) - before == {"photo-style.png"}
    with Image.open("photo-style.png") as painted:
        assert painted.size == (32, 24) and painted.mode == "RGB"
    recipe = read_recipe("photo-style.png")
    assert recipe["command"] == "optimize" and recipe["size"] == [32, 24]
    assert recipe["options"] == {
        "network": "net.safetensors",
        "precision": "float32",
        "size": "32",
        "steps": 2,
        "seed": 7,
        "threads": 1,
    }
    assert recipe["content"] == {"name": "photo.png", "sha256": stored.disk.sha256_of("photo.png")}
    assert recipe["styles"] == [{"name": "style.png", "sha256": stored.disk.sha256_of("style.png")}]
    assert recipe["losses"]


def test_an_enlarged_painting_is_told_by_its_size(paint):
    done = paint("--enlarge", "2")
    with Image.open("photo-style.png") as painted:
        assert painted.size == (64, 48)
    assert read_recipe("photo-style.png")["size"] == [64, 48] and "(64 x 48)" in done.err


def test_what_is_painted_is_not_the_photo(paint, studio):
    paint("-o", "a.png", "--steps", "20")
    paint("-o", "b.png", "--steps", "20", inputs=("photo.png", "photo.png"))
    photo = load_picture("photo.png", long_side=32).image
    to_style, to_itself = (float((load_picture(n).image - photo).abs().mean()) for n in ("a.png", "b.png"))
    assert to_style > 2 * to_itself


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--init", "noise", "--seed", "3"),
        ("--init", "style.png", "--style-layers", "relu1_1:0.25,relu3_1", "--optimizer", "adam"),
        ("--size", "full", "--style-loss", "gram", "--tv-weight", "0.1", "--pooling", "l2"),
    ],
)
def test_the_command_that_show_prints_makes_the_same_bytes(paint, run, studio, words):
    assert paint(*words).code == 0
    first = (studio / "photo-style.png").read_bytes()
    shown = run("show", "photo-style.png")
    recipe = json.loads("\n".join(shown.lines[:-1]))
    assert recipe == read_recipe("photo-style.png")
    program, *command = shlex.split(shown.lines[-1])
    assert program == "styler"
    (studio / "photo-style.png").unlink()
    assert run(*command).code == 0
    assert (studio / "photo-style.png").read_bytes() == first


def test_the_seed_makes_the_noise(paint, studio):
    for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        assert paint("--init", "noise", "--seed", seed, "--no-metadata", "-o", name).code == 0
    a, b, c = ((studio / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == b != c


def test_full_size_is_the_contents_own(paint, studio):
    assert paint("--size", "full").code == 0
    assert load_picture("photo-style.png").image.shape == (1, 3, 48, 64)


def test_full_is_a_size_and_else_a_name_like_any(paint, studio):
    shutil.copy("style.png", "full")
    assert paint("--init", "full").code == 0


@pytest.mark.parametrize("init", [*INITS, "style.png"])
def test_every_start(paint, studio, init):
    assert paint("--init", init).code == 0
    assert read_recipe("photo-style.png")["options"].get("init", "content") == init


@pytest.mark.parametrize(
    "words",
    [
        ("--optimizer", "adam"),
        ("--optimizer", "scipy"),
        ("--style-loss", "gram"),
        ("--pooling", "average"),
        ("--pooling", "l2"),
        ("--padding", "zero"),
        ("--padding", "reflect"),
        ("--tv-weight", "1"),
        ("--content-weight", "0"),
        ("--style-weight", "0"),
        ("--scales", "1", "--size", "96"),
        ("--coarse-steps", "3", "--size", "96"),
        ("--content-loss", "squared"),
        ("--parameterization", "pixels"),
        ("--preset", "gatys", "--steps", "2"),
        ("--style-scale", "0.5"),
        ("--content-layers", "relu2_1,relu3_2:0"),
        ("--precision", "bfloat16"),
    ],
)
def test_every_choice_changes_the_picture(paint, studio, words):
    plain = ("--size", "96") if "96" in words else ()
    assert painted(paint, *words) != painted(paint, *plain)


def test_padding_suits_the_network(paint, studio):
    """This one was trained with zeros, which darken a border: then `auto` is replicate."""
    assert painted(paint, "--padding", "replicate") == painted(paint)


def painted(paint, *words):
    """The bytes of a picture painted from noise."""
    done = paint("--init", "noise", "--no-metadata", "-o", "-", *words)
    assert done.code == 0, done.err
    return done.out


def test_several_styles_are_blended(paint, studio):
    picture(size=(50, 30)).transpose(Image.Transpose.ROTATE_180).save("other.jpg")
    assert paint(inputs=("photo.png", "style.png", "other.jpg")).code == 0
    recipe = read_recipe("photo-style-other.png")
    assert [style["name"] for style in recipe["styles"]] == ["style.png", "other.jpg"]


def test_dashes_are_standard_input_and_output(paint, studio):
    done = paint("-o", "-", inputs=("-", "style.png"), stdin=encoded(picture(), "JPEG"))
    assert done.code == 0 and done.out.startswith(b"\x89PNG")
    (studio / "piped.png").write_bytes(done.out)
    assert read_recipe("piped.png")["content"]["name"] == "standard input"
    fails(paint(inputs=("-", "-")), "standard input")


def test_an_output_folder_gets_the_usual_name_and_parents_are_made(paint, studio):
    (studio / "out").mkdir()
    assert paint("-o", "out").code == paint("-o", "new/deep/x.jpg").code == 0
    assert names(studio / "out") == {"photo-style.png"} and names(studio / "new/deep") == {"x.jpg"}


def test_alpha_is_kept(paint, studio):
    clear = picture("RGBA", (64, 48))
    clear.putalpha(Image.linear_gradient("L").resize((64, 48)))
    clear.save("photo.png")
    assert paint("--size", "full").code == 0
    with Image.open("photo-style.png") as painted:
        assert painted.getchannel("A").tobytes() == clear.getchannel("A").tobytes()


def test_without_metadata_there_is_none(paint, run, studio):
    assert paint("--no-metadata").code == 0
    data = (studio / "photo-style.png").read_bytes()
    assert b"styler" not in data and b"photo" not in data
    fails(run("show", "photo-style.png"), "has no recipe")


def test_a_recipe_has_names_and_no_paths(paint, studio):
    secret = studio / "of-somebody"
    secret.mkdir()
    for name in ("photo.png", "style.png", "net.safetensors"):
        shutil.copy(name, secret / name)
    inputs = (f"{secret}/photo.png", "of-somebody/style.png")
    words = ("--network", secret / "net.safetensors", "--init", secret / "style.png", "-o", "x.png")
    assert paint(*words, inputs=inputs).code == 0
    recipe = read_recipe("x.png")
    assert "of-somebody" not in json.dumps(recipe)
    assert recipe["options"]["init"] == recipe["init"]["name"] == "style.png"
    assert recipe["options"]["seed"] == 0  # told even if nobody chose it


def test_odd_names_work_and_are_shown_on_one_line(paint, studio):
    for path in write_names(studio):
        name = os.path.relpath(path, studio)
        done = paint("-o", "x.png", "--overwrite", inputs=(name, name))
        assert done.code == 0 and "\x1b" not in done.err, (name, done.err)
        assert read_recipe("x.png")["content"]["name"] == path.name
        done = paint(inputs=(name, name))
        assert done.code == 0 and len(done.err.splitlines()) == 3, (name, done.err)


@pytest.mark.parametrize("case", odd_files(), ids=lambda case: case.name)
def test_odd_files_are_painted_with_a_warning(paint, studio, case):
    (studio / case.name).write_bytes(case.data)
    done = paint("-o", "x.png", inputs=(case.name, "style.png"))
    if case.name == "thin.png":  # 32 x 1 pixels are too few for a VGG
        return fails(done, "too thin")
    assert done.code == 0
    if "in spite" not in case.says:  # a note, which matters less
        lines = [line for line in done.err.splitlines() if line.startswith(f"{case.name}: ")]
        assert not case.says or any(case.says in line for line in lines)


# What is refused


@pytest.mark.parametrize("role", ["content", "style"])
@pytest.mark.parametrize("case", bad_files(), ids=lambda case: case.name)
def test_bad_pictures_are_refused_in_one_line(paint, untouched, tmp_path, case, role):
    bad = tmp_path / case.name
    bad.write_bytes(case.data)
    inputs = (bad, "style.png") if role == "content" else ("photo.png", bad)
    fails(paint(inputs=inputs), case.name, case.says)


def test_a_bad_start_is_refused(paint, untouched, tmp_path):
    fails(paint("--init", "nothing.png"), "nothing.png", "no such file")
    fails(paint("--init", "net.safetensors"), "is a safetensors file")


def test_what_is_not_a_file_is_refused(paint, untouched, studio):
    fails(paint(inputs=("missing.png", "style.png")), "missing.png cannot be read: no such file")
    fails(paint(inputs=("https://x.org/a.png", "style.png")), "is a URL")
    fails(paint(inputs=(".", "style.png")), "is a folder")


@pytest.mark.parametrize("kind", ["same", "hard link", "symlink"])
def test_an_output_that_is_an_input_is_refused(paint, untouched, studio, kind):
    target = studio / "photo.png" if kind == "same" else studio.parent / "link.png"
    if kind == "hard link":
        target.hardlink_to(studio / "photo.png")
    elif kind == "symlink":
        target.symlink_to(studio / "photo.png")
    fails(paint("--overwrite", "-o", target), "is also an input")
    fails(paint("--overwrite", "--init", "style.png", "-o", "style.png"), "is also an input")


def test_an_existing_output_is_kept_unless_told(paint, studio):
    (studio / "photo-style.png").write_bytes(b"mine")
    fails(paint(), "exists already", "--overwrite")
    assert (studio / "photo-style.png").read_bytes() == b"mine"
    assert paint("--overwrite").code == 0
    assert read_recipe("photo-style.png")


def test_an_output_that_cannot_be_written_is_refused_before_the_work(paint, untouched, monkeypatch):
    monkeypatch.setattr(stored, "load", None)  # would be called before any painting
    fails(paint("-o", "style.png/x.png"), "cannot be written")
    fails(paint("-o", "x.xyz"), "must end in one of .png")
    fails(paint("-o", "x"), "must end in one of .png")
    fails(paint("-o", "n" * 300 + ".png"), "over 255 bytes")


def test_unknown_layers_get_the_nearest(paint, untouched):
    fails(paint("--style-layers", "relu_1_1"), "no layer 'relu_1_1'", "relu1_1")
    fails(paint("--content-layers", "relu9_9"), "no layer 'relu9_9'")


def test_weights_of_layers_that_are_all_0_are_refused(paint, untouched):
    fails(paint("--style-layers", "relu1_1:0,relu2_1:0"), "sum to nothing usable", code=2)
    fails(paint("--style-weight", "0", "--content-weight", "0"), "all weights are 0")


def test_a_picture_too_large_is_refused_until_it_is_allowed(paint, studio):
    fails(paint("--max-pixels", "3000"), "64x48 pixels and the limit is 3,000", "--max-pixels")
    assert paint("--max-pixels", "3072").code == 0


def test_a_network_that_is_not_here_says_how_to_get_it(paint, untouched, tmp_path):
    fails(
        paint("--network", "vgg19"),
        "styler weights fetch vgg19",
        "sha256",
        str(tmp_path / "home" / "weights"),
    )
    fails(paint("--network", "vgg91"), "did you mean vgg19")
    fails(paint("--network", "gone.safetensors"), "gone.safetensors cannot be read")


def test_weights_that_are_a_picture_are_called_one(paint, untouched, tmp_path):
    photo = tmp_path / "net.jpg"
    photo.write_bytes(encoded(picture(), "JPEG"))
    fails(paint("--network", photo), "net.jpg is a JPEG picture")


def test_a_device_that_is_not_here(paint, untouched):
    fails(paint("--device", "nonsense"), "nonsense", "--device cpu")


def test_too_little_memory_is_found_before_the_work(paint, untouched, monkeypatch):
    monkeypatch.setattr(device, "free_memory", lambda _: 1000)
    fails(paint(), "GB of memory", "--size")


def test_tiles_paint_the_same_picture_and_say_so(paint, run, studio):
    words = ("--size", "200", "--steps", "3", "--scales", "1")
    assert "tiles" not in paint(*words, "-o", "whole.png").err
    done = paint(*words, "--tile", "64", "-o", "tiled.png")
    assert done.code == 0 and "200 x 150 pixels are painted in tiles of 64 pixels," in done.err
    whole, tiled = (load_picture(name).image for name in ("whole.png", "tiled.png"))
    assert (whole - tiled).abs().max() <= 1 / 255
    assert "tile" not in read_recipe("whole.png")["options"]
    assert read_recipe("tiled.png")["options"]["tile"] == "64"


def test_less_memory_means_tiles_that_are_remade_alike(paint, run, studio, monkeypatch):
    monkeypatch.setattr(memory, "memory", lambda network, options, size, side, history: side or 10**6)
    words = ("--size", "300", "--steps", "1", "--scales", "1")
    assert paint(*words).code == 0 and "tile" not in read_recipe("photo-style.png")["options"]
    done = paint(*words, "--memory", "0.0001", "--overwrite")
    assert done.code == 0 and "300 x 225 pixels are painted in tiles of 256 pixels" in done.err
    first = (studio / "photo-style.png").read_bytes()
    command = shlex.split(run("show", "photo-style.png").lines[-1])[1:]
    assert "--tile" in command and "--memory" not in command
    assert run(*command, "--overwrite").code == 0
    assert (studio / "photo-style.png").read_bytes() == first


def test_a_budget_that_is_too_small_is_told_before_the_work(paint, untouched):
    fails(paint("--memory", "0.0001"), "GB of memory and may take 0.0001 GB: even --size 16 takes more")
    fails(
        paint("--memory", "0.32", "--size", "3000"), "3000 x 2250 pixels", "may take 0.3 GB: use --size 412"
    )
    fails(paint("--tile", "40"), "'40' is no tile", "64 at least, or auto or off", code=2)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
        RuntimeError("MPS backend out of memory"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_too_little_memory_in_the_work_is_told_too(paint, untouched, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(optimize, "make_terms", fail)
    fails(paint(), "Error: out of memory: use a smaller --size")


def test_memory_in_a_files_name_is_not_taken_for_its_lack(paint, untouched):
    fails(paint(inputs=("out of memory.png", "style.png")), "no such file")


# Many


@pytest.fixture
def holiday(studio):
    """A folder of two photos."""
    (studio / "in" / "deep").mkdir(parents=True)
    shutil.copy("photo.png", "in/a.png")
    picture(size=(40, 60)).save("in/deep/b.jpg")
    return studio / "in"


def paints(paint, *words, contents=("in",), styles=("style.png",), output="out"):
    """`styler optimize CONTENT... --style STYLE... -o out`, tiny and quick."""
    flags = [word for style in styles for word in ("--style", style)]
    return paint(*flags, *(("-o", output) if output else ()), *words, inputs=contents)


def below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_mirrored(paint, studio, holiday):
    done = paints(paint)
    assert done.code == 0 and "2 done" in done.err and below(studio / "out") == {"a.png", "deep/b.jpg"}
    with Image.open("out/deep/b.jpg") as painted:
        assert painted.size == (21, 32)
    assert load_picture("out/deep/b.jpg").image.shape == (1, 3, 32, 21)
    recipe = read_recipe("out/deep/b.jpg")
    assert recipe["content"]["name"] == "b.jpg" and recipe["size"] == [21, 32] and recipe["losses"]


def test_without_an_output_results_lie_beside(paint, studio, holiday):
    assert paints(paint, output=None).code == 0
    assert below(studio / "in-style") == {"a.png", "deep/b.jpg"}
    assert paints(paint, contents=("photo.png", "in/deep/b.jpg"), output=None).code == 0
    assert {"photo-style.png", "b-style.jpg"} <= names(studio)


def test_one_of_many_is_as_if_alone(paint, run, studio, holiday):
    words = ("--init", "noise", "--seed", "3")
    assert paints(paint, *words, contents=("in", "photo.png")).code == 0
    assert paint(*words, "-o", "alone.png").code == 0
    assert (studio / "out" / "photo.png").read_bytes() == (studio / "alone.png").read_bytes()
    shutil.copy("in/deep/b.jpg", "b.jpg")
    program, *command = shlex.split(run("show", "out/in/deep/b.jpg").lines[-1])
    assert run(*command, "-o", "again.jpg").code == 0 and program == "styler"
    assert (studio / "again.jpg").read_bytes() == (studio / "out/in/deep/b.jpg").read_bytes()


def test_one_content_with_named_styles_is_as_with_styles_by_place(paint, run, studio):
    picture(size=(50, 30)).save("other.jpg")
    assert paint(inputs=("photo.png", "style.png", "other.jpg")).code == 0
    first = (studio / "photo-style-other.png").read_bytes()
    shown = run("show", "photo-style-other.png").lines[-1]
    assert shown.endswith("--style style.png --style other.jpg photo.png")
    (studio / "photo-style-other.png").unlink()
    assert paints(paint, contents=("photo.png",), styles=("style.png", "other.jpg"), output=None).code == 0
    assert (studio / "photo-style-other.png").read_bytes() == first


def test_network_and_styles_are_read_once(paint, studio, holiday, monkeypatch):
    read = []

    def counted(source, **options):
        read.append(str(source))
        return load_picture(source, **options)

    monkeypatch.setattr("styler.jobs.records.load_picture", counted)
    assert paints(paint, "--init", "photo.png").code == 0
    assert sorted(read) == ["in/a.png", "in/deep/b.jpg", "photo.png", "style.png"]


def test_what_exists_is_skipped_unless_it_is_to_be_replaced(paint, studio, holiday):
    (studio / "out").mkdir()
    (studio / "out" / "a.png").write_bytes(b"mine")
    done = paints(paint)
    assert done.code == 0 and "1 done, 1 skipped" in done.err
    assert (studio / "out" / "a.png").read_bytes() == b"mine"
    assert paints(paint, "--overwrite").code == 0
    assert read_recipe("out/a.png")


def test_failures_are_named_and_counted_and_the_rest_is_painted(paint, studio, holiday):
    (holiday / "bad.png").write_bytes(b"<html>")
    picture(size=(200, 17)).save("in/thin.png")
    (holiday / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(12))
    done = paints(paint)
    assert done.code == 1 and "2 done, 3 failed" in done.err
    errors = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    for name, says in (("bad.png", "HTML page"), ("thin.png", "too thin"), ("clip.mp4", "video")):
        (line,) = [line for line in errors if name in line]
        assert says in line and "bug in styler" not in line
    assert below(studio / "out") == {"a.png", "deep/b.jpg"}


def test_records_of_many_are_json_lines(paint, studio, holiday):
    (holiday / "bad.png").write_bytes(b"<html>")
    done = paints(paint, "--json")
    first, bad, last = map(json.loads, done.lines)
    assert first["output"] == str(Path("out/a.png")) and first["sizes"] == [[24, 32]] and first["losses"]
    assert bad["output"] is None and bad["error"] == "InputError" and last["seed"] == 0


def test_what_diverges_fails_alone(paint, studio, holiday, monkeypatch):
    tell, calls = LBFGS.tell, []

    def lost(self, loss, gradient):
        calls.append(self)
        tell(self, float("nan") if self is calls[0] and len(calls) > 2 else loss, gradient)

    monkeypatch.setattr(LBFGS, "tell", lost)
    done = paints(paint, "--steps", "20")
    assert done.code == 1 and "1 done, 1 failed" in done.err and "a-partial.png" in done.err
    assert below(studio / "out") == {"a-partial.png", "deep/b.jpg"}


@pytest.mark.parametrize("styles", [("missing.png",), ("style.png", "in"), ("https://x.org/a.png",)])
def test_bad_styles_end_all_before_the_work(paint, studio, holiday, styles):
    fails(paints(paint, styles=styles), styles[-1])
    assert not (studio / "out").exists()


def test_shards_paint_each_content_once(paint, studio, holiday):
    for shard in ("1/2", "2/2"):
        done = paints(paint, "--shard", shard)
        assert done.code == 0 and "1 of 2 inputs are in this part" in done.err
    assert below(studio / "out") == {"a.png", "deep/b.jpg"}
    fails(paints(paint, "--shard", "3/2"), "--shard")


def test_a_dry_run_writes_nothing_and_shows_all(paint, studio, holiday):
    before = below(studio)
    done = paints(paint, "--dry-run", "--size", "200", "--scales", "2")
    assert done.code == 0 and below(studio) == before
    for parts in (
        ("in/a.png -> out/a.png", "200 x 150", "80 steps at 100 x 75, 2 steps at 200 x 150", "GB"),
    ):
        assert all(part in done.err for part in parts)
    done = paint("--dry-run")
    assert done.code == 0 and below(studio) == before and "photo.png -> photo-style.png: 32 x 24" in done.err


def test_a_dry_run_shows_too_little_memory(paint, untouched, monkeypatch):
    monkeypatch.setattr(device, "free_memory", lambda _: 1000)
    fails(paint("--dry-run"), "GB of memory", "--size")


def test_a_box_is_fitted_into(paint, studio):
    assert paint("--size", "40x20").code == 0
    with Image.open("photo-style.png") as painted:
        assert painted.size == (27, 20)


def test_a_signal_saves_the_picture_in_hand_and_tells_what_was_not_begun(paint, studio, holiday, monkeypatch):
    tell = LBFGS.tell

    def told(self, loss, gradient):
        os.kill(os.getpid(), signal.SIGINT)
        monkeypatch.setattr(LBFGS, "tell", tell)
        tell(self, loss, gradient)

    monkeypatch.setattr(LBFGS, "tell", told)
    done = paints(paint, "--steps", "1000")
    assert done.code == 130 and "1 done, 1 not begun" in done.err
    assert below(studio / "out") == {"a-partial.png"}  # so that the next run does not take it for done
    assert read_recipe("out/a-partial.png")["interrupted"] is True


# Contents or styles


def test_several_styles_by_place_are_told_from_the_content(paint, studio):
    picture(size=(50, 30)).save("other.jpg")
    done = paint(inputs=("photo.png", "style.png", "other.jpg"))
    assert "photo.png is the content and style.png and other.jpg are its styles" in done.err
    assert "--style FILE" in done.err


@pytest.mark.parametrize(
    ("content", "style", "noted"),
    [("IMG_1.png", "IMG_2.png", True), ("photo.png", "IMG_2.png", False), ("IMG_1.png", "IMG_1.png", False)],
)
def test_photos_of_one_series_are_told_from_each_other(paint, studio, content, style, noted):
    for name in ("IMG_1.png", "IMG_2.png"):
        shutil.copy("photo.png", name)
    assert ("is the content" in paint(inputs=(content, style)).err) == noted


@pytest.mark.parametrize("words", [("in", "style.png"), ("photo.png", "in"), ("*.png", "style.png")])
def test_folders_and_patterns_need_named_styles(paint, untouched, studio, words):
    (studio / "in").mkdir()
    fails(paint(inputs=words), "of several pictures", "--style FILE")


def test_a_glob_of_photos_is_never_a_crowd_of_styles(paint, untouched):
    fails(paint(inputs=("photo.png",) * 10), "9 is too many styles", "--style FILE")
    assert paint(inputs=("photo.png",)).code == 2


# Divergence


def test_what_diverges_leaves_its_best_picture_beside(paint, studio, monkeypatch):
    tell, calls = LBFGS.tell, []

    def lost(self, loss, gradient):
        calls.append(loss)
        tell(self, loss if len(calls) < 3 else float("nan"), gradient)

    monkeypatch.setattr(LBFGS, "tell", lost)
    before = names(studio)
    fails(paint("--steps", "50"), "left the finite numbers", "photo-style-partial.png")
    assert names(studio) - before == {"photo-style-partial.png"}
    best = (studio / "photo-style-partial.png").read_bytes()
    assert load_picture("photo-style-partial.png").image.shape == (1, 3, 24, 32)
    calls.clear()
    fails(paint("--steps", "50"), "photo-style-partial-2.png")  # the first may be somebody's input
    assert (studio / "photo-style-partial.png").read_bytes() == best


# Names


def test_names_of_outputs(paint, studio, tmp_path):
    (studio / "folder").mkdir()
    assert paint("-o", "folder", inputs=("-", "style.png"), stdin=encoded(picture(), "PNG")).code == 0
    assert names(studio / "folder") == {"stdin-style.png"}
    long = "é" * 120 + ".png"
    shutil.copy("photo.png", long)
    assert paint("-o", "folder/", inputs=(long, long)).code == 0
    assert all(len(name.encode()) <= 255 for name in names(studio / "folder"))
    assert partial_for("-") == "-"
    assert partial_for(str(tmp_path / "x.jpg")) == str(tmp_path / "x-partial.jpg")
    assert len(partial_for("n" * 250 + ".png")) == 255
