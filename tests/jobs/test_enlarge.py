"""`styler enlarge`, and --enlarge of other commands, from files to files with tiny networks."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from corpus import encoded, picture
from nets import architecture, enlarger, small, stirred
from PIL import Image, ImageChops
from runs import ended
from videos import decoded, make, pictures, stream_of

from styler.errors import CheckpointError, InputError
from styler.events import Note, Result
from styler.image.masks import bled
from styler.image.size import resize
from styler.jobs import enlarge as job
from styler.jobs import fast as fast_job
from styler.jobs import translate as translate_job
from styler.jobs.batch import Summary
from styler.networks.enlarge import JOHNSON, EnlargeArchitecture, EnlargeNetwork
from styler.networks.kinds import build, described
from styler.networks.layers import Mode
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.options.enlarge import EnlargeOptions
from styler.options.fast import FastOptions
from styler.options.translate import TranslateOptions
from styler.storage.models import enlargers, find, library
from styler.storage.models.library import Card, Model, Style, Translation
from styler.storage.pictures.load import load_picture, read_recipe
from styler.tasks.enlarge.enlarger import steps, target_size
from styler.ui import cli
from styler.ui.remake import command_line

TINY = EnlargeArchitecture(width=4, blocks=1)


def installed(name: str, network: EnlargeNetwork) -> EnlargeNetwork:
    """The network as it is in its file."""
    path = library.folder() / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    library.write(path, Model(network, Card("enlarge", described(network.config))), torch.float32)
    return network


def gentle(factor: Any = 4, seed: int = 0) -> EnlargeNetwork:
    """A network whose corrections are small, as those of trained ones."""
    network = enlarger(replace(TINY, factor=factor), seed)
    with torch.no_grad():
        network.last.conv.weight.mul_(0.05)
        network.last.conv.bias.mul_(0.0)  # type: ignore[union-attr]
    return network


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder with photos; x2 and x4, each with its network of detail, are installed alone."""
    folder = tmp_path / "here"
    (folder / "in" / "deep").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(find, "_bundled", lambda: None)
    for factor in (2, 4):
        installed(f"enlarge-x{factor}", gentle(factor))
        installed(f"enlarge-x{factor}-detail", gentle(factor, seed=1))
    for name in ("photo.png", "in/a.png", "in/deep/b.jpg"):
        picture(size=(40, 24)).save(name)
    yield folder


def enlarge(*sources: str, output: str | None = None, **options: Any) -> tuple[list[Any], Summary]:
    events, summary = ended(job.enlarge(sources, output, EnlargeOptions(**options)), [])
    return events, summary


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_it_is_the_networks_picture() -> None:
    enlarge("photo.png", detail=0, clean=0.5, precision="float32")
    photo = load_picture("photo.png").image
    inputs = torch.cat([photo, torch.full_like(photo[:, :1], 0.5)], 1)
    with torch.inference_mode():
        wanted = gentle()(inputs, Mode("stored")).clamp(0, 1)
    assert (load_picture("photo-x4.png").image - wanted).abs().max() < 1 / 255


def test_detail_and_clean_each_change_it() -> None:
    seen = set()
    for index, levels in enumerate(({}, {"detail": 0}, {"detail": 1}, {"clean": 0}, {"clean": 1})):
        enlarge("photo.png", output=f"{index}.png", **levels)
        seen.add(Path(f"{index}.png").read_bytes())
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("options", "wanted", "name"),
    [
        ({}, (160, 96), "x4"),
        ({"scale": 2}, (80, 48), "x2"),
        ({"scale": 1.1}, (44, 26), "x1.1"),
        ({"scale": 3}, (120, 72), "x3"),
        ({"scale": 8}, (320, 192), "x8"),
        ({"scale": 16}, (640, 384), "x16"),
        ({"size": 100}, (100, 60), "100"),
        ({"size": (50, 200)}, (83, 50), "200x50"),
    ],
)
@pytest.mark.parametrize("source", ["photo.png", "in"])
def test_any_scale_and_size_of_a_picture_and_of_a_folder(
    source: str, options: dict[str, Any], wanted: tuple[int, int], name: str
) -> None:
    events, summary = enlarge(source, **options)
    made = [f"photo-{name}.png"] if source == "photo.png" else [f"in-{name}/a.png", f"in-{name}/deep/b.jpg"]
    assert summary.done == len(made) and [size(path) for path in made] == [wanted] * len(made)
    assert [e.record["sizes"] for e in events if isinstance(e, Result)] == [[[wanted[1], wanted[0]]]] * len(
        made
    )


