"""The report of `styler doctor`: versions, codecs, devices, memory, weights, and a cure for each fault."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import warnings
from dataclasses import dataclass
from typing import Literal

import torch
from PIL import features

from styler.device import free_memory
from styler.storage.models import vgg
from styler.storage.models.known import WEIGHTS
from styler.storage.names import display, install
from styler.version import __version__

_Level = Literal["ok", "warn", "bad"]

UPGRADE = "pip install --upgrade torch torchvision"
PACKAGES = ("torch", "numpy", "scipy", "pillow", "safetensors", "click", "rich", "filelock")
_CODECS = {
    "JPEG": "jpg",
    "PNG": "zlib",
    "TIFF": "libtiff",
    "WebP": "webp",
    "AVIF": "avif",
    "color": "littlecms2",
}
_EXTRAS = {"HEIC": ("pillow_heif", "heif"), "video": ("av", "video")}


@dataclass(frozen=True)
class Finding:
    """A line of the report; at "warn" something is missing that some may need, at "bad" something fails."""

    area: str
    text: str
    level: _Level = "ok"


def report() -> list[Finding]:
    """All findings in the order of reading; takes a second, as all files of weights are hashed."""
    return [*versions(), torchvision(), *codecs(), *extras(), *devices(), memory(), *weight_files()]


def versions() -> list[Finding]:
    """Versions of styler, Python and the packages that styler needs."""
    return [
        Finding("styler", __version__),
        Finding("Python", f"{platform.python_version()} on {platform.platform()}"),
        *map(_version, PACKAGES),
    ]


def _version(name: str) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, f"is missing: pip install {name}", "bad")


def torchvision() -> Finding:
    """Whether torchvision is installed and can be imported: one made for another torch cannot."""
    finding = _version("torchvision")
    if finding.level == "bad":
        return finding
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            importlib.import_module("torchvision")
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            text = f"{finding.text} does not work with torch {torch.__version__} ({_line(error)}): {UPGRADE}"
            return Finding("torchvision", text, "bad")
    if caught:
        return Finding("torchvision", f"{finding.text}, which warns: {_line(caught[0].message)}", "warn")
    return finding


def codecs() -> list[Finding]:
    """Pillow's picture formats and its color management."""
    return [
        Finding(name, f"{kind} {_codec_version(kind)}")
        if features.check(kind)
        else Finding(name, "not in this Pillow: pip install --upgrade --force-reinstall pillow", "warn")
        for name, kind in _CODECS.items()
    ]


def _codec_version(kind: str) -> str:
    return features.version(kind) or ""


def extras() -> list[Finding]:
    """Optional packages, which open more kinds of files."""
    findings = []
    for name, (module, extra) in _EXTRAS.items():
        try:
            text = f"{module} {importlib.metadata.version(module)}"
        except importlib.metadata.PackageNotFoundError:
            text = f"not installed; to have it: {install(extra)}"
        findings.append(Finding(name, text))
    return findings


def devices() -> list[Finding]:
    """The processor and each accelerator, with memory."""
    name = platform.processor() or platform.machine()
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"
    findings = [Finding("CPU", f"{name}, {threads}, {torch.backends.cpu.get_cpu_capability()}")]
    kind = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if kind is None:
        return [*findings, Finding("accelerator", "none that torch can use; the CPU will do")]
    return findings + [_accelerator(kind.type, index) for index in range(torch.accelerator.device_count())]


def _accelerator(kind: str, index: int) -> Finding:
    name = torch.cuda.get_device_name(index) if kind == "cuda" else kind
    try:
        free, total = torch.accelerator.get_memory_info(index)
    except (RuntimeError, NotImplementedError):  # some backends, such as MPS, do not tell
        return Finding(f"{kind}:{index}", name)
    return Finding(f"{kind}:{index}", f"{name}, {free / 1e9:.1f} GB of {total / 1e9:.1f} GB free")


def memory() -> Finding:
    """Main memory, where the system tells how much there is."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        total = page * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return Finding("memory", "unknown on this system")
    free = free_memory(torch.device("cpu"))
    free_text = "" if free is None else f", {free / 1e9:.1f} GB of it free"
    level: _Level = "warn" if free is not None and free < 1e9 else "ok"
    return Finding("memory", f"{total / 1e9:.1f} GB{free_text}", level)


def weight_files() -> list[Finding]:
    """The folder of weights and the state of each known set."""
    findings = [Finding("weights", f"folder {display(vgg.folder())}")]
    for name in WEIGHTS:
        status = vgg.verify(name)
        if status == "ok":
            text = f"{vgg.describe(name)}, sha256 {vgg.sha256(name)}"
            findings.append(Finding(name, text))
        elif status == "missing":
            findings.append(_missing(name))
        else:
            text = f"{display(vgg.path(name) or name)} is damaged: {vgg.remedy(name)}"
            findings.append(Finding(name, text, "bad"))
    return findings


def _missing(name: str) -> Finding:
    if WEIGHTS[name].url:
        return Finding(name, f"not installed; to get it: {vgg.remedy(name)}")
    return Finding(name, f"missing from this installation: {vgg.remedy(name)}", "bad")


def _line(error: object) -> str:
    """The first line of an error's text, which may be many."""
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
