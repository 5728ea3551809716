"""`styler fast` through its function: what is written, skipped, refused and told, with a tiny network."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from corpus import bad_files, encoded, odd_files, picture, write_all, write_names
from PIL import Image
from runs import ended

from styler.errors import CheckpointError, InputError, OutputError
from styler.events import Item, Note, Result
from styler.jobs import fast as stylizing
from styler.jobs.fast import Summary
from styler.networks import strips
from styler.networks.kinds import described
from styler.networks.layers import Mode
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.options.fast import FastOptions
from styler.plans import ResidualArchitecture
from styler.storage import disk
from styler.storage.models import find, library
from styler.storage.models.library import Card, Model, Style
from styler.storage.pictures.load import load_picture, read_recipe
from styler.tasks.fast import with_grain
from styler.ui import cli
from styler.ui.remake import command_line


def written(path, network, kind, *names):
    """A model's file with a network of random weights, its norms' too."""
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    card = Card(kind, described(network.config), tuple(map(Style, names)))
    library.write(path, Model(network, card))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The current folder with two photos in a folder and one beside; a model of two styles is installed."""
    folder = tmp_path / "here"
    (folder / "in" / "deep").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(find, "_bundled", lambda: None)
    torch.manual_seed(1)
    written(
        library.folder() / "pair.safetensors",
        ResidualNetwork(ResidualArchitecture(width=4, styles=2)),
        "transform",
        "ink",
        "oil",
    )
    for name in ("photo.png", "in/a.png", "in/deep/b.jpg"):
        picture(size=(40, 24)).save(name)
    return folder


def fast(*sources, output=None, stop=lambda: False, style="ink", **options):
    """Run it to its end: events, and what it returns."""
    return ended(stylizing.fast(sources, output, FastOptions(style=style, **options), stop), [])


def records(events):
    return [event.record for event in events if isinstance(event, Result)]


def names(folder="."):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


# One input


def test_one_picture_with_its_recipe(here):
    before = names()
    events, summary = fast("photo.png")
    assert summary == Summary(done=1) and summary.exit_code == 0
    assert names() - before == {"photo-ink.png"}
    with Image.open("photo-ink.png") as painted:
        assert painted.size == (40, 24)
    (record,) = records(events)
    assert record["input"] == "photo.png" and record["output"] == "photo-ink.png"
    assert record["sizes"] == [[24, 40]] and record["device"] == "cpu"
    recipe = read_recipe("photo-ink.png")
    assert recipe["command"] == "fast" and recipe["size"] == [40, 24]
    assert recipe["options"] == {
        "model": "pair",
        "style": "ink",
        "seed": 0,
        "threads": 1,
        "precision": "float32",
    }
    assert recipe["model"] == {
        "name": "pair",
        "sha256": library.read_card(library.folder() / "pair.safetensors").sha256,
    }
    assert recipe["content"] == {"name": "photo.png", "sha256": disk.sha256_of("photo.png")}
    assert command_line(recipe, cli.styler.commands).line.startswith(
        "styler fast --model pair"
    ) and command_line(recipe, cli.styler.commands).line.endswith("photo.png")


def test_it_is_the_networks_picture(here):
    fast("photo.png", precision="float32")
    network = library.read(library.folder() / "pair.safetensors").network
    with torch.inference_mode():
        wanted = network(
            with_grain(load_picture("photo.png").image, 0.0), Mode(mix=torch.tensor([[1.0, 0.0]]))
        ).clamp(0, 1)
    assert (load_picture("photo-ink.png").image - wanted).abs().max() < 1 / 255


def test_a_white_sheet_is_painted_alike_in_every_number_type(here):
    """Its grain is a two-hundredth of what it lies on, and would be lost in rounding."""
    Image.new("RGB", (96, 80), "white").save("white.png")
    for precision in ("float32", "bfloat16"):
        fast("white.png", precision=precision, output=f"{precision}.png")
    one, other = (load_picture(f"{precision}.png").image for precision in ("float32", "bfloat16"))
    assert one.std() > 0.02 and (one - other).abs().mean() < 0.02