def test_every_option_works_on_a_folder_as_on_a_picture() -> None:
    given = {"scale": 3, "detail": 1.0, "clean": 1.0}
    enlarge("in/a.png", output="alone.png", **given)
    enlarge("in", **given)
    assert Path("alone.png").read_bytes() == Path("in-x3/a.png").read_bytes()


@pytest.mark.parametrize("scale", [1.0, 0.5, 17.0, float("nan")])
def test_scales_that_do_not_enlarge_are_refused(scale: float) -> None:
    with pytest.raises(InputError, match="scale is"):
        EnlargeOptions(scale=scale)


def test_what_is_large_enough_is_shrunk_and_told_of() -> None:
    events, _ = enlarge("photo.png", size=32)
    (note,) = (event.text for event in events if isinstance(event, Note))
    assert note == "photo.png is 40 x 24 already, so it is not enlarged" and size("photo-32.png") == (32, 19)
    right = resize(load_picture("photo.png").image, (19, 32))
    assert (load_picture("photo-32.png").image - right).abs().max() <= 0.51 / 255


def test_without_an_input_it_says_so_and_a_scale_beside_a_size_is_told_of() -> None:
    with pytest.raises(InputError, match="no input given: name a picture, a video or a folder"):
        enlarge()
    events, _ = enlarge("photo.png", size=100, scale=3)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes == ["--size says how large the output is, so --scale is not used"]
    assert size("photo-100.png") == (100, 60)


def test_a_picture_too_large_to_write_is_refused() -> None:
    with pytest.raises(InputError, match="160x96 pixels, over the limit of 5,000"):
        enlarge("photo.png", max_pixels=5000)


@pytest.mark.parametrize(
    ("ratio", "wanted"), [(1.5, [2]), (2, [2]), (2.01, [4]), (4, [4]), (5, [4, 2]), (8, [4, 2]), (9, [4, 4])]
)
def test_as_few_steps_as_do(ratio: float, wanted: list[int]) -> None:
    assert steps((2, 4), ratio) == wanted


def test_a_single_network_is_used_again_and_again() -> None:
    assert steps((2,), 7) == [2, 2, 2]
    enlarge("photo.png", model="enlarge-x2", scale=3)
    assert size("photo-x3.png") == (120, 72)


def test_sizes_are_those_of_the_scale_or_the_box() -> None:
    assert target_size((33, 25), None, 1.5) == (50, 38) and target_size((33, 25), 66, 4) == (66, 50)


# Files


def test_the_recipe_names_the_file_that_detail_came_from() -> None:
    files = [library.folder() / f"enlarge-x4{end}.safetensors" for end in ("", "-detail")]
    hashes = [library.read_card(file).sha256 for file in files]
    for name, detail, wanted in (("a.png", 0.5, "+".join(hashes)), ("b.png", 0, hashes[0])):
        enlarge("photo.png", output=name, model="enlarge-x4", detail=detail)
        assert read_recipe(name)["model"] == {"name": "enlarge-x4", "sha256": wanted}


def test_the_recipe_makes_it_again() -> None:
    enlarge("photo.png", scale=3, clean=0.8)
    recipe = read_recipe("photo-x3.png")
    assert recipe["command"] == "enlarge" and recipe["size"] == [120, 72]
    assert (
        recipe["options"]
        == {
            "scale": 3.0,
            "detail": 0.5,
            "clean": 0.8,
            "seed": 0,
            "threads": 1,
            "precision": "float32",
        }
        or recipe["options"]["precision"] == "bfloat16"
    )
    assert recipe["model"]["name"] == "enlarge-x2,enlarge-x4"  # type: ignore[index]
    line = command_line(recipe, cli.styler.commands).line
    assert line.startswith("styler enlarge ") and "--scale 3 " in line and line.endswith(" photo.png")
    done = CliRunner().invoke(cli.styler, [*line.split()[1:], "-o", "again.png"], obj={})
    assert done.exit_code == 0
    with Image.open("photo-x3.png") as one, Image.open("again.png") as two:
        assert ImageChops.difference(one, two).getbbox() is None


def test_transparency_and_orientation_are_kept_without_fringes() -> None:
    """The colors of transparent pixels, black here, must not come into the opaque ones."""
    image = Image.new("RGBA", (40, 24), (0, 0, 0, 0))
    image.paste((200, 180, 160, 255), (8, 6, 32, 18))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save("turned.png", exif=exif)
    enlarge("turned.png", detail=0)
    with Image.open("turned-x4.png") as made:
        assert made.mode == "RGBA" and made.size == (96, 160)
        values = np.asarray(made).astype(int)
    opaque = values[values[..., 3] == 255][:, :3]
    assert abs(opaque - [200, 180, 160]).max() < 40 and len(opaque) > 9 * 24 * 12
    assert values[0, 0, 3] == 0


