"""From the words of a command line to sources and targets: mirrored folders, globs, clashes, shards."""

import os
from pathlib import Path

import pytest
from corpus import file_names
from hypothesis import given
from hypothesis import strategies as st

from styler.errors import InputError, OutputError
from styler.storage import inputs
from styler.storage.inputs import Job


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, empty."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("styler.storage.inputs.magic.is_video", film)
    return folder


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def planned(*words, output=None, label="ink", videos=False):
    """{source: target} with slashes between folders."""
    plan = inputs.plan(words, output, label, videos=videos)
    return {Path(job.source).as_posix(): Path(job.target).as_posix() for job in plan.jobs}


def film(path):
    return Path(path).suffix in {".mp4", ".avi", ".gif", ".webp"}


# One input


@pytest.mark.parametrize(
    ("source", "output", "target"),
    [
        ("photo.jpg", None, "photo-ink.png"),
        ("sub/photo.jpg", None, "photo-ink.png"),
        ("photo.jpg", "out.webp", "out.webp"),
        ("photo.jpg", "sub", "sub/photo-ink.png"),
        ("photo.jpg", "new/", "new/photo-ink.png"),
        ("photo.jpg", "-", "-"),
        ("a.b.jpg", None, "a.b-ink.png"),
        ("clip.mp4", None, "clip-ink.mp4"),
        ("clip.avi", None, "clip-ink.mp4"),
        ("clip.gif", None, "clip-ink.gif"),
        ("clip.webp", None, "clip-ink.webp"),
        ("clip.mp4", "out.mkv", "out.mkv"),
        ("clip.mp4", "out.gif", "out.gif"),
    ],
)
def test_one_input_goes_where_it_is_told_or_beside_its_name(here, source, output, target):
    touch(source, "sub/x")
    plan = inputs.plan([source], output, "ink")
    assert not plan.many and [(job.source, Path(job.target).as_posix()) for job in plan.jobs] == [
        (source, target)
    ]


def test_standard_input_has_a_name_too(here):
    assert inputs.plan(["-"], None, "ink").jobs == (Job("-", "stdin-ink.png"),)
    assert inputs.plan(["-"], "-", "ink").jobs == (Job("-", "-"),)


@pytest.mark.parametrize(
    ("source", "output", "says"),
    [
        ("photo.jpg", "out.mp4", "must end in one of .png"),
        ("clip.mp4", "out.jpg", "to hold a video"),
        ("clip.mp4", "-", "needs a file"),
        ("clip.mp4", "out", "to hold a video"),
    ],
)
def test_an_output_that_cannot_hold_the_input_is_refused(here, source, output, says):
    touch(source)
    with pytest.raises(OutputError, match=says):
        inputs.plan([source], output, "ink")


def test_an_input_that_is_not_there_is_refused(here):
    touch("a.jpg")
    for words in (["no.jpg"], ["a.jpg", "no.jpg"]):
        with pytest.raises(InputError, match=r"no\.jpg cannot be read: no such file"):
            inputs.plan(words, None, "ink")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_refused_and_not_waited_for(here):
    os.mkfifo("pipe.jpg")
    with pytest.raises(InputError, match="is a pipe"):
        inputs.plan(["pipe.jpg"], None, "ink")


# Folders


def test_a_folder_is_mirrored(here):
    touch("in/a.jpg", "in/b/c.PNG", "in/b/d.bmp", "in/e.mp4", "in/f.avi", "in/.g.jpg", "in/.h/i.jpg")
    assert planned("in", output="out", videos=True) == {
        "in/a.jpg": "out/a.jpg",
        "in/b/c.PNG": "out/b/c.PNG",
        "in/b/d.bmp": "out/b/d.png",
        "in/e.mp4": "out/e.mp4",
        "in/f.avi": "out/f.avi",
    }
    assert planned("in")["in/b/c.PNG"] == "in-ink/b/c.PNG"


def test_a_single_picture_in_a_folder_is_a_batch_still(here):
    touch("in/a.jpg")
    assert inputs.plan(["in"], "out", "ink").many


def test_several_folders_keep_apart(here):
    touch("a/x.jpg", "b/x.jpg", "x.jpg")
    assert planned("a", "b", "x.jpg", output="out") == {
        "a/x.jpg": "out/a/x.jpg",
        "b/x.jpg": "out/b/x.jpg",
        "x.jpg": "out/x.jpg",
    }
    assert planned("a", "b", "x.jpg")["b/x.jpg"] == "b-ink/x.jpg"


def test_the_current_folder_has_a_name(here):
    touch("a.jpg")
    assert planned(".") == {"a.jpg": "here-ink/a.jpg"}