def test_equal_runs_give_equal_files(here):
    for output in ("a.png", "b.png"):
        fast("photo.png", output=output)
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_blends_have_both_names(here):
    fast("photo.png", style="ink:0.6,oil:0.4")
    fast("photo.png", style="oil")
    fast("photo.png", style="ink")
    blend, oil, ink = (load_picture(f"photo-{name}.png").image for name in ("ink-oil", "oil", "ink"))
    assert not torch.equal(blend, oil) and not torch.equal(blend, ink)


def test_without_metadata_there_is_none(here):
    fast("photo.png", metadata=False)
    with pytest.raises(InputError, match="no recipe"):
        read_recipe("photo-ink.png")


@pytest.mark.parametrize(
    ("size", "wanted"),
    [(20, (20, 12)), (80, (80, 48)), ((40, 80), (67, 40)), ((900, 60), (60, 36)), (None, (40, 24))],
)
def test_size_is_the_long_side_or_a_box(here, size, wanted):
    if wanted[1] < 16:
        with pytest.raises(InputError, match="20x12 pixels, and 16"):
            fast("photo.png", size=size)
        return
    fast("photo.png", size=size)
    with Image.open("photo-ink.png") as painted:
        assert painted.size == wanted


def test_a_size_over_the_limit_is_refused_before_the_memory_is_asked_for(here):
    with pytest.raises(InputError, match="over the limit of 100,000,000"):
        fast("photo.png", size=999999)


def test_transparency_and_orientation_are_kept(here):
    odd = picture("RGBA", (40, 24))
    odd.putalpha(Image.linear_gradient("L").resize((40, 24)))
    odd.save("glass.png")
    fast("glass.png")
    before, after = load_picture("glass.png").alpha, load_picture("glass-ink.png").alpha
    assert torch.equal(before, after)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    picture(size=(40, 24)).save("turned.jpg", exif=exif)
    fast("turned.jpg")
    with Image.open("turned-ink.png") as painted:
        assert painted.size == (24, 40)


def test_standard_input_to_standard_output(here, monkeypatch, capsysbinary):
    buffer = type("Piped", (), {"buffer": open("photo.png", "rb"), "isatty": lambda self: False})()  # noqa: SIM115, PTH123
    monkeypatch.setattr("sys.stdin", buffer)
    fast("-", output="-")
    assert capsysbinary.readouterr().out.startswith(b"\x89PNG")
    buffer.buffer.close()


