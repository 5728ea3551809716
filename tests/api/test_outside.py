"""styler as others see it: types by mypy, the display of a notebook, and the example notebook itself."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient

import styler

ROOT = Path(__file__).parents[2]
PROGRAM = """
import styler
from pathlib import Path

picture = styler.paint(Path("photo.jpg"), ["waves", ("ink", 0.3)], size=512, style_weight=2, color="photo")
reveal_type(picture)
picture.save("out.png", overwrite=True)
reveal_type(picture.numpy())
run = styler.painting("photo.jpg", "waves", steps=3)
for event in run:
    run.stop()
reveal_type(run.result())
reveal_type(styler.fast("photo.jpg", "wave", strength=0.5))
reveal_type(styler.translate("sketch.png", "edges2cat", from_photo=True))
reveal_type(styler.styles()[0].name)
styler.paint("photo.jpg", "waves", stile_weight=2)
styler.paint("photo.jpg", "waves", color="photos")
styler.paint("photo.jpg", "waves", size=2.5)
"""
REVEALED = [
    *("styler.api.picture.Picture", "numpy.ndarray", "styler.api.picture.Picture"),
    *("styler.api.picture.Picture", "styler.api.picture.Picture", "str"),
]


def test_types_are_checked_from_outside(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    # What torch itself says of its types takes mypy half a minute, and is not asked here.
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = True\n[mypy-torch.*]\nfollow_imports = skip\n")
    environment = {"PYTHONPATH": "", "PATH": ""}
    if (home := Path(styler.__file__).parents[1]).name != "site-packages":
        environment["MYPYPATH"] = str(home)  # which mypy refuses for what is installed, and finds anyway
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--no-error-summary"]
    done = subprocess.run(
        [*command, "program.py"], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    notes = [line for line in done.stdout.splitlines() if "Revealed type" in line]
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert [text in line for text, line in zip(REVEALED, notes, strict=True)] == [True] * 6, done.stdout
    assert [line.split(":")[1] for line in errors] == ["16", "17", "18"], done.stdout


@pytest.fixture
def notebook(monkeypatch):
    """What is displayed, as if in a notebook: each display with all that it was updated to."""
    shown = []

    def display(first, display_id):
        shown.append([first])
        return SimpleNamespace(update=shown[-1].append)

    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))
    )
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setattr("styler.api.display._SECONDS", 0.0)
    return shown


def test_a_notebook_shows_one_picture_that_is_updated(studio, notebook):
    styler.paint("photo.png", "style.png", network="net.safetensors", size=32, steps=3)
    (updates,) = notebook
    pages = [each._repr_html_() for each in updates]
    assert pages[0] == "<p>loading ...</p>" and sum("data:image/jpeg" in page for page in pages) == 3
    assert "step 3 of 3, " in pages[-2] and "style" in pages[-2]
    assert "32 x 24 pixels in" in pages[-1] and "<img" not in pages[-1]


def test_elsewhere_nothing_is_shown(studio, capsys):
    styler.paint("photo.png", "style.png", network="net.safetensors", size=32, steps=2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.filterwarnings("default")
def test_the_example_notebook_runs(tmp_path):
    """In a kernel of its own, from its own folder; at a small size."""
    path = ROOT / "examples/styler.ipynb"
    book = nbformat.read(path, as_version=4)
    assert all(cell.cell_type != "code" or not cell.outputs for cell in book.cells), (
        "commit it without outputs"
    )
    book.cells.insert(0, nbformat.v4.new_code_cell("import os; os.environ['STYLER_EXAMPLE_SIZE'] = '48'"))
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
