"""The folder of a training: its lock, states and log."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from styler.errors import CheckpointError, OutputError
from styler.storage.runs import LOG, OWNER, Log, has_state, load_state, lock, remove_states, save_state


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("trap",)


def test_the_state_before_helps_when_the_last_is_damaged(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_state(tmp_path, {"step": step})
    assert load_state(tmp_path) == {"step": 3}
    (tmp_path / "last.pt").write_bytes(b"torn")
    assert load_state(tmp_path) == {"step": 2}
    (tmp_path / "last.pt").unlink()
    assert load_state(tmp_path) == {"step": 2}


def test_no_state_and_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=r"there is none.*start without --resume"):
        load_state(tmp_path)
    monkeypatch.chdir(tmp_path)
    torch.save({"step": Trap()}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match=r"last\.pt is damaged.*with --overwrite instead of --resume"):
        load_state(tmp_path)
    assert not (tmp_path / "trap").exists()


def test_states_are_removed_with_their_folder_unless_more_is_in_it(tmp_path: Path) -> None:
    for name in ("empty", "full"):
        save_state(tmp_path / name, {"step": 1})
        save_state(tmp_path / name, {"step": 2})
        assert has_state(tmp_path / name)
    (tmp_path / "full" / LOG).write_text("")
    for name in ("empty", "full"):
        remove_states(tmp_path / name)
        assert not has_state(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["full", LOG]


def test_a_lock_names_its_process_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with lock(folder):
        assert (folder / OWNER).read_text() == str(os.getpid())
    assert not folder.exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"), lock(tmp_path / "file" / "run"):
        pass


def test_a_folder_with_a_foreign_link_is_refused(tmp_path: Path) -> None:
    folder, foreign = tmp_path / "run", tmp_path / "foreign"
    folder.mkdir()
    (folder / LOG).symlink_to(foreign)
    with pytest.raises(OutputError, match=rf"{LOG} is a link.*move it away"), lock(folder):
        pass
    assert not foreign.exists()


def test_a_log_goes_on_after_the_last_state(tmp_path: Path) -> None:
    first = Log(tmp_path)
    assert first.last == {"step": 0, "losses": {}, "seconds": 0.0}
    for step in (1, 2, 3):
        first.add({"step": step, "losses": {"a": step, "b": 1.0}})
    first.add({"step": 3, "score": 0.5})
    with (tmp_path / LOG).open("a") as file:
        file.write('{"step": 4, "los')  # killed while it was written
    log = Log(tmp_path, done=2)
    assert [json.loads(line)["step"] for line in (tmp_path / LOG).read_text().splitlines()] == [1, 2]
    log.add({"step": 3, "score": 0.25})
    assert log.last["step"] == 2 and log.values("score") == [(3, 0.25)]
    assert log.curves() == {"total": [(1, 2.0), (2, 3.0)], "a": [(1, 1), (2, 2)], "b": [(1, 1.0), (2, 1.0)]}
    assert Log(tmp_path).entries == []
    (tmp_path / LOG).unlink()
    (tmp_path / LOG).mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        log.add({"step": 4})


def test_a_folder_that_is_a_link_is_not_trained_in(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    for target in ("foreign", "nothing"):
        link = tmp_path / f"{target}.training"
        link.symlink_to(tmp_path / target)
        with pytest.raises(OutputError, match="is a link, which no training makes"), lock(link):
            pass
    assert not list((tmp_path / "foreign").iterdir()) and not (tmp_path / "nothing").exists()