def test_an_output_that_exists_is_refused_and_left_alone(here):
    Path("photo-ink.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match="--overwrite"):
        fast("photo.png")
    assert Path("photo-ink.png").read_bytes() == b"mine"
    fast("photo.png", overwrite=True)
    assert Path("photo-ink.png").read_bytes() != b"mine"


def test_the_input_is_never_the_output(here):
    before = Path("photo.png").read_bytes()
    with pytest.raises(OutputError, match="also an input"):
        fast("photo.png", output="photo.png", overwrite=True)
    assert Path("photo.png").read_bytes() == before


def test_one_bad_picture_is_an_error_and_nothing_is_written(here):
    Path("bad.png").write_bytes(b"<html>")
    before = names()
    with pytest.raises(InputError, match="an HTML page"):
        fast("bad.png")
    assert names() == before


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"style": "inc"}, CheckpointError, "did you mean ink"),
        ({"style": "", "model": "pair"}, InputError, "2 styles"),
        ({"model": "peer"}, CheckpointError, "pair"),
        ({"model": "pair", "style": "inc"}, InputError, "did you mean ink"),
        ({"shard": "3/2"}, InputError, "--shard"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_done(here, options, error, says):
    before = names()
    with pytest.raises(error, match=says):
        fast("photo.png", **options)
    assert names() == before


def test_a_model_may_be_a_file(here):
    shutil.move(library.folder() / "pair.safetensors", "mine.safetensors")
    fast("photo.png", model="mine.safetensors")
    assert read_recipe("photo-ink.png")["options"]["model"] == "mine.safetensors"


def test_the_number_type_is_in_the_recipe(here):
    fast("photo.png", precision="bfloat16")
    assert read_recipe("photo-ink.png")["options"]["precision"] == "bfloat16"


def test_strength_goes_from_the_photo(here):
    fast("photo.png", strength=0.0)
    assert torch.equal(load_picture("photo-ink.png").image, load_picture("photo.png").image)


def test_memory_that_runs_out_is_told_and_gone_on_without(here, monkeypatch):
    paint, asked = strips.paint, []

    def short(network, image, mix, rows, *args, **options):
        asked.append(rows)
        if len(asked) == 1:
            raise MemoryError
        return paint(network, image, mix, rows, *args, **options)

    monkeypatch.setattr(strips, "paint", short)
    events, summary = fast("photo.png")
    assert summary == Summary(done=1) and asked[1] < asked[0]
    assert any("memory ran out" in event.text for event in events if isinstance(event, Note))


# Many


def test_a_folder_is_mirrored_and_told(here):
    events, summary = fast("in", output="out")
    assert names("out") == {"a.png", "deep/b.jpg"} and summary == Summary(done=2)
    assert [(event.index, event.count, event.name) for event in events if isinstance(event, Item)] == [
        (1, 2, str(Path("in/a.png"))),
        (2, 2, str(Path("in/deep/b.jpg"))),
    ]
    assert [record["output"] for record in records(events)] == [
        str(Path("out/a.png")),
        str(Path("out/deep/b.jpg")),
    ]


def test_one_of_many_is_as_if_alone(here):
    fast("in", output="out")
    fast("in/a.png", output="alone.png")
    assert torch.equal(load_picture("out/a.png").image, load_picture("alone.png").image)


def test_what_exists_is_skipped_unless_it_is_to_be_replaced(here):
    fast("in", output="out")
    Path("out/a.png").write_bytes(b"mine")
    events, summary = fast("in", output="out")
    assert summary == Summary(skipped=2) and not records(events) and summary.exit_code == 0
    assert "2 skipped" in str(summary) and Path("out/a.png").read_bytes() == b"mine"
    assert fast("in", output="out", overwrite=True)[1] == Summary(done=2)
    assert Path("out/a.png").read_bytes() != b"mine"


def test_failures_are_told_and_counted_and_the_rest_is_done(here):
    Path("in/aa.png").write_bytes(encoded(picture(), "PNG")[:-200])
    picture(size=(8, 8)).save("in/small.png")
    events, summary = fast("in", output="out")
    assert summary == Summary(done=2, failed=2) and summary.exit_code == 1
    failed = {record["input"]: record for record in records(events) if record.get("error")}
    assert {Path(name).name for name in failed} == {"aa.png", "small.png"}
    for name, record in failed.items():
        assert record["output"] is None and record["error"] == "InputError"
        assert record["message"].count(name) == 1 and "\n" not in record["message"]
    assert names("out") == {"a.png", "deep/b.jpg"}
    json.dumps(records(events))


def test_bad_files_each_get_one_line_and_odd_ones_are_painted(here):
    bad = [case for case in bad_files() if Path(case.name).suffix in {".png", ".jpg", ".webp", ".tif"}]
    odd = [case for case in odd_files() if case.name.endswith((".png", ".jpg"))]
    Path("in/bad").mkdir()
    write_all(Path("in/bad"), bad)
    write_all(Path("in/deep"), [case for case in odd if "animated" not in case.name])
    events, summary = fast("in", output="out")
    assert summary.failed == len(bad) and summary.done == len(names("out"))
    for record in records(events):
        assert ("bad" in record["input"]) == bool(record.get("error"))
        assert not record.get("error") or record["error"] == "InputError", record


def test_names_of_any_bytes_survive(here):
    write_names(Path("in/deep"))
    events, summary = fast("in", output="out")
    assert summary.failed == 0 and names("out") == names("in")
    assert all(event.name.isprintable() for event in events if isinstance(event, Item))


def test_a_surprise_in_one_picture_does_not_end_the_others(here, monkeypatch):
    def surprising(source, **options):
        if "a.png" in str(source):
            raise RuntimeError("what\nis this")
        return load_picture(source, **options)

    monkeypatch.setattr("styler.jobs.records.load_picture", surprising)
    events, summary = fast("in", output="out")
    assert summary == Summary(done=1, failed=1)
    (record,) = [record for record in records(events) if record.get("error")]
    assert record["error"] == "RuntimeError" and record["message"] == f"{Path('in/a.png')}: what is this"


def test_a_full_disk_ends_the_batch(here, monkeypatch):
    def full(*_, **__):
        raise OutputError("no space") from OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "write", full)
    with pytest.raises(OutputError, match="no space"):
        fast("in", output="out")


