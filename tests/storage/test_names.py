"""Names: shown, shortened, matched; and the user's folders."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from styler.errors import InputError, OutputError
from styler.storage import disk, names
from styler.storage.names import display, fit_name, is_private, nearest, one_line, slug, user_folder


@given(st.text(max_size=400), st.sampled_from(["", ".png", "-style.webp"]))
def test_fitted_names_fit_and_stay_in_their_folder(stem: str, suffix: str) -> None:
    try:
        os.fsencode(stem)
    except UnicodeEncodeError:
        return  # half of a surrogate pair is no file name on any system
    name = fit_name(stem, suffix)
    assert 0 < len(os.fsencode(name)) <= 255
    assert name.endswith(suffix)
    folder = Path("/folder")
    assert os.path.commonpath([folder, os.path.normpath(folder / name)]) == str(folder)
    assert os.path.normpath(folder / name) != str(folder)


def test_fitted_names_stay_different() -> None:
    first, second = (fit_name("ä" * 300 + end, ".png") for end in "xy")
    assert first != second
    assert fit_name("short", ".png") == "short.png"


@given(st.text())
def test_displayed_names_are_printable_lines(name: str) -> None:
    assert display(name).isprintable()


@given(st.text())
def test_foreign_text_becomes_one_line_without_control_characters(text: str) -> None:
    line = one_line(text)
    assert line.replace("\u200c", "").replace("\u200d", "").isprintable()
    assert one_line(line) == line


def test_what_a_foreign_text_says_stays() -> None:
    assert one_line("\x1b]0;me\x07 and\n\u202eyou\u2028 ") == "]0;me and you"
    assert one_line("\u0645\u06cc\u200c\u062e \U0001f469\u200d\U0001f3a8").count("\u200c") == 1


def test_display_escapes_only_what_it_must() -> None:
    assert display("Käthe 写真 [/red] {0} %s") == "Käthe 写真 [/red] {0} %s"
    assert display("a\x1b[31m\n" + os.fsdecode(b"\xff")) == "a\\x1b[31m\\n\\xff"


@pytest.mark.parametrize(
    "text, name", [("Starry Night", "starry-night"), ("a__b.C", "a-b-c"), ("§", "style")]
)
def test_slugs(text: str, name: str) -> None:
    assert slug(text) == name


@pytest.mark.parametrize(
    ("name", "names", "text"),
    [
        ("inc", ["ink", "waves"], "; did you mean ink?"),
        ("zzz", ["waves", "ink"], "; there are ink, waves"),
        ("zzz", [], "; there is none"),
        ("-", list("abcdefghijklmn"), "; there are a, b, c, d, e, f, g, h, i, j, k, l, ..."),
    ],
)
def test_unknown_names_get_the_nearest(name: str, names: list[str], text: str) -> None:
    assert nearest(name, names) == text


def test_hidden_folders_and_those_of_trainings_are_private() -> None:
    assert [name for name in (".git", "ink.training", "training", "a.b") if is_private(name)] == [
        ".git",
        "ink.training",
    ]


def test_the_users_folders_follow_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STYLER_HOME", str(tmp_path / "home"))
    assert user_folder("cache", "weights") == tmp_path / "home" / "weights"
    monkeypatch.delenv("STYLER_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_folder("cache", "weights") == tmp_path / "styler" / "weights"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert user_folder("cache", "weights") == tmp_path / "me" / ".cache" / "styler" / "weights"
    monkeypatch.setattr("sys.platform", "darwin")
    assert user_folder("data", "models") == tmp_path / "me" / "Library/Application Support/styler/models"


def test_a_user_whom_the_system_does_not_know_has_nothing_and_keeps_nothing(monkeypatch, tmp_path):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.delenv("STYLER_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME")
    folder = user_folder("cache", "weights")
    assert not folder.exists() and not list(folder.glob("*"))
    assert names.is_users(folder / "a.safetensors") and not names.is_users(tmp_path)
    assert not names.first_time("anything")
    with pytest.raises(OutputError, match="Set STYLER_HOME to another folder"):
        disk.prove_writable(folder / "a.safetensors", overwrite=False)
    monkeypatch.setenv("STYLER_HOME", "~who-is-not-known/styler")
    with pytest.raises(InputError, match="STYLER_HOME is ~who-is-not-known/styler"):
        user_folder("cache", "weights")


def test_hints_name_commands_that_work_for_how_styler_was_installed(monkeypatch, tmp_path):
    parser = configparser.ConfigParser()
    parser.read(Path(__file__).parents[2] / "setup.cfg")
    extras = {name: tuple(text.split()) for name, text in parser["options.extras_require"].items()}
    assert {name: extras[name] for name in names.EXTRAS} == names.EXTRAS
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setattr("sys.executable", "/home/me/tools/styler/bin/python")
    assert names.install("video") == "pip install 'av>=14'"
    (tmp_path / "uv-receipt.toml").touch()  # as uv tool install writes it, wherever UV_TOOL_DIR is
    uv = "uv pip install --python /home/me/tools/styler/bin/python"
    assert names.install("web") == f"{uv} 'starlette>=0.47' 'uvicorn>=0.34'"
    (tmp_path / "pipx_metadata.json").touch()
    assert names.install("video") == "pipx inject styler 'av>=14'"