def test_colors_bleed_under_transparency() -> None:
    alpha = torch.zeros(1, 1, 9, 13)
    alpha[..., 3:5, 4:7] = 1
    image = torch.rand(1, 3, 9, 13) * (1 - alpha) + 0.6 * alpha
    assert (bled(image, alpha) - 0.6).abs().max() < 1e-3
    image = torch.rand(1, 3, 9, 13)
    assert torch.equal(bled(image, torch.ones(1, 1, 9, 13)), image)
    assert bled(image, torch.zeros(1, 1, 9, 13)).isfinite().all()


def test_gray_and_sixteen_bits_and_profiles_are_read_as_everywhere() -> None:
    picture("L").save("gray.png")
    deep = np.linspace(0, 65535, 40 * 24).reshape(24, 40).astype(np.uint16)
    Image.fromarray(deep).save("deep.png")
    enlarge("gray.png", "deep.png", output="out", scale=2)
    assert size("out/gray.png") == (96, 64) and size("out/deep.png") == (80, 48)
    gray = load_picture("out/gray.png").image
    assert gray.shape == (1, 3, 64, 96)


def test_standard_input_to_standard_output(monkeypatch: pytest.MonkeyPatch, capsysbinary: Any) -> None:
    data = io.TextIOWrapper(io.BytesIO(encoded(picture(), "PNG")))
    monkeypatch.setattr(sys, "stdin", data)
    enlarge("-", output="-", scale=2)
    with Image.open(io.BytesIO(capsysbinary.readouterr().out)) as made:
        assert made.size == (96, 64)


def test_strips_make_the_same_picture() -> None:
    picture(size=(40, 300)).save("tall.png")
    enlarge("tall.png", output="whole.png", precision="float32")
    enlarge("tall.png", output="strips.png", precision="float32", memory=0.0036)
    one, two = (np.asarray(Image.open(path)).astype(int) for path in ("whole.png", "strips.png"))
    assert abs(one - two).max() <= 1 and (one != two).mean() < 1e-3


def test_what_exists_is_skipped_and_failures_are_counted(here: Path) -> None:
    (here / "in" / "bad.png").write_bytes(b"no picture")
    _, summary = enlarge("in")
    assert (summary.done, summary.failed) == (2, 1)
    _, summary = enlarge("in")
    assert (summary.done, summary.skipped, summary.failed) == (0, 2, 1)


def test_a_dry_run_tells_the_size_and_writes_nothing() -> None:
    before = sorted(Path().rglob("*"))
    events, _ = enlarge("photo.png", scale=8, dry_run=True)
    (record,) = (event.record for event in events if isinstance(event, Result))
    assert "320 x 192" in str(record["message"]) and sorted(Path().rglob("*")) == before


# Videos


@pytest.mark.parametrize(
    ("options", "wanted"),
    [({"scale": 2}, (128, 96)), ({"scale": 1.6}, (102, 76)), ({"size": 100}, (100, 74))],
)
def test_videos_take_every_option_too(options: dict[str, Any], wanted: tuple[int, int]) -> None:
    make(Path("film.mp4"), pictures(3))
    _, summary = enlarge("film.mp4", output="out.mp4", **options)
    assert summary == Summary(done=1) and stream_of("out.mp4")[2:] == wanted


def test_a_video_that_is_large_enough_is_shrunk_and_told_of_as_a_picture_is() -> None:
    make(Path("film.mp4"), pictures(2))
    events, summary = enlarge("film.mp4", output="out.mp4", size=32, crf=0)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes == ["film.mp4 is 64 x 48 already, so it is not enlarged"] and summary == Summary(done=1)
    enlarge("film.mp4", output="again.mp4", size=32, crf=0, detail=1, clean=1)
    assert stream_of("out.mp4")[2:] == (32, 24)
    for (_, one), (_, two) in zip(decoded("out.mp4"), decoded("again.mp4"), strict=True):
        assert np.array_equal(one, two)  # no network saw it


def test_animations_keep_their_transparency() -> None:
    frames = [Image.new("RGBA", (20, 16), (0, 0, 0, 0)) for _ in range(2)]
    for index, frame in enumerate(frames):
        frame.paste((250, 120, 10, 255), (4 + index, 4, 14 + index, 12))
    frames[0].save("film.webp", save_all=True, append_images=frames[1:], duration=80, lossless=True)
    enlarge("film.webp", output="out.png", scale=2)
    with Image.open("out.png") as made:
        assert made.size == (40, 32) and getattr(made, "n_frames", 1) == 2
        values = np.asarray(made.convert("RGBA"))
    assert values[0, 0, 3] == 0 and values[16, 18, 3] == 255


