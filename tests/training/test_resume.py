"""Interrupted and resumed is uninterrupted, bit for bit; and no fault of a disk goes unnoticed."""

import errno
import os
import resource
import signal
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import nn
from training.small_run import DATA, RECIPE, loss, net, same, timeless, train, weigh

from companion.errors import CheckpointError, DataError
from companion.training import Recipe, fit, newest_checkpoint, read_checkpoint, read_log
from companion.training.lamb import Lamb
from companion.training.logs import LOG
from companion.training.recipe import differences


class Crash(Exception):
    """The run stops somewhere, as at a kill."""


def crash_after(folder, calls, *, recipe=RECIPE, model=None, optimizer=None):
    """Run until the loss has been called so often."""
    count = 0

    def fragile(model, batch, draws):
        nonlocal count
        count += 1
        if count > calls:
            raise Crash
        return loss(model, batch, draws)

    with pytest.raises(Crash):
        fit(
            model or net(),
            fragile,
            DATA,
            recipe,
            folder=folder,
            optimizer=optimizer,
            measure=weigh,
            measure_every=20,
            about={"width": 16},
            progress=False,
        )


OPTIMIZERS = {
    "AdamW": None,
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
    "Adagrad": torch.optim.Adagrad,
    "RAdam": torch.optim.RAdam,
    "NAdam": lambda parameters: torch.optim.NAdam(parameters, lr=0.01, betas=(0.8, 0.99)),
    "Rprop": torch.optim.Rprop,
    "LAMB": lambda parameters: Lamb(parameters, lr=0.01, weight_decay=0.1, bias_correction=False),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_interrupted_and_resumed_is_uninterrupted(name, accumulate, tmp_path):
    recipe, optimizer = replace(RECIPE, accumulate=accumulate), OPTIMIZERS[name]

    def run(folder):
        return fit(
            net(),
            loss,
            DATA,
            recipe,
            folder=folder,
            optimizer=optimizer,
            measure=weigh,
            measure_every=20,
            about={"width": 16},
            progress=False,
        )

    whole = run(tmp_path / "whole")
    for steps in (3, 9, 16):  # before the first checkpoint, and twice between two
        crash_after(tmp_path / "parts", steps * accumulate, recipe=recipe, optimizer=optimizer)
    assert newest_checkpoint(tmp_path / "parts") is not None
    parts = run(tmp_path / "parts")
    assert same(whole.model, parts.model)
    assert same(whole.average, parts.average)
    assert timeless(whole.history) == timeless(parts.history)
    states = [read_checkpoint(tmp_path / folder).optimizer for folder in ("whole", "parts")]
    assert str(states[0]) == str(states[1])
    assert not same(net(), parts.model)


def test_the_log_is_as_if_never_interrupted(tmp_path):
    whole = train(tmp_path / "whole")
    crash_after(tmp_path / "parts", 27)  # rows up to step 25, a checkpoint of step 21
    assert read_log(tmp_path / "parts" / LOG)[-1]["step"] == 25
    with (tmp_path / "parts" / LOG).open("a") as log:
        log.write("30,1.2")  # as a kill leaves it
    train(tmp_path / "parts")
    logs = [read_log(tmp_path / folder / LOG) for folder in ("whole", "parts")]
    assert timeless(logs[0]) == timeless(logs[1])
    assert logs[0] == whole.history  # what is printed reads back as the same number
    assert [row["step"] for row in logs[1]] == [*range(5, 41, 5)]
    seconds = [row["seconds"] for row in logs[1]]
    assert seconds == sorted(seconds)


def test_tensorboard_shows_each_step_once(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    crash_after(tmp_path, 27)
    run = train(tmp_path)
    events = EventAccumulator(str(tmp_path)).Reload()
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert found == [(row["step"], pytest.approx(row["loss"])) for row in run.history]
    assert {"loss", "norm", "rate", "weight"} <= {*events.Tags()["scalars"]}


def test_a_broken_line_of_the_log_is_named(tmp_path):
    crash_after(tmp_path, 20)
    lines = (tmp_path / LOG).read_text().splitlines()
    (tmp_path / LOG).write_text("\n".join([*lines[:2], "10,many", *lines[2:]]))
    with pytest.raises(DataError, match=r"log\.csv:3: "):
        train(tmp_path)


def test_a_finished_run_returns_at_once(tmp_path):
    first = train(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def never(model, batch, draws):
        raise AssertionError("trained again")

    again = fit(net(9), never, DATA, RECIPE, folder=tmp_path, about={"width": 16}, progress=False)
    assert same(first.model, again.model)
    assert same(first.average, again.average)
    assert again.history == first.history
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train()
    assert not [*tmp_path.iterdir()]


def test_the_newest_checkpoints_stay(tmp_path):
    train(tmp_path, changes={"keep": 3})
    found = [path.name for path in sorted(tmp_path.glob("step*"))]
    assert found == [f"step-{step:08d}.safetensors" for step in (28, 35, 40)]


def test_leftovers_of_a_kill_are_removed(tmp_path):
    (tmp_path / "step-00000007.safetensors.writing").write_bytes(b"half")
    train(tmp_path)
    assert not [*tmp_path.glob("*.writing")]


def test_a_checkpoint_tells_what_it_is(tmp_path):
    run = train(tmp_path)
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint.path == newest_checkpoint(tmp_path)
    assert (checkpoint.step, checkpoint.about) == (40, {"width": 16})
    assert Recipe(**checkpoint.recipe) == RECIPE
    assert {"companion", "torch", "accelerate"} <= checkpoint.versions.keys()
    model = net(3)
    model.load_state_dict(checkpoint.weights)
    assert same(model, run.average)
    model.load_state_dict(checkpoint.model)
    assert same(model, run.model)


def test_shared_weights_and_other_precisions_are_kept(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.second = nn.Linear(4, 4)
            self.second.weight = self.first.weight
            self.register_buffer("rough", torch.ones(3, dtype=torch.bfloat16))
            self.register_buffer("empty", torch.ones(0, 2))

        def forward(self, x):
            return self.second(self.first(x).relu())

    run = fit(Tied(), loss, DATA, replace(RECIPE, steps=6), folder=tmp_path, progress=False)
    saved, now = read_checkpoint(tmp_path).model, run.model.state_dict()
    assert saved.keys() == now.keys()
    assert all(torch.equal(saved[k], now[k]) and saved[k].dtype == now[k].dtype for k in now)


def test_another_recipe_is_refused_key_by_key(tmp_path):
    crash_after(tmp_path, 20)
    with pytest.raises(CheckpointError) as error:
        train(tmp_path, changes={"rate": 0.002, "batch": 4})
    assert "rate: 0.01 in the checkpoint, 0.002 asked" in str(error.value)
    assert "batch: 8 in the checkpoint, 4 asked" in str(error.value)
    assert "step-00000014.safetensors" in str(error.value)
    assert "seed" not in str(error.value)


FOREIGN = [
    ({"about": {"width": 32}}, "about.width: 16 in the checkpoint, 32 asked"),
    ({"about": None}, r"about: {'width': 16} in the checkpoint, None asked"),
    ({"data": DATA[:20]}, "samples: 30 in the checkpoint, 20 asked"),
    ({"optimizer": torch.optim.Adagrad}, "optimizer: AdamW in the checkpoint, Adagrad asked"),
    ({"model": net(width=8)}, r"the model has \(16, 4\) for 0.weight; expected \(8, 4\)"),
    ({"model": nn.Linear(4, 1)}, r"has nothing for weight; expected \(1, 4\)"),
    ({"recipe": replace(RECIPE, steps=80)}, "steps: 40 in the checkpoint, 80 asked"),
    ({"recipe": replace(RECIPE, average=None)}, "average: 0.999 in the checkpoint, None asked"),
]


@pytest.mark.parametrize(("change", "message"), FOREIGN)
def test_a_checkpoint_of_another_run_is_refused(change, message, tmp_path):
    crash_after(tmp_path, 10)
    arguments = {"model": net(), "data": DATA, "recipe": RECIPE, "about": {"width": 16}, **change}
    before = {path.name: path.read_bytes() for path in tmp_path.glob("step*")}
    with pytest.raises(CheckpointError, match=message):
        fit(loss=loss, folder=tmp_path, progress=False, **arguments)
    assert before == {path.name: path.read_bytes() for path in tmp_path.glob("step*")}


def test_a_run_at_a_constant_rate_may_become_longer(tmp_path):
    steady = {"decay": "constant", "warmup": 0}
    whole = train(tmp_path / "whole", changes={**steady, "steps": 60})
    train(tmp_path / "parts", changes={**steady, "save_every": None})
    longer = {**steady, "steps": 60, "log_every": 20, "save_every": 50, "keep": 1}
    parts = train(tmp_path / "parts", changes=longer)
    assert same(whole.model, parts.model)
    with pytest.raises(CheckpointError, match="steps: 60 in the checkpoint, 50 asked"):
        train(tmp_path / "parts", changes={**steady, "steps": 50})


def test_a_run_at_a_piecewise_rate_may_become_longer(tmp_path):
    lines = {"decay": "piecewise", "warmup": 0, "milestones": (30, 50), "factors": (0.5, 0.1)}
    whole = train(tmp_path / "whole", changes={**lines, "steps": 60})
    train(tmp_path / "parts", changes=lines)
    parts = train(tmp_path / "parts", changes={**lines, "steps": 60})
    assert same(whole.model, parts.model)
    with pytest.raises(CheckpointError, match=r"factors: \(0.5, 0.1\) in the checkpoint, \(0.5, "):
        train(tmp_path / "parts", changes={**lines, "factors": (0.5, 0.2), "steps": 60})


def test_what_an_older_checkpoint_does_not_say_had_its_default():
    saved = asdict(RECIPE)
    del saved["milestones"], saved["factors"]
    assert differences(saved, RECIPE) == []
    lines = replace(RECIPE, decay="piecewise", milestones=(9,), factors=(0.5,))
    assert differences(saved, lines) == [
        "decay: cosine in the checkpoint, piecewise asked",
        "factors: () in the checkpoint, (0.5,) asked",
        "milestones: () in the checkpoint, (9,) asked",
    ]
    del saved["steps"]
    assert differences(saved, RECIPE) == ["steps: nothing in the checkpoint, 40 asked"]


def broken_newest(folder):
    """A folder whose newest checkpoint is to be broken: steps 7 and 14."""
    crash_after(folder, 16)
    path = folder / "step-00000014.safetensors"
    return path, path.read_bytes()


def test_a_truncated_checkpoint_is_told_at_every_length(tmp_path):
    path, content = broken_newest(tmp_path)
    lengths = {0, 1, 7, 8, 9, len(content) - 1, *range(0, len(content), len(content) // 60)}
    for length in sorted(lengths):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"00014.* is no intact checkpoint") as error:
            read_checkpoint(path)
        assert "step-00000007.safetensors is intact" in str(error.value)
    path.write_bytes(content + b"\0")
    with pytest.raises(CheckpointError, match="no intact checkpoint"):
        train(tmp_path)


def test_a_changed_byte_is_told_wherever_it_is(tmp_path):
    path, content = broken_newest(tmp_path)
    for index in range(0, len(content), len(content) // 300):
        changed = bytearray(content)
        changed[index] ^= 1 << (index % 8)
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match="no intact checkpoint"):
            read_checkpoint(path)
    path.write_bytes(content)
    assert read_checkpoint(path).step == 14


@pytest.mark.parametrize("content", [b"garbage" * 100, b"\x80\x04K\x01.", b"PK\x03\x04"])
def test_garbage_and_pickles_are_refused(content, tmp_path):
    path, _ = broken_newest(tmp_path)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"step-00000007\.safetensors is intact: remove"):
        train(tmp_path)
    path.unlink()
    train(tmp_path)  # as the message says


def test_when_no_checkpoint_is_intact_it_is_said(tmp_path):
    path, _ = broken_newest(tmp_path)
    path.write_bytes(b"")
    (tmp_path / "step-00000007.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="no older checkpoint is intact"):
        train(tmp_path)


def test_a_missing_checkpoint_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        read_checkpoint(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"step-00000001\.safetensors cannot be read: No such"
    ):
        read_checkpoint(tmp_path / "step-00000001.safetensors")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_checkpoint_is_told(tmp_path):
    path, _ = broken_newest(tmp_path)
    path.chmod(0)
    with pytest.raises(CheckpointError, match=r"00014.* cannot be read: Permission denied"):
        train(tmp_path)


def test_an_unreadable_file_is_told_to_root_too(tmp_path):
    path, _ = broken_newest(tmp_path)
    path.unlink()
    path.mkdir()  # nobody can read a folder as a file
    (path / "step-00000001.safetensors").mkdir()
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory"):
        train(tmp_path)


@pytest.mark.parametrize("stage", ["open", "write", "fsync", "replace"])
def test_a_full_disk_leaves_the_last_checkpoint(stage, tmp_path, monkeypatch):
    """The disk is full from the second checkpoint on, at one stage of the writing."""
    reached = False
    original = getattr(os, stage)

    def full(*arguments):
        nonlocal reached
        target = str(arguments[0])
        if isinstance(arguments[0], int):
            target = os.readlink(f"/proc/self/fd/{arguments[0]}")
        if "step-00000014" in target:
            reached = True
            if stage == "write":
                original(arguments[0], arguments[1][:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*arguments)

    monkeypatch.setattr(os, stage, full)
    with pytest.raises(CheckpointError, match=r"00014.*No space left.*step-00000007"):
        train(tmp_path)
    assert reached
    monkeypatch.undo()
    assert [path.name for path in tmp_path.glob("step*")] == ["step-00000007.safetensors"]
    assert same(train(tmp_path).model, train().model)


def test_a_file_system_that_refuses_is_told(tmp_path):
    """No simulation: the kernel stops every file at 200 kB, which only the checkpoint exceeds."""
    crash_after(tmp_path, 10, model=net(width=8000))
    small = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, small[1]))
        with pytest.raises(CheckpointError, match=r"00014.*File too large.*step-00000007"):
            crash_after(tmp_path, 30, model=net(width=8000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, small)
    assert [path.name for path in tmp_path.glob("step*")] == ["step-00000007.safetensors"]
    assert read_checkpoint(tmp_path).step == 7


def test_a_full_disk_under_the_log_is_told(tmp_path, monkeypatch):
    def full(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter.flush", full)
    with pytest.raises(CheckpointError, match=r"the log in .* cannot be written: No space left"):
        train(tmp_path)


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(CheckpointError, match="run cannot be used"):
        train(tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_and_saves(number, tmp_path):
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    count = 0

    def signalled(model, batch, draws):
        nonlocal count
        count += 1
        if count == 18:
            signal.raise_signal(number)
        return loss(model, batch, draws)

    with pytest.raises(KeyboardInterrupt, match="stopped after step 18"):
        fit(net(), signalled, DATA, RECIPE, folder=tmp_path, about={"width": 16}, progress=False)
    assert read_checkpoint(tmp_path).step == 18
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert same(train(tmp_path).model, train().model)


def test_a_second_signal_stops_at_once(tmp_path):
    def impatient(model, batch, draws):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("went on")

    with pytest.raises(KeyboardInterrupt, match="at once"):
        fit(net(), impatient, DATA, RECIPE, folder=tmp_path, progress=False)
    assert newest_checkpoint(tmp_path) is None


def test_training_works_outside_the_main_thread():
    runs = []
    thread = threading.Thread(target=lambda: runs.append(train()))
    thread.start()
    thread.join()
    assert same(runs[0].model, train().model)


def test_pathlike_folders_are_as_good_as_texts(tmp_path: Path):
    assert train(str(tmp_path)).folder == tmp_path