def test_an_output_folder_that_cannot_be_written_ends_the_batch_at_once(here):
    Path("out").write_bytes(b"a file")
    with pytest.raises(OutputError):
        fast("in", output="out")
    Path("odd").mkdir()
    Path("odd/deep").write_bytes(b"a file where a folder is needed")
    with pytest.raises(OutputError, match="cannot be written"):
        fast("in", output="odd")


def test_a_picture_that_its_format_cannot_hold_fails_alone(here):
    picture(size=(16, 17000)).save("in/long.webp.png")
    Path("in/long.webp.png").rename("in/long.webp")
    events, summary = fast("in", output="out")
    assert summary == Summary(done=2, failed=1)
    assert any("WEBP cannot hold" in str(record.get("message")) for record in records(events))


def test_warnings_of_many_name_the_file(here):
    frames = [picture(size=(40, 24)) for _ in range(2)]
    Path("in/pages.tif").write_bytes(encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]))
    events, _ = fast("in", output="out")
    alone, _ = fast("in/pages.tif", output="alone.png")
    for notes in (events, alone):
        (text,) = [event.text for event in notes if isinstance(event, Note) and "frames" in event.text]
        assert text.startswith(str(Path("in/pages.tif")))


def test_a_picture_that_stays_as_it_is_is_told_of(here):
    for strength, told in ((0.0, True), (1.0, False)):
        events, _ = fast("in/a.png", output="x.png", strength=strength, overwrite=True)
        assert any("the result is the input" in e.text for e in events if isinstance(e, Note)) == told


def test_the_first_signal_ends_it_after_the_picture_in_hand(here):
    asked = iter([False, True])
    _, summary = fast("in", output="out", stop=lambda: next(asked))
    assert summary == Summary(done=1, left=1) and names("out") == {"a.png"}


