"""Training of translators: what the file says, the best weights, balance, and as it is typed."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from studio import log, notes, same, weights
from studio import options as options_of
from studio import train as train_kind

from styler.errors import InputError, OutputError
from styler.events import TrainStep
from styler.jobs.training import diary, translate
from styler.jobs.training.translate import imbalance
from styler.networks.layers import Mode
from styler.options.translate import TrainTranslateOptions
from styler.storage import runs
from styler.storage.models import library, vgg
from styler.tasks.train_translate import GAN
from styler.tasks.validate import validate


def options(**changes: Any) -> TrainTranslateOptions:
    chosen: TrainTranslateOptions = options_of("translate", **changes)
    return chosen


def run(output: str, **more: Any) -> tuple[list[Any], dict[str, Any]]:
    return train_kind("translate", output, **more)


def test_makes_a_translator_that_says_what_it_is(studio: Path) -> None:
    events, record = run("t.safetensors")
    assert "6 pairs, " in notes(events) and " -> " in notes(events) and "2 more are held out" in notes(events)
    assert "generator/l1" in record["losses"]
    found = library.read_generator("t.safetensors")
    assert (found.about.direction, found.about.batch, found.about.statistics) == ("AtoB", 2, "picture")
    assert found.about.dropout is True and found.about.condition is None and found.about.color == "rgb"
    assert found.network.config.width == 4 and found.network.config.dropout == (1,)
    assert found.card.information["training"]["pictures"] == 6


def test_the_best_weights_are_kept_and_told(studio: Path) -> None:
    told = {entry["step"]: entry for entry in log("translate.safetensors") if "validation" in entry}
    assert list(told) == [2, 4, 6]
    distances = {step: entry["validation"]["perceptual"] for step, entry in told.items()}
    best = min(distances, key=lambda step: distances[step])
    assert told[6]["best"] == best
    found = library.read_generator("translate.safetensors")
    about = found.card.information["validation"]
    assert about == {"step": best, "pairs": 2, **told[best]["validation"]}
    assert {"l1", "psnr", "ssim", "perceptual", "kernel"} <= set(about)
    held = translate.open_pairs("pairs", options()).held
    mode = Mode("picture", options().seed)
    extractor = vgg.load("net.safetensors")
    again = validate(found.network, held, extractor, mode)  # of weights that the file has rounded to 16 bits
    assert again == pytest.approx(told[best]["validation"], rel=0.05, abs=1e-3)


def test_an_early_best_survives_a_break(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores get worse after step 2, and the run is broken at step 5."""
    measured = validate

    def worsening(generator: Any, *given: Any) -> dict[str, float]:
        calls.append(generator)
        return measured(generator, *given) | {"perceptual": 0.1 * len(calls)}

    calls: list[Any] = []
    monkeypatch.setattr(translate, "validate", worsening)
    run("short.safetensors", chosen=options(steps=6), stop_after=5)
    run("short.safetensors", chosen=options(steps=6), resume=True)
    about = library.read_generator("short.safetensors").card.information["validation"]
    assert about["step"] == 2 and about["perceptual"] == pytest.approx(0.1) and len(calls) == 3
    run("two.safetensors", chosen=options(steps=6), stop_after=2)
    kept = runs.load_state("two.safetensors.training")["extras"]["best"]["weights"]
    short = weights("short.safetensors")
    assert all(torch.equal(short[name], kept[name].half().float()) for name in kept)


def test_nothing_to_learn_is_refused(studio: Path) -> None:
    with pytest.raises(InputError, match="all weights are 0"):
        run("m.safetensors", chosen=options(gan_weight=0.0, l1_weight=0.0))
    assert not Path("m.safetensors.training").exists()


def test_epochs_come_to_steps() -> None:
    wanted = options(epochs=2.0, batch=4)
    assert translate.with_steps(wanted, 10, 1).steps == 5
    assert translate.with_steps(wanted, 10, 2).steps == 2
    assert translate.with_steps(wanted, 1, 8).steps == 1
    assert translate.with_steps(options(), 10, 1) == options()


def test_a_bottleneck_of_one_pixel_is_told(studio: Path) -> None:
    events, _ = run("m.safetensors", chosen=options(steps=1, crop=16, halvings=4, upsampling="resize"))
    assert "take --halvings 3" in notes(events)


