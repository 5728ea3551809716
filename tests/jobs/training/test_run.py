"""What every training does, of each kind: claim, resume, save, log, write, and lose nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import ended, steps
from studio import KINDS, WILD, begin, log, notes, options, same, train, weights, write_pairs

from styler.errors import CheckpointError, DivergedError, InputError, OutputError, StylerError
from styler.events import Note, Stage, TrainStep
from styler.jobs.training import fast
from styler.jobs.training.run import resumed, saving, skipped
from styler.storage import disk, runs

EACH = pytest.mark.parametrize("kind", KINDS)
DIVERGED = r"^training diverged by step \d+ \(the loss .*\): --\w+-rate 1(000)? is [\de+]+ times the usual"


@EACH
def test_leaves_network_log_and_pictures(kind: str, studio: Path) -> None:
    events, record = train(kind, "out/net.safetensors", credits="Jo, CC BY")
    assert steps(events) == [1, 2, 3, 4, 5, 6]
    command = f"train-{kind}" if kind in ("translate", "enlarge") else "train-fast"
    assert [(e.name, e.height, e.steps) for e in events if isinstance(e, Stage)] == [(command, 32, 6)]
    assert record["output"] == "out/net.safetensors" and record["losses"]
    about = fast.library.read(Path("out/net.safetensors")).card.information["training"]
    assert (about["command"], about["credits"], about["options"]["steps"]) == (command, "Jo, CC BY", 6)
    assert about["losses"] == record["losses"] and about["processes"] == 1
    assert str(studio) not in str(about)
    kept = sorted(path.name for path in Path("out/net.safetensors.training").iterdir())
    pairs = ["pairs.png"] if kind == "translate" else []
    assert kept == ["log.jsonl", "losses.png", *pairs, "preview.png"]


@EACH
@pytest.mark.parametrize("stop_after", [1, 3])
def test_resumed_is_bit_for_bit_uninterrupted(kind: str, stop_after: int, studio: Path) -> None:
    """And so is what is logged, and what is kept as best, whatever was measured before the break."""
    events, record = train(kind, "broken.safetensors", stop_after=stop_after)
    assert record["output"] is None and f"after {stop_after} of 6 steps" in record["message"]
    assert "--resume" in notes(events) and not Path("broken.safetensors").exists()
    events, _ = train(kind, "broken.safetensors", resume=True)
    assert steps(events) == list(range(stop_after + 1, 7))
    assert same(weights("broken.safetensors"), weights(f"{kind}.safetensors"))
    assert log("broken.safetensors") == log(f"{kind}.safetensors")
    assert not runs.has_state("broken.safetensors.training")


@EACH
def test_steps_after_the_last_state_are_logged_once(kind: str, studio: Path) -> None:
    """A killed run has logged step 3, but its last state is of step 2."""
    work = begin(kind, "m.safetensors")
    while not (isinstance(event := next(work), TrainStep) and event.index == 3):
        pass
    work.close()
    logged = [entry["step"] for entry in log("m.safetensors") if "losses" in entry]
    assert logged == [1, 2, 3]
    train(kind, "m.safetensors", resume=True)
    assert log("m.safetensors") == log(f"{kind}.safetensors")


@EACH
def test_a_damaged_state_falls_back_to_the_one_before(kind: str, studio: Path) -> None:
    train(kind, "broken.safetensors", stop_after=5)
    last = Path("broken.safetensors.training", runs.LAST)
    last.write_bytes(last.read_bytes()[:1000])
    train(kind, "broken.safetensors", resume=True)
    assert same(weights("broken.safetensors"), weights(f"{kind}.safetensors"))


@EACH
def test_a_full_disk_leaves_the_state_before(
    kind: str, studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, saved = torch.save, []

    def full(state: Any, file: Any) -> None:
        saved.append(state["step"])
        if len(saved) == 2:
            raise OSError(disk.errno.ENOSPC, "No space left on device")
        save(state, file)

    with (
        monkeypatch.context() as patch,
        pytest.raises(OutputError, match=r"no space.*, then go on with --resume"),
    ):
        patch.setattr(torch, "save", full)
        train(kind, "m.safetensors")
    assert saved == [2, 4] and not Path("m.safetensors").exists()
    train(kind, "m.safetensors", resume=True)
    assert same(weights("m.safetensors"), weights(f"{kind}.safetensors"))


@EACH
def test_of_a_training_that_diverges_the_best_network_is_kept(kind: str, studio: Path) -> None:
    """As steps of that size make it, the one from before the first step; a break changes nothing."""
    chosen = options(kind, **WILD[kind])
    with pytest.raises(DivergedError, match=DIVERGED) as raised:
        train(kind, "m.safetensors", chosen)
    step = raised.value.best
    assert str(raised.value).endswith(f"; m.safetensors is the best network so far, of step {step}")
    about = fast.library.read(Path("m.safetensors")).card.information["training"]
    assert about["diverged"][0] == step and not runs.has_state("m.safetensors.training")
    assert all(x.isfinite().all() and x.abs().max() < 5 for x in weights("m.safetensors").values())
    assert Path("m.safetensors.training", "preview.png").is_file()
    with pytest.raises(DivergedError, match="is done already, the best network of a training that diverged"):
        train(kind, "m.safetensors", chosen, resume=True)
    train(kind, "broken.safetensors", chosen, stop_after=2)
    with pytest.raises(DivergedError, match=DIVERGED):
        train(kind, "broken.safetensors", chosen, resume=True)
    assert same(weights("broken.safetensors"), weights("m.safetensors"))


@EACH
def test_a_finished_training_that_was_not_written_is_written(
    kind: str, studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where somebody has removed the log."""

    def refuse(*given: Any, **more: Any) -> None:
        raise OutputError("no")

    with monkeypatch.context() as patch, pytest.raises(OutputError):
        patch.setattr(fast.library, "write", refuse)
        train(kind, "m.safetensors")
    Path("m.safetensors.training", runs.LOG).unlink()
    events, _ = train(kind, "m.safetensors", resume=True)
    assert steps(events) == []
    assert same(weights("m.safetensors"), weights(f"{kind}.safetensors"))