def test_nothing_half_written_is_left_where_it_breaks_off(here, monkeypatch):
    def breaks(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("styler.storage.pictures.save.encode_picture", breaks)
    with pytest.raises(KeyboardInterrupt):
        fast("in", output="out")
    assert names("out") == set()


def test_shards_do_each_picture_once(here):
    for shard in ("1/2", "2/2"):
        events, summary = fast("in", output="out", shard=shard)
        assert summary == Summary(done=1) and Note("1 of 2 inputs are in this part") in events
    assert names("out") == {"a.png", "deep/b.jpg"}


def test_processes_of_torchrun_share_the_work(here, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert fast("in", output="out", device="cpu")[1] == Summary(done=1)
    assert names("out") == {"a.png", "deep/b.jpg"}


# Dry runs


@pytest.mark.parametrize("sources", [("in",), ("photo.png",), ("in/*.png", "photo.png")])
def test_a_dry_run_writes_nothing_and_tells_all(here, sources):
    before = sorted(here.rglob("*"))
    output = "out" if sources != ("photo.png",) else None
    events, summary = fast(*sources, output=output, dry_run=True)
    assert sorted(here.rglob("*")) == before
    assert summary.done == len(records(events)) > 0
    for record in records(events):
        assert record["output"] is None and record["sizes"] == [[24, 40]]
        for part in (record["input"], "40 x 24", "whole", "GB", "about"):
            assert part in record["message"]


def test_a_dry_run_tells_failures_and_what_exists(here):
    fast("in/a.png", output="out/a.png")
    Path("in/bad.png").write_bytes(b"no")
    assert fast("in", output="out", dry_run=True)[1] == Summary(done=1, skipped=1, failed=1)


# Films


def animate(path):
    frames = [picture(size=(32, 24)).rotate(90 * turn) for turn in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50)


def test_an_animation_is_painted_as_one(here):
    animate("wave.gif")
    _, summary = fast("wave.gif")
    assert summary == Summary(done=1)
    with Image.open("wave-ink.gif") as painted:
        assert painted.n_frames == 3 and painted.size == (32, 24)


def test_films_lie_among_pictures(here):
    animate("in/wave.gif")
    events, summary = fast("in", output="out", dry_run=True)
    assert summary == Summary(done=3)
    assert any("3 frames" in record["message"] for record in records(events))
    assert fast("in", output="out")[1] == Summary(done=3)
    assert names("out") == {"a.png", "deep/b.jpg", "wave.gif"}


def shoot(path, count=5):
    """A film of a still."""
    av = pytest.importorskip("av")
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for _ in range(count):
            container.mux(stream.encode(av.VideoFrame.from_image(picture())))
        container.mux(stream.encode(None))


def test_an_interrupted_film_is_neither_skipped_nor_lost(here):
    shoot("in/film.mp4")
    asked = iter([False] * 5)  # before each picture and the film, and after two frames
    _, summary = fast("in", output="out", stop=lambda: next(asked, True))
    assert summary.done == 3 and names("out") >= {"a.png", "deep/b.jpg", "film-partial.mp4"}
    assert "film.mp4" not in names("out")
    assert fast("in", output="out")[1] == Summary(done=1, skipped=2)  # goes on from there
    assert names("out") == {"a.png", "deep/b.jpg", "film.mp4"}
    assert fast("in", output="out", resume=True)[1] == Summary(skipped=3)


def test_a_clash_with_an_input_fails_alone(here):
    Path("out/in").mkdir(parents=True)
    Path("out/in/a.png").hardlink_to("photo.png")
    before = Path("photo.png").read_bytes()
    events, summary = fast("in", "photo.png", output="out", overwrite=True)
    assert Path("photo.png").read_bytes() == before
    assert summary == Summary(done=2, failed=1) and "would be lost" in records(events)[0]["message"]


# Texture


@pytest.fixture
def texture(here):
    network = TextureNetwork(TextureArchitecture(2, 2, 1))
    written(library.folder() / "grain.safetensors", network, "texture", "sand")


@pytest.mark.parametrize(("size", "wanted"), [((24, 40), (40, 24)), (33, (33, 33))])
def test_texture_of_any_size_without_an_input(texture, size, wanted):
    events, summary = fast(model="grain", style="", size=size, seed=3)
    assert summary == Summary(done=1) and records(events)[0]["output"] == "sand-texture.png"
    with Image.open("sand-texture.png") as painted:
        assert painted.size == wanted
    recipe = read_recipe("sand-texture.png")
    assert recipe["options"]["seed"] == 3 and "content" not in recipe


def test_the_seed_decides_the_texture(texture):
    for output, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        fast(model="grain", style="", size=32, seed=seed, output=output)
    a, b, c = (load_picture(name).image for name in ("a.png", "b.png", "c.png"))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_a_dry_run_makes_no_texture(texture):
    before = names()
    events, _ = fast(model="grain", style="", size=32, dry_run=True)
    assert names() == before and "sand-texture.png" in records(events)[0]["message"]


def test_networks_want_what_suits_them(texture):
    with pytest.raises(InputError, match="makes texture from noise"):
        fast("photo.png", model="grain", style="")
    with pytest.raises(InputError, match="no input given"):
        fast(model="pair")