# Networks


def test_a_network_that_lacks_something_says_so() -> None:
    installed("alone", gentle())
    installed("johnson", enlarger(replace(JOHNSON, width=4, blocks=1)))
    with pytest.raises(InputError, match=r"alone\.safetensors has no alone-detail beside it"):
        enlarge("photo.png", model="alone", detail=1)
    with pytest.raises(InputError, match="was not trained for levels of cleaning: leave out --clean"):
        enlarge("photo.png", model="johnson", clean=0.9)
    enlarge("photo.png", model="johnson")
    assert read_recipe("photo-x4.png")["options"]["clean"] == 0  # type: ignore[index]
    installed("alone-detail", enlarger(replace(TINY, width=5)))
    with pytest.raises(CheckpointError, match="has another shape than"):
        enlarge("photo.png", model="alone")


def test_other_networks_and_unknown_names_are_refused() -> None:
    with pytest.raises(CheckpointError, match="no model is called 'enlarge-x3'"):
        enlarge("photo.png", model="enlarge-x3")
    with pytest.raises(CheckpointError, match="not a style network: styler enlarge --model enlarge-x2"):
        ended(fast_job.fast(["photo.png"], None, FastOptions(model="enlarge-x2")), [])
    assert enlargers.locate("enlarge-x2").stem == "enlarge-x2"


# Other commands


@pytest.fixture(params=["fast", "translate"])
def painted(request: pytest.FixtureRequest) -> Callable[..., Summary]:
    """`styler fast` or `styler translate`, with a tiny network of its own that is installed."""
    path = library.folder() / "painter.safetensors"
    if request.param == "fast":
        network = small("johnson")
        card = Card("transform", described(network.config), (Style("ink"), Style("oil")))
        make = partial(_run, fast_job.fast, FastOptions, model="painter", style="ink")
    else:
        config = architecture(width=4, halvings=3, norm="instance")
        network = stirred(build(config))
        about = Translation(direction="AtoB", batch=1, dropout=False, inputs="map", outputs="photo")
        card = Card("translate", described(config), (), "MIT", about.information)
        make = partial(_run, translate_job.translate, TranslateOptions, checkpoint="painter")
    library.write(path, Model(network, card), torch.float32)
    return make


def _run(job: Any, options: Any, *sources: str, output: str | None = None, **more: Any) -> Summary:
    _, summary = ended(job(sources, output, options(precision="float32", **more)), [])
    return summary  # type: ignore[no-any-return]


def test_paintings_are_enlarged_as_styler_enlarge_does(painted: Callable[..., Summary]) -> None:
    """But for the levels of the file between."""
    painted("photo.png", output="small.png")
    enlarge("small.png", output="two.png", scale=2, precision="float32")
    painted("photo.png", output="one.png", enlarge=2)
    assert size("one.png") == (80, 48)
    one, two = (load_picture(name).image for name in ("one.png", "two.png"))
    assert (one - two).abs().max() < 4 / 255 and one.std() > 0.02
    recipe = read_recipe("one.png")
    assert recipe["options"]["enlarge"] == 2 and recipe["size"] == [80, 48]  # type: ignore[index]
    assert "--enlarge 2" in command_line(recipe, cli.styler.commands).line


def test_folders_and_videos_of_paintings_are_enlarged_too(painted: Callable[..., Summary]) -> None:
    make(Path("in/film.mp4"), pictures(3))
    assert painted("in", output="out", enlarge=1.5).done == 3
    assert size("out/a.png") == size("out/deep/b.jpg") == (60, 36)
    assert stream_of("out/film.mp4")[2:] == (96, 72)


def test_textures_are_enlarged_too_and_a_sheet_of_all_styles_says_that_it_is_not() -> None:
    network = TextureNetwork(TextureArchitecture(2, 2, 1))
    card = Card("texture", described(network.config), (Style("sand"),))
    library.write(library.folder() / "grain.safetensors", Model(network, card))
    ended(fast_job.fast([], "sand.png", FastOptions(model="grain", size=32, enlarge=2)), [])
    assert size("sand.png") == (64, 64) and read_recipe("sand.png")["size"] == [64, 64]
    with pytest.raises(InputError, match="leave out --model, --protect and --enlarge"):
        ended(fast_job.fast(["photo.png"], None, FastOptions(style="all", enlarge=2)), [])


def test_a_painting_too_large_to_write_is_refused(painted: Callable[..., Summary]) -> None:
    with pytest.raises(InputError, match="160x96 pixels, over the limit of 5,000"):
        painted("photo.png", enlarge=4, max_pixels=5000)
