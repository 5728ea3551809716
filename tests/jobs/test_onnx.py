"""Painting with onnxruntime: the pixels of torch, where there is no torch, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trained import model
from trees import ROOT

from styler.errors import CheckpointError, InputError
from styler.events import result_of
from styler.jobs import fast as torch_job
from styler.jobs import onnx as job
from styler.networks.kinds import described
from styler.networks.residual import ResidualNetwork
from styler.options.fast import FastOptions
from styler.plans import ResidualArchitecture
from styler.storage.models import library
from styler.storage.models.library import Card, Model, Style
from styler.storage.pictures.decode import read_recipe

WITHOUT_TORCH = """
import sys

class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "scipy", "safetensors", "onnx"}:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Refuses())
from styler.__main__ import main
main()
"""


@pytest.fixture(autouse=True)
def extra(request):
    if "without_the_extra" not in request.node.name:
        pytest.importorskip("onnxruntime")


@pytest.fixture
def photo(tmp_path):
    """A smooth photo with some noise."""
    draw = np.random.default_rng(3)
    y, x = np.mgrid[:70, :90] / 90
    color = np.stack([x, y, 1 - x], 2) + 0.1 * draw.standard_normal((70, 90, 3))
    pixels = (color.clip(0, 1) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


@pytest.fixture
def blend(tmp_path):
    """The file of a network with two styles, ink and big-waves."""
    library.write(tmp_path / "blend.safetensors", model())
    return str(tmp_path / "blend.safetensors")


def run(*words):
    """The command line in a process that has no torch."""
    environment = {"PYTHONPATH": str(ROOT.parent), "PATH": "", "HOME": "/nowhere"}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *words], capture_output=True, text=True, env=environment
    )


def levels(path):
    return np.asarray(Image.open(path)).astype(int)


def test_without_torch_it_paints_the_same_pixels(tmp_path, photo):
    for target in ("a.png", "b.jpg"):
        done = run("fast", photo, "--style", "wave", "--engine", "onnx", "-o", str(tmp_path / target))
        assert done.returncode == 0, done.stderr
        assert "Loading" not in done.stderr
    result_of(
        torch_job.fast([photo], str(tmp_path / "c.png"), FastOptions(style="wave", precision="float32"))
    )
    assert abs(levels(tmp_path / "a.png") - levels(tmp_path / "c.png")).max() <= 1
    recipe = read_recipe(tmp_path / "a.png")
    assert recipe["options"]["engine"] == "onnx" and "onnxruntime" in recipe["versions"]
    shown = run("show", str(tmp_path / "a.png"), "--json")
    assert json.loads(shown.stdout) == recipe


@pytest.mark.parametrize(
    "options", [{"size": 64, "strength": 0.4}, {"size": 130}, {"style": "ink:0.3,big-waves"}]
)
def test_options_do_what_they_do_in_torch(tmp_path, photo, options, blend):
    values = {"precision": "float32", "style": "wave", **options}
    if "ink" in values["style"]:
        values["model"] = blend
    for engine in ("torch", "onnx"):
        chosen = FastOptions(**values, engine=engine)
        result_of(torch_job.fast([photo], str(tmp_path / f"{engine}.png"), chosen))
    pictures = [levels(tmp_path / f"{engine}.png") for engine in ("torch", "onnx")]
    assert pictures[0].shape == pictures[1].shape and abs(pictures[0] - pictures[1]).max() <= 1


@pytest.mark.parametrize("grain", [0.0, 0.05])
def test_it_adds_the_same_grain_as_torch(tmp_path, grain):
    """A white sheet, which gets some from either engine, or from networks that want more."""
    Image.new("RGB", (64, 48), "white").save(tmp_path / "white.png")
    network = ResidualNetwork(ResidualArchitecture(width=4, blocks=1, grain=grain))
    library.write(
        tmp_path / "net.safetensors",
        Model(network, Card("transform", described(network.config), (Style("a"),))),
    )
    for engine in ("torch", "onnx"):
        chosen = FastOptions(model=str(tmp_path / "net.safetensors"), precision="float32", engine=engine)
        result_of(torch_job.fast([str(tmp_path / "white.png")], str(tmp_path / f"{engine}.png"), chosen))
    pictures = [levels(tmp_path / f"{engine}.png") for engine in ("torch", "onnx")]
    assert abs(pictures[0] - pictures[1]).max() <= 1 and pictures[0].std((0, 1)).max() > 1


def test_transparency_stays_and_white_is_under_a_jpeg(tmp_path, photo):
    color = Image.open(photo).convert("RGB")
    color.putalpha(
        Image.fromarray(np.where(np.arange(90) < 45, 255, 90).astype(np.uint8)[None].repeat(70, 0))
    )
    color.save(tmp_path / "clear.png")
    for name in ("out.png", "out.jpg"):
        options = FastOptions(style="wave", precision="float32", quality=100)
        result_of(torch_job.fast([str(tmp_path / "clear.png")], str(tmp_path / f"torch-{name}"), options))
        result_of(job.fast([str(tmp_path / "clear.png")], str(tmp_path / name), options))
        pair = levels(tmp_path / name), levels(tmp_path / f"torch-{name}")
        assert pair[0].shape == pair[1].shape and abs(pair[0] - pair[1]).max() <= (4 if "jpg" in name else 1)


def test_a_folder_goes_on_after_a_failure_and_skips_what_is_done(tmp_path, photo):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    for expected in ((1, 0, 1), (0, 1, 1)):
        events = job.fast([str(tmp_path)], str(tmp_path / "out"), FastOptions(style="wave"))
        summary = result_of(events)
        assert (summary.done, summary.skipped, summary.failed) == expected


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"color": "photo"}, "--color is not for --engine onnx"),
        ({"enlarge": 2.0}, "--enlarge is not"),
        ({"dry_run": True}, "--dry-run is not"),
        ({"precision": "bfloat16"}, "--precision is not"),
        ({"device": "cuda"}, "--device is not"),
        ({"style": "all"}, "one at a time"),
        ({"style": "painting.png"}, "paints in trained styles"),
        ({"style": "wvae"}, "did you mean wave"),
    ],
)
def test_what_only_torch_can_is_refused_in_one_line(tmp_path, photo, options, text):
    with pytest.raises((InputError, CheckpointError), match=text):
        result_of(job.fast([photo], str(tmp_path / "o.png"), FastOptions(**{"style": "wave", **options})))
    assert not (tmp_path / "o.png").exists()


def test_a_video_is_refused(tmp_path, photo):
    frames = [Image.new("RGB", (32, 32), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(
        InputError, match=r"is a video, and --engine onnx paints pictures: paint with --engine"
    ):
        result_of(job.fast([str(tmp_path / "two.gif")], str(tmp_path / "o.gif"), FastOptions(style="wave")))


def test_without_the_extra_it_says_how_to_get_it(tmp_path, photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"onnxruntime is not installed: pip install 'onnxruntime"):
        result_of(job.fast([photo], str(tmp_path / "o.png"), FastOptions(style="wave")))


def test_networks_that_it_cannot_run_and_damaged_ones_are_refused(tmp_path, photo, blend):
    data = bytearray(Path(blend).read_bytes())
    data[-1] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(data)
    for network, text in (
        (
            "edges2cat",
            "a translator, not a style network: styler translate --checkpoint edges2cat",
        ),
        (tmp_path / "bad.safetensors", "is damaged"),
    ):
        with pytest.raises(CheckpointError, match=text):
            result_of(job.fast([photo], str(tmp_path / "o.png"), FastOptions(model=str(network))))


def test_without_torch_other_commands_say_what_is_missing(tmp_path, photo):
    done = run("fast", photo, "--style", "wave", "-o", str(tmp_path / "o.png"))
    assert done.returncode == 1
    assert (
        "Error: torch is not installed: pip install torch" in done.stderr and "Traceback" not in done.stderr
    )