@EACH
def test_equal_trainings_give_equal_files(kind: str, studio: Path) -> None:
    """Whatever time they took."""
    train(kind, "again.safetensors")
    assert Path("again.safetensors").read_bytes() == Path(f"{kind}.safetensors").read_bytes()


@EACH
def test_a_finished_training_that_is_resumed_is_done_already(
    kind: str, studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(kind, "m.safetensors")
    whole = Path("m.safetensors").read_bytes()
    _, record = train(kind, "m.safetensors", resume=True)
    assert record == {"output": "m.safetensors", "message": "m.safetensors is done already"}
    with pytest.raises(InputError, match=r"done already, with --steps 6 \(now 7\): choose another --output"):
        train(kind, "m.safetensors", resume=True, chosen=options(kind, steps=7))
    with pytest.raises(OutputError, match="exists already"):
        train(kind, "m.safetensors")
    with monkeypatch.context() as patch:  # killed just after the network was written
        patch.setattr(runs, "remove_states", lambda folder: None)
        train(kind, "m.safetensors", overwrite=True)
    assert runs.has_state("m.safetensors.training")
    train(kind, "m.safetensors", resume=True)
    assert Path("m.safetensors").read_bytes() == whole
    assert not runs.has_state("m.safetensors.training")


@EACH
def test_resuming_something_else_is_refused(kind: str, studio: Path) -> None:
    with pytest.raises(CheckpointError, match="without --resume"):
        train(kind, "m.safetensors", resume=True)
    train(kind, "m.safetensors", stop_after=2)
    write_pairs(studio / "more", count=9)
    others: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "transform": [("styles", {"styles": ("Wild Waves.png",)}), ("photos", {"dataset": "photos/1"})],
        "texture": [("styles", {"styles": ("Wild Waves.png",)})],
        "translate": [("pairs", {"dataset": "more"})],
        "enlarge": [("photos", {"dataset": "photos/1"})],
    }
    differing = {"steps": 7, "crop": 48}
    with pytest.raises(
        InputError, match=r"made with (--\w+ \d+ \(now \d+\)(, )?){2}: repeat that, or start"
    ) as no:
        train(kind, "m.safetensors", resume=True, chosen=options(kind, **differing))
    assert "--steps 6 (now 7)" in str(no.value) and "(now 48)" in str(no.value)
    for name, more in others[kind]:
        with pytest.raises(InputError, match=f"other {name}"):
            train(kind, "m.safetensors", resume=True, **more)
    with pytest.raises(OutputError, match="interrupted: go on with --resume"):
        train(kind, "m.safetensors")
    assert runs.has_state("m.safetensors.training")
    _, record = train(kind, "m.safetensors", overwrite=True)
    assert record["output"] == "m.safetensors"


