"""`styler pairs`: what is written, skipped, refused and told."""

import json
import re
from pathlib import Path

import pytest
import torch
from corpus import deep_png, picture
from PIL import Image, ImageDraw
from runs import ended

from styler.errors import InputError, OutputError
from styler.events import Item, Note, Result
from styler.image.conditions import CONDITIONS
from styler.image.edges import Edges, draw
from styler.jobs.batch import Summary
from styler.jobs.training import pairs as pairing
from styler.options.translate import PairsOptions, TrainTranslateOptions
from styler.storage.datasets.pairs import open_pairs
from styler.storage.pictures.load import load_picture, measure, read_recipe
from styler.ui import cli
from styler.ui.remake import command_line


def scene(size=(41, 24)):
    """A smooth picture with a disk on it."""
    made = picture(size=size)
    ImageDraw.Draw(made).ellipse((4, 4, 20, 20), (250, 240, 20))
    return made


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The current folder with two photos in a folder and one beside."""
    folder = tmp_path / "here"
    (folder / "in" / "deep").mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name in ("photo.png", "in/a.jpg", "in/deep/b.png"):
        scene().save(name)
    return folder


def pairs(*photos, kind="edges", output="out", stop=lambda: False, **options):
    """Run it to its end: events, and what it returns."""
    return ended(pairing.pairs(photos, output, kind, PairsOptions(**options), stop), [])


def records(events):
    return [event.record for event in events if isinstance(event, Result)]


def notes(events):
    return " ".join(event.text for event in events if isinstance(event, Note))


def names(folder="out"):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def halves(path):
    whole = load_picture(path).image
    half = whole.shape[-1] // 2
    return whole[..., :half], whole[..., half:]


def test_a_pair_is_the_input_and_the_photo_side_by_side():
    events, summary = pairs("photo.png")
    assert summary == Summary(done=1) and names() == {"photo.png", "pairs.json"}
    left, right = halves("out/photo.png")
    photo = load_picture("photo.png").image
    assert torch.equal(right, photo)
    assert torch.equal(left, draw(photo, Edges((2, 2)), 2.0).expand(-1, 3, -1, -1))
    assert 0 < (left == 0).float().mean() < 0.3
    (record,) = records(events)
    assert record["output"] == str(Path("out/photo.png")) and record["sizes"] == [[24, 41]]


@pytest.mark.parametrize("kind", CONDITIONS)
def test_every_kind_is_written_and_learned_from(kind):
    pairs("in", "photo.png", kind=kind)
    assert names() == {"in/a.png", "in/deep/b.png", "photo.png", "pairs.json"}
    with Image.open("out/photo.png") as made:
        assert (made.mode, made.size) == ("RGB", (82, 24))
    learned = open_pairs("out", TrainTranslateOptions(crop=16, validation=0.0))
    assert len(learned) == 3 and learned.names == (kind, "photo") and learned.condition["name"] == kind


def test_two_folders():
    pairs("in", layout="folders")
    assert names() == {"A/a.png", "A/deep/b.png", "B/a.png", "B/deep/b.png", "pairs.json"}
    assert torch.equal(load_picture("out/B/deep/b.png").image, load_picture("in/deep/b.png").image)
    learned = open_pairs("out", TrainTranslateOptions(crop=16, validation=0.0))
    assert len(learned) == 2 and not learned.notes and learned.names == ("edges", "photo")


def test_how_they_were_made_is_recorded():
    pairs("photo.png", sigma=(1.0, 3.0), strong=80.0, seed=5)
    record = json.loads(Path("out/pairs.json").read_text())
    assert record["condition"] == {
        "name": "edges",
        "sigma": "1-3",
        "strong": 80.0,
        "weak": 75.0,
        "shortest": 10,
    }
    recipe = read_recipe("out/photo.png")
    assert recipe["condition"] == record["condition"] and recipe["content"]["name"] == "photo.png"
    command = command_line(recipe, cli.styler.commands).line
    assert command.startswith("styler pairs --edges") and "--sigma 1-3" in command
    assert "--seed 5" in command and command.endswith("photo.png")


def test_the_command_in_a_picture_makes_it_again(run):
    pairs("photo.png", kind="low-resolution", factor=3)
    before = Path("out/photo.png").read_bytes()
    words = command_line(read_recipe("out/photo.png"), cli.styler.commands).line.split()[1:]
    Path("out/photo.png").unlink()
    assert run(*words, "-o", "out").code == 0
    assert Path("out/photo.png").read_bytes() == before


def test_what_is_drawn_hangs_on_seed_and_photo_alone():
    pairs("in", "photo.png", output="one", sigma=(1.0, 6.0))
    pairs("in/deep", output="two", sigma=(1.0, 6.0))
    one, two = load_picture("one/in/deep/b.png").image, load_picture("two/b.png").image
    assert torch.equal(one, two)


def test_what_is_there_is_left_alone():
    pairs("in")
    Path("out/a.png").unlink()
    kept = Path("out/deep/b.png").stat().st_mtime_ns
    events, summary = pairs("in")
    assert summary == Summary(done=1, skipped=1) and len(records(events)) == 1
    assert Path("out/deep/b.png").stat().st_mtime_ns == kept
    assert pairs("in", overwrite=True)[1] == Summary(done=2)


def test_half_a_pair_is_made_again():
    pairs("in", layout="folders")
    Path("out/A/a.png").unlink()
    assert pairs("in", layout="folders")[1] == Summary(done=1, skipped=1)
    assert Path("out/A/a.png").exists()


def test_pairs_made_otherwise_are_not_mixed():
    pairs("photo.png")
    with pytest.raises(InputError, match=r"made otherwise.* add --overwrite"):
        pairs("in", sigma=(1.0, 1.0))
    with pytest.raises(InputError, match=r"made otherwise.* leaves some"):
        pairs("in", sigma=(1.0, 1.0), overwrite=True)
    assert names() == {"photo.png", "pairs.json"}
    assert pairs(".", sigma=(1.0, 1.0), overwrite=True)[1].done == 3


def test_without_a_pair_there_is_no_record():
    Path("bad.png").write_bytes(b"<html>")
    assert pairs("bad.png")[1].failed == 1
    assert not Path("out/pairs.json").exists()
    assert pairs("photo.png", kind="grey")[1].done == 1


@pytest.mark.parametrize(("kind", "options"), [("grey", {"sigma": (1.0, 1.0)}), ("edges", {"colors": 3})])
def test_options_of_another_kind_are_refused(kind, options):
    with pytest.raises(InputError, match=f"inputs of kind '{kind}' have no --{next(iter(options))}"):
        pairs("photo.png", kind=kind, **options)


def test_a_bad_photo_does_not_stop_the_others():
    Path("in/bad.png").write_bytes(b"<html>")
    Image.new("RGB", (400, 5)).save("in/thin.png")
    events, summary = pairs("in")
    assert summary == Summary(done=2, failed=2) and summary.exit_code == 1
    told = {record["input"]: record.get("message") for record in records(events)}
    assert "an HTML page" in told[str(Path("in/bad.png"))] and "under 16" in told[str(Path("in/thin.png"))]


def test_a_photo_without_edges_is_told_of(run):
    Image.new("RGB", (40, 40), (120, 130, 140)).save("fog.png")
    done = run("pairs", "fog.png", "--edges", "-o", "out")
    assert done.code == 0 and "fog.png: no edges were found in it" in done.err


def test_films_are_left_out():
    scene().save("in/film.gif", save_all=True, append_images=[picture(size=(41, 24))])
    events, summary = pairs("in")
    assert summary.failed == 1 and any(
        "is a video" in record.get("message", "") for record in records(events)
    )


def test_two_photos_of_one_name_keep_apart():
    scene().save("in/a.png")
    events, summary = pairs("in")
    assert summary == Summary(done=3) and names() == {"a.png", "a.jpg.png", "deep/b.png", "pairs.json"}
    assert "in/a.jpg becomes out/a.jpg.png" in notes(events)


def test_photos_are_never_overwritten():
    before = Path("photo.png").read_bytes()
    with pytest.raises(OutputError, match="also an input"):
        pairs("photo.png", output=".", overwrite=True)
    assert Path("photo.png").read_bytes() == before


def test_a_dry_run_writes_nothing():
    events, summary = pairs("in", dry_run=True, size=64)
    assert not Path("out").exists() and summary.done == 2
    assert "64 x 37" in records(events)[0]["message"]


def test_shards_share_the_work():
    assert pairs("in", shard="1/2")[1].done == pairs("in", shard="2/2")[1].done == 1
    assert names() == {"a.png", "deep/b.png", "pairs.json"}


def test_size_is_the_long_side():
    pairs("photo.png", size=30)
    left, right = halves("out/photo.png")
    assert left.shape == right.shape == (1, 3, 18, 30)


def test_orientation_transparency_and_depth():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    scene().save("in/turned.jpg", exif=exif)
    glass = scene().convert("RGBA")
    glass.putalpha(Image.new("L", (41, 24), 0))
    glass.save("in/glass.png")
    Path("in/deep.png").write_bytes(deep_png(3))
    events, summary = pairs("in")
    assert summary.done == 5 and "16 bits" in notes(events)
    assert measure("out/turned.png") == (41, 48)
    left, right = halves("out/glass.png")
    assert (left == 1).all() and (right == 1).all()


def test_credits_and_metadata():
    exif = Image.Exif()
    exif[0x8298] = "CC BY Ada"
    scene().save("in/a.jpg", exif=exif)
    pairs("in/a.jpg")
    with Image.open("out/a.png") as made:
        assert made.info["Copyright"] == "CC BY Ada"
    pairs("in/a.jpg", output="bare", metadata=False)
    with pytest.raises(InputError, match="no recipe"):
        read_recipe("bare/a.png")


def test_it_stops_between_photos():
    asked = iter([False, True])
    events, summary = pairs("in", stop=lambda: next(asked))
    assert summary == Summary(done=1, left=1)
    assert [event.name for event in events if isinstance(event, Item)] == [str(Path("in/a.jpg"))]


def test_standard_input_is_a_photo(run):
    done = run("pairs", "-", "--grey", "-o", "out", stdin=Path("photo.png").read_bytes())
    assert done.code == 0 and names() == {"stdin.png", "pairs.json"}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("photo.png", "-o", "out"), 2, "one of --edges, --grey"),
        (("photo.png", "--edges"), 2, "Missing option '-o'"),
        (("photo.png", "--edges", "--grey", "-o", "out"), 2, "Give one of --edges, --grey"),
        (("photo.png", "--edges", "-o", "-"), 1, "give a folder"),
        (("photo.png", "--edges", "-o", "a.png"), 1, "needs? a folder"),
        (("none.png", "--edges", "-o", "out"), 1, "no such file"),
        (("photo.png", "--edges", "-o", "out", "--sigma", "3-1"), 2, "'3-1' is no range"),
        (("photo.png", "--edges", "-o", "out", "--weak", "99"), 1, "--weak is 99"),
        (("photo.png", "--edges", "-o", "out", "--size", "3"), 2, "'3' is no size"),
        (("photo.png", "--palette", "-o", "out", "--colors", "1"), 2, "1 is not in the range"),
    ],
)
def test_what_is_wrong_is_told(run, words, code, says):
    done = run("pairs", *words)
    assert done.code == code
    assert re.search(says, done.err), done.err
    assert not Path("out").exists()


def test_as_it_is_typed(run):
    done = run("pairs", "in", "--edges", "-o", "out", "--json")
    assert done.code == 0 and len(done.lines) == 2 and "2 done" in done.err
    again = run("pairs", "in", "--edges", "-o", "out")
    assert again.code == 0 and "0 done, 2 skipped" in again.err
    left, _ = halves("out/a.png")
    assert 0.7 < left.mean() < 0.99


def test_a_link_in_the_folder_is_not_followed_unasked(here):
    foreign = here / "foreign"
    foreign.write_bytes(b"old")
    for name, layout in (("out/B/photo.png", "folders"), ("out/pairs.json", "side-by-side")):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).symlink_to(foreign)
        try:
            events, summary = pairs("photo.png", layout=layout)
            assert summary.failed == 1 and "is a link" in records(events)[0]["message"]
        except OutputError as error:
            assert "is a link" in str(error)
        assert foreign.read_bytes() == b"old"