def test_other_files_are_left_out_and_counted(here):
    touch("in/a.jpg", "in/notes.txt", "in/deep/b.raw")
    plan = inputs.plan(["in"], "out", "ink")
    assert len(plan.jobs) == 1 and plan.notes == ("2 files are neither picture nor video, and left out",)


def test_a_folder_without_pictures_is_refused(here):
    touch("in/notes.txt", "in/.hidden.jpg", "in/m.safetensors.training/preview.png")
    with pytest.raises(InputError, match=r"in holds no pictures \(1 file is neither"):
        inputs.plan(["in"], "out", "ink")


def test_the_output_folder_is_no_input(here):
    touch("in/a.jpg", "in/out/a.jpg", "in/out/deep/a.jpg")
    assert planned("in", output="in/out") == {"in/a.jpg": "in/out/a.jpg"}
    touch("here-ink/b.jpg")
    assert "here-ink/b.jpg" not in planned(".")


def test_the_output_folder_may_not_be_the_input(here):
    touch("in/a.jpg")
    for output in ("in", "./in/", "in/../in"):
        with pytest.raises(OutputError, match="is also an input"):
            inputs.plan(["in"], output, "ink")


def test_links_to_folders_are_followed_once_and_the_real_folder_wins(here):
    touch("in/z/a.jpg", "beside/b.jpg")
    Path("in/again").symlink_to("z")
    Path("in/beside").symlink_to("../beside")
    Path("in/z/loop").symlink_to("..")
    Path("in/up").symlink_to(here)
    Path("in/dangling").symlink_to("nowhere")
    assert planned("in", output="out") == {"in/z/a.jpg": "out/z/a.jpg", "in/beside/b.jpg": "out/beside/b.jpg"}


def test_a_folder_that_cannot_be_read_is_told(here, monkeypatch):
    touch("in/a.jpg", "in/closed/b.jpg")
    listed = Path.iterdir

    def refusing(folder):
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")  # root would be let in
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", refusing)
    plan = inputs.plan(["in"], "out", "ink")
    assert len(plan.jobs) == 1
    assert plan.notes == (f"{Path('in/closed')} cannot be read and was left out: Permission denied",)


def test_odd_names_survive(here):
    names = [Path("in", os.fsdecode(name)) for name in file_names()]
    for name in names:
        touch(name)
    found = inputs.plan(["in"], "out", "ink").jobs
    assert {job.source for job in found} == {str(name) for name in names}
    assert all(Path(job.target) == "out" / Path(job.source).relative_to("in") for job in found)
    for name in names:
        (job,) = inputs.plan([str(name)], None, "ink").jobs
        assert len(os.fsencode(job.target)) <= 255 and Path(job.target).parent == Path()


# Globs and several files


def test_a_glob_that_the_shell_left_alone(here):
    touch("in/a.jpg", "in/b.jpg", "in/c.txt", "in/deep/d.jpg", "in/.e.jpg")
    assert planned("in/*.jpg", output="out") == {"in/a.jpg": "out/a.jpg", "in/b.jpg": "out/b.jpg"}
    assert planned("in/**/*.jpg", output="out")["in/deep/d.jpg"] == "out/deep/d.jpg"
    assert planned("in/[a]*") == {"in/a.jpg": "a-ink.jpg"}


@pytest.mark.parametrize("pattern", ["in/*.png", "in/*.txt", "no/*"])
def test_a_glob_without_pictures_is_refused(here, pattern):
    touch("in/c.txt")
    with pytest.raises(InputError, match=r"no pictures match|nothing matches"):
        inputs.plan([pattern], "out", "ink")


def test_a_glob_leaves_the_output_folder_out_but_not_all_below_it(here):
    touch("in/a.jpg", "in/out/a.jpg")
    assert planned("in/**/*.jpg", output="in/out") == {"in/a.jpg": "in/out/a.jpg"}
    assert planned("in/*.jpg", output=".") == {"in/a.jpg": "a.jpg"}


def test_a_file_with_the_name_of_a_pattern_is_a_file(here):
    touch("x[1].jpg", "x1.jpg")
    assert planned("x[1].jpg") == {"x[1].jpg": "x[1]-ink.png"}


def test_links_make_no_glob_endless(here):
    touch("in/a.jpg")
    Path("in/loop").symlink_to(".")
    assert planned("in/**/*.jpg", output="out") == {"in/a.jpg": "out/a.jpg"}


