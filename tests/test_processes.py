"""Real processes on the loopback: they train as one does with the double batch, and survive a death."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from narrow import slimmed
from PIL import Image
from two import CHOSEN

import styler
from styler import processes
from styler.errors import DeviceError
from styler.jobs.training.fast import train_fast
from styler.options.fast import TrainFastOptions
from styler.processes import ALONE
from styler.storage.models import library

SCRIPT = Path(__file__).with_name("two.py")
ROOT = Path(styler.__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two styles, photos, a tiny loss network, and what one process with the double batch makes of them."""
    folder = tmp_path_factory.mktemp("studio")
    (folder / "photos").mkdir()
    for index, name in enumerate(("a", "b", *(f"photos/{i}" for i in range(5)))):
        values = np.random.default_rng(index).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(values).resize((80, 64)).save(folder / f"{name}.png")
    slimmed(folder / "net.safetensors")
    options = TrainFastOptions(**CHOSEN | {"batch": 4, "loss_network": str(folder / "net.safetensors")})
    styles = [str(folder / f"{name}.png") for name in ("a", "b")]
    for _ in train_fast(styles, str(folder / "photos"), str(folder / "one.safetensors"), options):
        pass
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


def finish(process: subprocess.Popen[str]) -> str:
    """What it printed, once it has ended well; if it hangs, it is ended with all that it has started."""
    try:
        out, _ = process.communicate(timeout=200)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0, out
    return out


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def launch(*words: str) -> str:
    """Two processes of `two.py` under torchrun, started again once."""
    where = ("--master-addr", "127.0.0.1", "--master-port", free_port(), "--monitor-interval", "0.1")
    how = ("--nproc-per-node", "2", "--max-restarts", "1")
    return finish(start("-m", "torch.distributed.run", *where, *how, str(SCRIPT), *words))


def told(rank: int) -> list[str]:
    return json.loads(Path(f"told-{rank}.json").read_text())


def losses(output: str) -> dict[int, dict[str, float]]:
    lines = Path(f"{output}.training", "log.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["step"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    return {entry["step"]: entry["losses"] for entry in entries}


def same_as_one(output: str) -> bool:
    """Whether a training told the losses and made the model of one process, to 1e-4 (files have 11 bits)."""
    one, other = losses("one.safetensors"), losses(output)
    for step in one:
        assert other[step] == pytest.approx(one[step], rel=1e-4)
    wanted, found = (library.read(Path(name)).network.state_dict() for name in ("one.safetensors", output))
    return all(torch.allclose(found[name], wanted[name], rtol=2**-10, atol=1e-4) for name in wanted)


def test_two_processes_train_as_one_with_the_double_batch(studio: Path) -> None:
    launch("train", "two.safetensors")
    assert same_as_one("two.safetensors")
    assert told(0).count("TrainStep") == 6 and told(1) == []
    assert library.read(Path("two.safetensors")).card.information["training"]["processes"] == 2


def test_a_killed_process_costs_only_the_steps_since_the_last_state(studio: Path) -> None:
    out = launch("train", "killed.safetensors", "die")
    assert "exitcode: -9" in out
    assert same_as_one("killed.safetensors")
    assert told(0).count("TrainStep") == 4  # of the second start, after a state of step 2


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
