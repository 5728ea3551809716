"""The train-translate command's work: pairs in, a translator out, through interruption and back."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from narrow import slimmed
from nets import architecture
from PIL import Image
from runs import diverging, ended, steps
from test_processes import launch

from styler.errors import CheckpointError, DivergedError, InputError, OutputError
from styler.events import Note, Stage, TrainStep
from styler.image.conditions import Pair
from styler.jobs.training import diary as logbook
from styler.jobs.training import translate, translate_diary
from styler.jobs.training.translate_diary import imbalance
from styler.networks.kinds import build
from styler.networks.layers import Mode
from styler.options.translate import TrainTranslateOptions
from styler.storage import disk, runs
from styler.storage.models import library, vgg
from styler.storage.pictures import chart
from styler.tasks import validate
from styler.tasks.validate import Best, best_of, scores_of

TINY: dict[str, Any] = {
    "steps": 6,
    "batch": 2,
    "crop": 32,
    "jitter": 1.0,
    "width": 4,
    "halvings": 2,
    "field": "16",
    "discriminator_width": 4,
    "validation": 0.25,
    "report": 1,
    "save": 2,
    "precision": "float32",
    "loss_network": "net.safetensors",
}


@pytest.fixture(scope="module", autouse=True)
def small_pictures() -> Iterator[None]:
    """Pictures of a training take longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translate_diary, "CELL", 24)
        patch.setattr(chart, "WIDTH", 400)
        patch.setattr(chart, "HEIGHT", 120)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_pictures: None) -> Path:
    """Side-by-side pairs, a tiny loss network, and what an unbroken run makes of them: whole.safetensors."""
    folder = tmp_path_factory.mktemp("studio")
    write_pairs(folder / "pairs")
    slimmed(folder / "net.safetensors")
    with contextlib.chdir(folder):
        run("whole.safetensors")
    return folder