def test_several_files_go_to_this_folder_with_the_label(here):
    touch("in/a.jpg", "b.webp", "c.bmp")
    assert planned("in/a.jpg", "b.webp", "c.bmp", "./b.webp") == {
        "in/a.jpg": "a-ink.jpg",
        "b.webp": "b-ink.webp",
        "c.bmp": "c-ink.png",
    }


def test_results_of_an_earlier_run_are_no_inputs(here):
    touch("a.jpg", "b.jpg", "a-ink.jpg", "a-ink-ink.jpg")
    plan = inputs.plan(["*.jpg"], None, "ink")
    assert [job.source for job in plan.jobs] == ["a.jpg", "b.jpg"]
    assert plan.notes == ("2 files are left out: outputs of others",)


def test_inputs_of_one_name_keep_apart(here):
    touch(
        *(f"in/photo.{ending}" for ending in ("bmp", "heic", "jpg", "png")), "in/other.jpg", "more/photo.bmp"
    )
    assert planned("in", output="out") == {
        "in/other.jpg": "out/other.jpg",
        "in/photo.bmp": "out/photo.bmp.png",
        "in/photo.heic": "out/photo.heic.png",
        "in/photo.jpg": "out/photo.jpg",
        "in/photo.png": "out/photo.png",
    }
    assert planned("in/photo.bmp", "more/photo.bmp", output="out") == {
        "in/photo.bmp": "out/photo.png",
        "more/photo.bmp": "out/photo.bmp.png",
    }
    assert planned("in/photo.jpg", "in/photo.bmp", "in/photo.png", "more/photo.bmp") == {
        "in/photo.jpg": "photo-ink.jpg",
        "in/photo.bmp": "photo-ink.png",
        "in/photo.png": "photo.png-ink.png",
        "more/photo.bmp": "photo.bmp-ink.png",
    }
    touch("third/photo.bmp", "in/photo.bmp.png")
    plan = inputs.plan(["in", "in/photo.png", "third/photo.bmp", "more/photo.bmp"], "out", "ink")
    assert len({job.target for job in plan.jobs}) == len(plan.jobs) == 8
    assert any("photo.bmp becomes out" in note for note in plan.notes)


def test_an_input_is_never_an_output_not_even_through_links(here):
    touch("a.jpg", "b.jpg", "in/a.jpg", "out/x")
    for words, output in ((["a.jpg", "b.jpg"], "."), (["*.jpg"], ".")):
        with pytest.raises(OutputError, match="would be lost"):
            inputs.plan(words, output, "ink")
    Path("out/a.jpg").hardlink_to("b.jpg")
    first, second = inputs.plan(["a.jpg", "b.jpg"], "out", "ink").jobs
    assert "would be lost" in first.problem and not second.problem


@pytest.mark.parametrize("output", ["-", "out.png", "a.jpg", "film.mp4"])
def test_several_inputs_need_a_folder(here, output):
    touch("a.jpg", "b.jpg")
    with pytest.raises(OutputError, match="folder"):
        inputs.plan(["a.jpg", "b.jpg"], output, "ink")


def test_planning_writes_nothing(here):
    touch("in/a.jpg", "b.jpg")
    before = sorted(here.rglob("*"))
    inputs.plan(["in", "b.jpg"], "out", "ink")
    inputs.plan(["b.jpg"], "new/", "ink")
    assert sorted(here.rglob("*")) == before


def test_the_jobs_are_sorted_whatever_the_order_of_the_words(here):
    touch("c.jpg", "a.jpg", "b/x.jpg", "b.jpg")
    plans = [
        inputs.plan(words, "out", "ink").jobs
        for words in (["c.jpg", "b", "b.jpg", "a.jpg"], ["b", "a.jpg", "b.jpg", "c.jpg"])
    ]
    assert plans[0] == plans[1] == tuple(sorted(plans[0], key=lambda job: job.source))


# Shards


@given(count=st.integers(0, 40), parts=st.integers(1, 9), size=st.integers(1, 5))
def test_shards_and_processes_are_a_partition(count, parts, size):
    jobs = [Job(f"{index}.jpg", f"{index}.png") for index in range(count)]
    shares = [
        inputs.part(jobs, f"{i}/{parts}", rank, size) for i in range(1, parts + 1) for rank in range(size)
    ]
    assert sorted((job for share in shares for job in share), key=jobs.index) == jobs
    lengths = [len(inputs.part(jobs, f"{i}/{parts}")) for i in range(1, parts + 1)]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/0", "-1/2", "a/b", "", "1/2/3", "1.0/2"])
def test_a_shard_that_is_none_is_refused(shard):
    with pytest.raises(InputError, match="--shard is"):
        inputs.part([], shard)
