"""The built-in network: small, of known origin, and its channels of one scale."""

from pathlib import Path

from styler.networks.vgg import VGGArchitecture, convolution_names
from styler.storage.models import vgg
from styler.storage.pictures.load import load_picture

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_what_is_shipped_is_small_and_says_where_it_comes_from() -> None:
    path = vgg.built_in()
    assert path is not None and path.stat().st_size <= 4_000_000
    about = vgg.read_card(path)
    network = VGGArchitecture.of(about.network)
    assert network.body == "compact" and network.padding == "reflect"
    assert network.layers == convolution_names("compact") and about.licence == "MIT"
    training = about.information["training"]
    assert training["teachers"] and training["options"]["steps"] > 1000
    assert set(about.information["typical"]) >= {"relu1_1", "relu4_2", "relu5_1"}
    assert about.information["held_out"]["explained"]["relu5_1"] >= 0.42
    assert "CC BY 2.0" in training["credits"] and "Simonyan" in training["credits"]


def test_channels_of_what_is_shipped_have_one_scale() -> None:
    extractor = vgg.load("compact")
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    photo = load_picture(EXAMPLES / "cat.jpg", long_side=128).image
    for features in extractor(photo, layers).values():
        rms = features.square().mean((0, 2, 3)).sqrt()
        assert rms.isfinite().all() and (rms > 0).float().mean() > 0.9