@pytest.fixture
def studio(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as the current folder."""
    shutil.copytree(folder, tmp_path / "studio")
    monkeypatch.chdir(tmp_path / "studio")
    return tmp_path / "studio"


def write_pairs(folder: Path, count: int = 8) -> None:
    """Noise, and beside it its negative."""
    folder.mkdir()
    for index in range(count):
        values = np.random.default_rng(index).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        left = np.asarray(Image.fromarray(values).resize((40, 40)))
        Image.fromarray(np.hstack([left, 255 - left])).save(folder / f"{index}.png")


def options(**changes: Any) -> TrainTranslateOptions:
    return TrainTranslateOptions(**{**TINY, **changes})


def run(output: str, stop_after: int = 10**6, **more: Any) -> tuple[list[Any], dict[str, Any]]:
    """All events of one run that is asked to stop after so many steps, and its record."""
    events: list[Any] = []
    chosen, dataset = more.pop("options", options()), more.pop("dataset", "pairs")
    work = translate.train_translate(
        dataset, output, chosen, stop=lambda: len(steps(events)) >= stop_after, **more
    )
    return ended(work, events)


def weights_in(file: str) -> dict[str, torch.Tensor]:
    return library.read_generator(file).network.state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def notes(events: list[Any]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


def log(output: str) -> list[dict[str, Any]]:
    lines = Path(f"{output}.training", logbook.LOG).read_text().splitlines()
    return [json.loads(line) for line in lines]


def without_time(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in entries]


def test_makes_a_translator_that_says_what_it_is(studio: Path) -> None:
    events, record = run("out/t.safetensors", credits="Jo, CC BY")
    assert steps(events) == [1, 2, 3, 4, 5, 6]
    assert [e.name for e in events if isinstance(e, Stage)] == ["train-translate"]
    assert "6 pairs, " in notes(events) and " -> " in notes(events) and "2 more are held out" in notes(events)
    assert record["output"] == "out/t.safetensors" and "generator/l1" in record["losses"]
    found = library.read_generator("out/t.safetensors")
    assert (found.about.direction, found.about.batch, found.about.statistics) == ("AtoB", 2, "picture")
    assert found.about.dropout is True and found.about.condition is None and found.about.color == "rgb"
    assert found.network.config.width == 4 and found.network.config.dropout == (1,)
    training = found.card.information["training"]
    assert (training["credits"], training["pictures"], training["options"]["steps"]) == ("Jo, CC BY", 6, 6)
    assert str(studio) not in str(found.card)
    kept = sorted(path.name for path in Path("out/t.safetensors.training").iterdir())
    assert kept == ["log.jsonl", "losses.png", "pairs.png", "preview.png", "report.html"]


def test_the_best_weights_are_kept_and_told(studio: Path) -> None:
    told = {entry["step"]: entry for entry in log("whole.safetensors") if "validation" in entry}
    assert list(told) == [2, 4, 6]
    distances = {step: entry["validation"]["perceptual"] for step, entry in told.items()}
    best = min(distances, key=lambda step: distances[step])
    assert told[6]["best"] == best
    found = library.read_generator("whole.safetensors")
    about = found.card.information["validation"]
    assert about == {"step": best, "pairs": 2, **told[best]["validation"]}
    assert set(validate.SCORES) <= set(about)
    held = translate.open_pairs("pairs", options()).held
    mode = Mode("picture", options().seed)
    extractor = vgg.load("net.safetensors")
    again = scores_of(found.network, held, extractor, mode)  # of weights that the file has rounded to 16 bits
    assert again == pytest.approx(told[best]["validation"], rel=0.05, abs=1e-3)


@pytest.mark.parametrize("stop_after", [1, 3])
def test_resumed_is_bit_for_bit_uninterrupted(studio: Path, stop_after: int) -> None:
    """And so is what is kept as best, whatever was measured before the break."""
    events, record = run("broken.safetensors", stop_after=stop_after)
    assert record["output"] is None and "--resume" in notes(events)
    assert not Path("broken.safetensors").exists()
    events, _ = run("broken.safetensors", resume=True)
    assert steps(events) == list(range(stop_after + 1, 7))
    assert same(weights_in("broken.safetensors"), weights_in("whole.safetensors"))
    assert without_time(log("broken.safetensors")) == without_time(log("whole.safetensors"))


def test_an_early_best_survives_a_break(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores get worse after step 2, and the run is broken at step 5."""
    measured = scores_of

    def worsening(generator: Any, *given: Any) -> dict[str, float]:
        calls.append(generator)
        return measured(generator, *given) | {"perceptual": 0.1 * len(calls)}

    calls: list[Any] = []
    monkeypatch.setattr(translate_diary, "scores_of", worsening)
    run("short.safetensors", options=options(steps=6), stop_after=5)
    run("short.safetensors", options=options(steps=6), resume=True)
    about = library.read_generator("short.safetensors").card.information["validation"]
    assert about["step"] == 2 and about["perceptual"] == pytest.approx(0.1) and len(calls) == 3
    run("two.safetensors", options=options(steps=6), stop_after=2)
    kept = runs.load_state("two.safetensors.training")["beside"]["best"]["weights"]
    short = weights_in("short.safetensors")
    assert all(torch.equal(short[name], kept[name].half().float()) for name in kept)


def test_a_killed_run_tells_each_step_once(studio: Path) -> None:
    work = translate.train_translate("pairs", "m.safetensors", options())
    while not (isinstance(event := next(work), TrainStep) and event.index == 3):
        pass
    work.close()
    run("m.safetensors", resume=True)
    assert [entry["step"] for entry in log("m.safetensors")] == [1, 2, 2, 3, 4, 4, 5, 6, 6]


def test_a_damaged_state_falls_back_to_the_one_before(studio: Path) -> None:
    run("broken.safetensors", stop_after=5)
    last = Path("broken.safetensors.training", runs.LAST)
    last.write_bytes(last.read_bytes()[:1000])
    run("broken.safetensors", resume=True)
    assert same(weights_in("broken.safetensors"), weights_in("whole.safetensors"))


def test_a_full_disk_leaves_the_state_before(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, saved = torch.save, []

    def full(state: Any, file: Any) -> None:
        saved.append(state["step"])
        if len(saved) == 2:
            raise OSError(disk.errno.ENOSPC, "No space left on device")
        save(state, file)

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="then go on with --resume"):
        patch.setattr(torch, "save", full)
        run("m.safetensors")
    assert saved == [2, 4] and not Path("m.safetensors").exists()
    run("m.safetensors", resume=True)
    assert same(weights_in("m.safetensors"), weights_in("whole.safetensors"))


def test_the_last_good_state_survives_divergence(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = translate.task.train_translate
    with monkeypatch.context() as patch, pytest.raises(DivergedError):
        patch.setattr(translate.task, "train_translate", diverging(train, 3))
        run("m.safetensors")
    events, _ = run("m.safetensors", resume=True)
    assert steps(events) == [3, 4, 5, 6]


def test_resuming_something_else_is_refused(studio: Path) -> None:
    with pytest.raises(CheckpointError, match="without --resume"):
        run("m.safetensors", resume=True)
    run("m.safetensors", stop_after=2)
    with pytest.raises(InputError, match="other options"):
        run("m.safetensors", resume=True, options=options(steps=7))
    write_pairs(studio / "more", count=9)
    with pytest.raises(InputError, match="other pairs"):
        run("m.safetensors", resume=True, dataset="more")
    with pytest.raises(OutputError, match="interrupted: go on with --resume"):
        run("m.safetensors")
    _, record = run("m.safetensors", overwrite=True)
    assert record["output"] == "m.safetensors"


def test_refusals_leave_nothing_behind(studio: Path) -> None:
    Path("empty").mkdir()
    with pytest.raises(InputError):
        run("m.safetensors", dataset="empty")
    with pytest.raises(InputError, match="all weights are 0"):
        run("m.safetensors", options=options(gan_weight=0.0, l1_weight=0.0))
    with pytest.raises(OutputError, match="must end in"):
        run("m.pth")
    Path("m.safetensors").write_bytes(b"")
    with pytest.raises(OutputError, match="--overwrite"):
        run("m.safetensors")
    assert not Path("m.safetensors.training").exists()


def test_epochs_come_to_steps() -> None:
    wanted = options(epochs=2.0, batch=4)
    assert translate.counted(wanted, 10, 1).steps == 5
    assert translate.counted(wanted, 10, 2).steps == 2
    assert translate.counted(wanted, 1, 8).steps == 1
    assert translate.counted(options(), 10, 1) == options()


def test_a_bottleneck_of_one_pixel_is_told(studio: Path) -> None:
    events, _ = run("m.safetensors", options=options(steps=1, crop=16, halvings=4, upsampling="resize"))
    assert "take --halvings 3" in notes(events)


def test_a_translator_to_start_from(studio: Path) -> None:
    run("first.safetensors", options=options(steps=2))
    still = options(steps=1, learning_rate=0.0, average=0.0, width=8)
    events, _ = run("second.safetensors", options=still, init="first.safetensors")
    assert "its own shape: " in notes(events) and "--width not used" in notes(events)
    assert same(weights_in("second.safetensors"), weights_in("first.safetensors"))
    with pytest.raises(OutputError, match="also an input"):
        run("first.safetensors", init="first.safetensors", overwrite=True)


def test_without_pairs_held_out_the_last_weights_are_kept(studio: Path) -> None:
    events, _ = run("m.safetensors", options=options(validation=0.0, average=0.0, steps=3))
    assert "last weights are kept" in notes(events)
    about = library.read_generator("m.safetensors").card.information["validation"]
    assert about == {"step": 3, "pairs": 0}
    assert Path("m.safetensors.training/preview.png").is_file()


def test_batch_norms_of_larger_batches_keep_their_statistics(studio: Path) -> None:
    run("m.safetensors", options=options(norm="batch", steps=1, gan_weight=0.0, dropout=False))
    about = library.read_generator("m.safetensors").about
    assert (about.statistics, about.dropout) == ("stored", False)
    assert "accuracy" not in log("m.safetensors")[0]


def test_a_contest_out_of_balance_is_told_once(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "wins" in imbalance([0.5] * 5 + [0.97] * 10, 1.0) and "0.5 or" in imbalance([0.97] * 10, 1.0)
    assert (
        imbalance([0.97] * 9, 1.0) == imbalance([0.97] * 9 + [0.9], 1.0) == imbalance([0.7] * 20, 1.0) == ""
    )
    assert "guesses" in imbalance([0.5] * 10, 0.25) and "rate 0.5" in imbalance([0.5] * 10, 0.25)
    monkeypatch.setattr(translate_diary, "LONG", 2)
    accuracy = translate_diary.TranslateDiary._accuracy
    monkeypatch.setattr(
        translate_diary.TranslateDiary, "_accuracy", lambda diary: {**accuracy(diary), "accuracy": 0.99}
    )
    events, _ = run("m.safetensors", options=options(steps=4))
    assert notes(events).count("the discriminator wins") == 1
    page = Path("m.safetensors.training", translate_diary.REPORT).read_text()
    assert "the discriminator wins" in page and 'class="warning"' in page


def test_the_page_shows_it_all_by_itself(studio: Path) -> None:
    page = Path("whole.safetensors.training", translate_diary.REPORT).read_text()
    assert page.count("data:image/") == 4
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert re.findall("<h1>(.*)</h1>", page) == ["whole.safetensors"]
    for word in ("6 of 6 steps", "perceptual", "Discriminator", "discriminator width", "6, and 2 held out"):
        assert word in page
    assert str(studio) not in page


def test_better_is_nearer_to_the_eye_and_the_first_of_equals_stays() -> None:
    network = build(architecture(width=4, halvings=2))
    best = best_of(None, 1, {"perceptual": 0.3, "l1": 0.5}, network, "perceptual")
    assert best.step == 1 and same(dict(best.weights), network.state_dict())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert not same(dict(best.weights), network.state_dict())
    assert best_of(best, 2, {"perceptual": 0.3, "l1": 0.1}, network, "perceptual") is best
    lost = best_of(None, 1, {"perceptual": float("nan")}, network, "perceptual")
    assert best_of(best, 2, lost.scores, network, "perceptual") is best
    assert best_of(lost, 2, {"perceptual": 9.0}, network, "perceptual").step == 2
    assert best_of(best, 2, {"perceptual": 0.29}, network, "perceptual").step == 2
    assert best_of(Best(1, {}, {}), 2, {}, network, "perceptual").step == 2
    assert best_of(best, 2, {"perceptual": 0.9}, network, "last").step == 2
    assert best_of(best, 2, {"perceptual": 0.9}, network, "kernel").step == 2  # of one pair there is none
    near = best_of(None, 1, {"perceptual": 0.9, "kernel": 0.5}, network, "kernel")
    assert best_of(near, 2, {"perceptual": 0.1, "kernel": 0.6}, network, "kernel") is near
    assert best_of(near, 2, {"perceptual": 1.0, "kernel": -0.1}, network, "kernel").step == 2


def test_scores_of_a_perfect_generator(studio: Path) -> None:
    """A pair whose target is what the network makes of its input: no distance is left."""
    network = build(architecture(width=4, halvings=2, norm="instance"))
    inputs = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = network(inputs, Mode())
    extractor = vgg.load("net.safetensors")
    found = scores_of(network, [Pair(inputs, wanted)] * 2, extractor, Mode())
    assert found["l1"] == 0 and found["psnr"] == 100
    assert found["ssim"] == pytest.approx(1, abs=1e-5) and found["perceptual"] == pytest.approx(0, abs=1e-6)
    assert scores_of(network, [], extractor, Mode()) == {}
    worse = scores_of(network, [replace(Pair(inputs, wanted), targets=inputs)], extractor, Mode())
    assert worse["l1"] > 0.1 and worse["perceptual"] > 0.01 and "kernel" not in worse


# As it is typed


WORDS = (
    *("--crop", "32", "--jitter", "1", "--width", "4", "--halvings", "2", "--field", "16", "--batch", "2"),
    *("--discriminator-width", "4", "--validation", "0.25", "--save", "2", "--report", "1"),
    *("--loss-network", "net.safetensors", "--precision", "float32"),
)


@pytest.fixture
def train(run, studio):  # type: ignore[no-untyped-def]
    """`styler train-translate`, tiny and quick, with more words."""

    def train(*words: str, source: tuple[str, ...] = ("--dataset", "pairs")) -> Any:
        return run("train-translate", *source, "-o", "m.safetensors", *WORDS, *words)

    return train


def recorded(name: str = "m.safetensors") -> dict[str, Any]:
    return library.read(Path(name)).card.information["training"]["options"]


def test_ctrl_c_saves_and_resume_goes_on(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = logbook.Logbook.entry

    def pressed(self: Any, event: TrainStep) -> dict[str, Any]:
        if event.index == 3:
            signal.raise_signal(signal.SIGTERM)
        return entry(self, event)

    with monkeypatch.context() as patch:
        patch.setattr(logbook.Logbook, "entry", pressed)
        done = train("--steps", "4")
    assert done.code == 143
    assert "go on with --resume" in done.err and "stopped after 3 of 4 steps" in done.err
    assert not Path("m.safetensors").exists()
    done = train("--steps", "4", "--resume", "--json")
    assert done.code == 0, done.err
    record = json.loads(done.lines[-1])
    assert record["output"] == "m.safetensors" and record["losses"]
    assert not runs.exists("m.safetensors.training")


def test_steps_that_are_given_overrule_a_recipes_epochs(train: Any) -> None:
    assert train("--preset", "classic", "--steps", "2").code == 0
    chosen = recorded()
    assert (chosen["steps"], chosen["epochs"], chosen["upsampling"], chosen["batch"]) == (
        2,
        0,
        "transposed",
        2,
    )
    assert train("--epochs", "1", "--overwrite").code == 0
    assert recorded()["steps"] == 3
    done = train("--epochs", "1", "--steps", "2", "--overwrite")
    assert done.code == 2 and "either --steps or --epochs" in done.err


@pytest.mark.parametrize(
    ("words", "source", "code", "reason"),
    [
        ([], (), 2, "either --dataset"),
        ([], ("--dataset", "pairs", "--edges", "pairs"), 2, "either --dataset"),
        ([], ("--edges", "pairs", "--labels"), 1, "leave out --labels"),
        ([], ("--dataset", "pairs", "--sigma", "1"), 1, "no --sigma: leave it out"),
        ([], ("--dataset", "none"), 1, "none"),
        (["--field", "17"], ("--dataset", "pairs"), 2, "--field"),
        (["--field", "286"], ("--dataset", "pairs"), 1, "--crop"),
        (["--init", "nobody"], ("--dataset", "pairs"), 1, "nobody"),
    ],
)
def test_refusals_as_typed(
    train: Any, words: list[str], source: tuple[str, ...], code: int, reason: str
) -> None:
    done = train("--steps", "1", *words, source=source)
    assert done.code == code and reason in done.err
    assert not Path("m.safetensors.training").exists()


# In two processes


def test_two_processes_train_as_one_with_the_double_batch(studio: Path) -> None:
    chosen = {"learning_rate": 2e-5, "dropout": False, "device": "cpu"}  # masks differ by process
    run("one.safetensors", options=options(**chosen, batch=4))
    Path("chosen.json").write_text(json.dumps(TINY | chosen))
    launch("translate", "two.safetensors")
    one, two = (
        [entry for entry in log(name) if "losses" in entry] for name in ("one.safetensors", "two.safetensors")
    )
    assert [entry["step"] for entry in two] == [1, 2, 3, 4, 5, 6]
    for wanted, found in zip(one, two, strict=True):
        assert found["losses"] == pytest.approx(wanted["losses"], rel=1e-4)
    wanted, found = weights_in("one.safetensors"), weights_in("two.safetensors")
    assert all(torch.allclose(found[name], wanted[name], rtol=2**-10, atol=1e-4) for name in wanted)
    assert json.loads(Path("told-0.json").read_text()).count("TrainStep") == 6
    assert json.loads(Path("told-1.json").read_text()) == []
