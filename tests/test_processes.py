"""Real processes on the loopback: they train as one does with the double batch, and survive a death."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from studio import log, train, weights, write_studio
from two import options

import styler
from styler import processes
from styler.errors import DeviceError
from styler.processes import ALONE
from styler.storage.models import library

SCRIPT = Path(__file__).with_name("two.py")
ROOT = Path(styler.__file__).parents[1]
KINDS = ("transform", "translate")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A studio, and what one process with the double batch makes there: transform.safetensors, ..."""
    folder = tmp_path_factory.mktemp("studio")
    write_studio(folder)
    with contextlib.chdir(folder):
        for kind in KINDS:
            train(kind, f"{kind}.safetensors", options(kind, 4))
    return folder


@pytest.fixture
def studio(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as the current folder."""
    monkeypatch.chdir(folder)
    return folder


def start(*command: str, **more: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join(filter(None, [str(ROOT), str(SCRIPT.parent), os.environ.get("PYTHONPATH")]))
    environment = (
        os.environ | {"PYTHONPATH": paths, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"} | more
    )
    return subprocess.Popen(
        [sys.executable, *command],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it printed, once it has ended with that code; if it hangs, all that it has started is ended."""
    try:
        out, _ = process.communicate(timeout=400)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == code, out
    return out


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def launch(*words: str, code: int = 0) -> str:
    """Two processes of `two.py` under torchrun, started again once."""
    where = ("--master-addr", "127.0.0.1", "--master-port", free_port(), "--monitor-interval", "0.1")
    how = ("--nproc-per-node", "2", "--max-restarts", "1")
    return finish(start("-m", "torch.distributed.run", *where, *how, str(SCRIPT), *words), code)


def events(rank: int) -> list[str]:
    names: list[str] = json.loads(Path(f"events-{rank}.json").read_text())
    return names


def check_same(output: str, whole: str) -> None:
    """That a training logged the losses and made the network of another, to 1e-4 (files have 11 bits)."""
    one, other = ([entry for entry in log(name) if "losses" in entry] for name in (whole, output))
    assert [entry["step"] for entry in other] == [1, 2, 3, 4, 5, 6]
    for entry, twin in zip(one, other, strict=True):
        assert twin["losses"] == pytest.approx(entry["losses"], rel=1e-4)
    expected, found = weights(whole), weights(output)
    assert all(torch.allclose(found[name], expected[name], rtol=2**-10, atol=1e-4) for name in expected)


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_as_one_with_the_double_batch(kind: str, studio: Path) -> None:
    launch("train", kind, "two.safetensors")
    check_same("two.safetensors", f"{kind}.safetensors")
    assert events(0).count("TrainStep") == 6 and events(1) == []
    assert library.read(Path("two.safetensors")).card.information["training"]["processes"] == 2
    Path("two.safetensors").unlink()


def test_a_killed_process_costs_only_the_steps_since_the_last_state(studio: Path) -> None:
    out = launch("train", "transform", "killed.safetensors", "die")
    assert "exitcode: -9" in out
    check_same("killed.safetensors", "transform.safetensors")
    assert events(0).count("TrainStep") == 4  # of the second start, after a state of step 2


def test_processes_diverge_together_and_one_keeps_the_best_network(studio: Path) -> None:
    launch("train", "transform", "wild.safetensors", "diverge")
    said = [json.loads(Path(f"said-{rank}.json").read_text()) for rank in (0, 1)]
    assert "--learning-rate 1 is 1000 times" in said[0] and said[0].endswith("of step 0")
    assert said[1] == "0 events and no error"  # one line is enough
    assert library.read(Path("wild.safetensors")).card.information["training"]["diverged"][0] == 0


def test_a_training_that_diverged_does_not_begin_again_when_torchrun_restarts_it(studio: Path) -> None:
    """With --overwrite it would take as long, and diverge once more; a new start by hand does begin."""
    for starts in (2, 4):
        launch("train", "transform", "twice.safetensors", "again", code=1)
        lines = [line.split(" events; ") for line in Path("said.txt").read_text().splitlines()]
        assert [int(count) > 0 for count, _ in lines] == [True, False] * (starts // 2)
        assert len({said for _, said in lines}) == 1 and "of step 0" in lines[0][1]


def test_what_a_group_says(studio: Path) -> None:
    rendezvous = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "2"}
    ranks = [{"RANK": str(rank), "TORCHELASTIC_RUN_ID": "x"} | rendezvous for rank in (0, 1)]
    for process in [start(str(SCRIPT), "group", **rank) for rank in ranks]:
        finish(process)
    for rank in (0, 1):
        said = json.loads(Path(f"said-{rank}.json").read_text())
        assert said["mean"] == {"a": 0.5, "b": 1.0}
        assert said["any"] == [True, False]
        assert said["main"] == (rank == 0)
        assert said["gradient"] == 2.0  # the mean of 1 and 3
        assert said["keys"] == ["weight", "bias"]
        assert said["weight"] == 0.0  # rank 0's
        assert said["threads"] == 0  # one that outlives the group can abort the process at its end


def test_alone_it_comes_to_nothing() -> None:
    network = torch.nn.Linear(1, 1)
    with processes.join(torch.device("cpu")) as group:
        assert group is ALONE and group.main
        assert group.wrap(network) is network
        assert group.any(True) and not group.any(False)
        assert group.mean({"a": 2.0}) == {"a": 2.0}
        group.barrier()
    assert processes.placed(torch.device("meta")) == torch.device("meta")


def test_a_device_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": "1", "LOCAL_RANK": "64"}.items():
        monkeypatch.setenv(name, value)
    assert processes.placed(torch.device("cpu")) == torch.device("cpu")
    with pytest.raises(DeviceError, match="--device cpu"):
        processes.placed(torch.device("mps"))
    with pytest.raises(DeviceError, match="has no GPU left"):
        processes.placed(torch.device("cuda"))