@EACH
def test_refusals_leave_nothing_behind(kind: str, studio: Path) -> None:
    if kind != "texture":
        Path("empty").mkdir()
        with pytest.raises(InputError, match="empty"):
            train(kind, "m.safetensors", dataset="empty")
    with pytest.raises(OutputError, match="must end in"):
        train(kind, "m.pth")
    with pytest.raises(StylerError, match="nothing"):
        train(kind, "m.safetensors", options(kind, loss_network="nothing"))
    Path("m.safetensors").write_bytes(b"")
    with pytest.raises(OutputError, match="--overwrite"):
        train(kind, "m.safetensors")
    assert not Path("m.safetensors.training").exists() and not Path("m.pth.training").exists()


def test_a_second_training_is_refused(studio: Path) -> None:
    """By another process, as locks are between processes."""
    hold = (
        "import sys; from pathlib import Path; from styler.storage import runs\n"
        "with runs.lock(Path('m.safetensors.training')): print('held', flush=True); sys.stdin.read()"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(runs.__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match=f"process {other.pid} is training"):
            train("texture", "m.safetensors")
        other.communicate()
    train("texture", "m.safetensors", options("texture", steps=1))


def test_another_commands_state_is_refused(tmp_path: Path) -> None:
    runs.save_state(tmp_path, {"options": {}, "strange": 1})
    with pytest.raises(CheckpointError, match="holds no state of styler train-fast"):
        resumed(tmp_path, {"options": {}}, "styler train-fast")


def test_without_a_state_nobody_is_told_to_resume(tmp_path: Path) -> None:
    def refused() -> Any:
        raise OutputError("no room")
        yield

    with pytest.raises(OutputError, match=r"^no room$"):
        ended(saving(refused(), tmp_path, {}), [])


def test_skipped_inputs_are_counted_and_one_is_named() -> None:
    assert list(skipped({})) == []
    assert list(skipped({"a": "a is empty"})) == [Note("1 picture was skipped: a is empty")]
    two = skipped({"a": "a is empty", "b": "b is torn"})
    assert list(two) == [Note("2 pictures were skipped, for example: a is empty")]


@EACH
def test_a_training_in_which_no_weight_has_moved_says_so(kind: str, studio: Path) -> None:
    """Also one that is resumed, and one whose rate is too small for the weights' digits."""
    for rate in (0.0, 1e-30):
        events, _ = train(kind, f"{rate}.safetensors", options(kind, learning_rate=rate))
        assert f"nothing was learned: at --learning-rate {rate:g} no weight has moved" in notes(events)
    still = options(kind, learning_rate=0.0)
    train(kind, "broken.safetensors", still, stop_after=3)
    events, _ = train(kind, "broken.safetensors", still, resume=True)
    assert "no weight has moved" in notes(events)
    events, _ = train(kind, "moved.safetensors", stop_after=3)
    more, _ = train(kind, "moved.safetensors", resume=True)
    assert "no weight has moved" not in notes(events + more)