def test_a_translator_to_start_from(studio: Path) -> None:
    run("first.safetensors", chosen=options(steps=2))
    still = options(steps=1, learning_rate=0.0, average=0.0, width=8)
    events, _ = run("second.safetensors", chosen=still, init="first.safetensors")
    assert "its own architecture: " in notes(events) and "--width not used" in notes(events)
    assert same(weights("second.safetensors"), weights("first.safetensors"))
    with pytest.raises(OutputError, match="also an input"):
        run("first.safetensors", init="first.safetensors", overwrite=True)


def test_a_translator_to_start_from_gets_grain_and_keeps_it(studio: Path) -> None:
    run("first.safetensors", chosen=options(steps=1, dropout=False))
    run("second.safetensors", chosen=options(steps=1, dropout=False, grain=0.05), init="first.safetensors")
    run("third.safetensors", chosen=options(steps=1, dropout=False), init="second.safetensors")
    grains = [
        library.read_generator(f"{name}.safetensors").network.config.grain for name in ("first", "third")
    ]
    assert grains == [0, 0.05]


def test_pictures_get_the_margin_that_crops_had(studio: Path) -> None:
    for crop, margin in ((16, 0), (20, 4)):
        run(f"{crop}.safetensors", chosen=options(steps=1, dropout=False, crop=crop, halvings=3))
        assert library.read_generator(f"{crop}.safetensors").about.margin == margin


def test_without_pairs_held_out_the_last_weights_are_kept(studio: Path) -> None:
    events, _ = run("m.safetensors", chosen=options(validation=0.0, average=0.0, steps=3))
    assert "last weights are kept" in notes(events)
    about = library.read_generator("m.safetensors").card.information["validation"]
    assert about == {"step": 3, "pairs": 0}
    assert Path("m.safetensors.training/preview.png").is_file()


def test_batch_norms_of_larger_batches_keep_their_statistics(studio: Path) -> None:
    run("m.safetensors", chosen=options(norm="batch", steps=1, gan_weight=0.0, dropout=False))
    about = library.read_generator("m.safetensors").about
    assert (about.statistics, about.dropout) == ("stored", False)
    assert "accuracy" not in log("m.safetensors")[0]


def test_a_translator_of_label_pictures_knows_its_labels(studio: Path) -> None:
    labels = {"wall": "#0000ff", "window": "#0055ff", "door": "#00aaff"}
    Path("pairs/pairs.json").write_text(json.dumps({"labels": labels}))
    events, _ = run("m.safetensors", chosen=options(steps=1))
    assert "of 3 labels: wall, window, door" in notes(events)
    assert list(library.read_generator("m.safetensors").about.labels.items()) == list(labels.items())
    run("back.safetensors", chosen=options(steps=1, direction="BtoA"))
    assert library.read_generator("back.safetensors").about.labels == {}


def test_networks_out_of_balance_is_told_once(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "wins" in imbalance([0.5] * 5 + [0.97] * 10, 1.0) and "0.5 or" in imbalance([0.97] * 10, 1.0)
    assert (
        imbalance([0.97] * 9, 1.0) == imbalance([0.97] * 9 + [0.9], 1.0) == imbalance([0.7] * 20, 1.0) == ""
    )
    assert "guesses" in imbalance([0.5] * 10, 0.25) and "rate 0.5" in imbalance([0.5] * 10, 0.25)
    monkeypatch.setattr(translate, "LONG", 2)
    monkeypatch.setattr(GAN, "figures", lambda networks: {"accuracy": 0.99})
    events, _ = run("m.safetensors", chosen=options(steps=4))
    assert notes(events).count("the discriminator wins") == 1


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
    entry_of = diary.entry_of

    def pressed(event: TrainStep, *given: Any) -> dict[str, Any]:
        if event.index == 3:
            signal.raise_signal(signal.SIGTERM)
        return entry_of(event, *given)

    with monkeypatch.context() as patch:
        patch.setattr(diary, "entry_of", pressed)
        done = train("--steps", "4")
    assert done.code == 143
    assert "go on with --resume" in done.err and "stopped after 3 of 4 steps" in done.err
    assert not Path("m.safetensors").exists()
    done = train("--steps", "4", "--resume", "--json")
    assert done.code == 0, done.err
    record = json.loads(done.lines[-1])
    assert record["output"] == "m.safetensors" and record["losses"]
    assert not runs.has_state("m.safetensors.training")


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
