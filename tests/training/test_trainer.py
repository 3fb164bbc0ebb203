"""The training loop: resuming, several players, several processes, moving averages."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hypersd.training.objective import Objective, StepContext, StopTraining, TrainedNetwork
from hypersd.training.trainer import DivergedError, Trainer
from hypersd.training.training_config import TrainingConfig, grids
from tests.processes import Processes


class Regression(Objective[Tensor]):
    """Fit y = W x; the "critic" only counts its turns."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model, self.critic = nn.Linear(4, 4, bias=False), nn.Linear(1, 1)
        self.networks = [
            TrainedNetwork(name="model", module=self.model, learning_rate=0.05),
            TrainedNetwork(name="critic", module=self.critic, learning_rate=0.01),
        ]
        self.turns: list[str] = []

    def loss(self, network: str, batch: Tensor, step: StepContext) -> Mapping[str, Tensor]:
        self.turns.append(network)
        if network == "critic":
            return {"loss": self.critic.weight.square().sum()}
        return {"loss": (self.model(batch) - batch.flip(1)).square().mean()}

    def after_step(self, step: StepContext) -> None:
        self.turns.append("after")


def batch(step: StepContext) -> Tensor:
    return step.normal((8 // step.shards, 4))


def config(out: Path, steps: int, **changes: object) -> TrainingConfig:
    return TrainingConfig(**{"out": out, "steps": steps, "precision": "no", "cpu": True, "decay_from": 1.0, **changes})


def test_players_take_turns_and_the_loss_falls(tmp_path: Path) -> None:
    objective = Regression()
    last = Trainer(config(tmp_path, 200)).run(objective, batch)
    assert objective.turns[:6] == ["model", "critic", "after"] * 2
    assert last["model"] < 0.05
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 200
    assert lines[0]["model"] > lines[-1]["model"]


class StoppedError(Exception):
    pass


def test_a_resumed_run_repeats_what_an_unbroken_one_does(tmp_path: Path) -> None:
    unbroken = Regression()
    Trainer(config(tmp_path / "a", 12, ema_decay=0.9)).run(unbroken, batch)

    def stop_at_seven(step: StepContext) -> Tensor:
        if step.number == 7:
            raise StoppedError
        return batch(step)

    with pytest.raises(StoppedError):
        Trainer(config(tmp_path / "b", 12, ema_decay=0.9, save_every=0)).run(Regression(), stop_at_seven)
    resumed = Regression()
    Trainer(config(tmp_path / "b", 12, ema_decay=0.9)).run(resumed, batch)
    assert resumed.turns.count("after") == 5
    torch.testing.assert_close(resumed.model.weight, unbroken.model.weight, rtol=0, atol=0)


def test_a_training_that_ended_itself_is_over_and_keeps_its_reason(tmp_path: Path) -> None:
    class Enough(Regression):
        def after_step(self, step: StepContext) -> None:
            super().after_step(step)
            if step.number == 4:
                raise StopTraining("it is good enough")

    Trainer(config(tmp_path, 12)).run(Enough(), batch)
    for _ in range(2):
        again = Enough()
        Trainer(config(tmp_path, 12)).run(again, batch)
        assert again.turns == []
        numbers = json.loads((tmp_path / "state" / "state.json").read_text())
        assert (numbers["step"], numbers["stopped"]) == (5, "it is good enough")


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    Trainer(config(tmp_path, 2)).run(Regression(), batch)
    other = Regression()
    other.model = nn.Linear(4, 3)
    other.networks[0] = TrainedNetwork(name="model", module=other.model, learning_rate=0.05)
    with pytest.raises(ValueError, match="another training"):
        Trainer(config(tmp_path, 2)).run(other, batch)


class Breaking(Regression):
    """Something is not finite at step number `at`: the loss of the player, its gradient, or its weights."""

    def __init__(self, at: int, network: str = "model", what: str = "loss", value: float = float("nan")) -> None:
        super().__init__()
        self.at, self.network, self.what, self.value = at, network, what, value

    def loss(self, network: str, batch: Tensor, step: StepContext) -> Mapping[str, Tensor]:
        losses = dict(super().loss(network, batch, step))
        if step.number == self.at and network == self.network:
            if self.what == "loss":
                losses["loss"] = losses["loss"] * self.value
            if self.what == "logged":
                losses["extra"] = torch.tensor(self.value)
            if self.what == "gradient":  # of the square root at 0: infinite, where the value is 0
                losses["loss"] = losses["loss"] + (losses["loss"] * 0).sqrt()
        return losses

    def after_step(self, step: StepContext) -> None:
        super().after_step(step)
        if self.what == "weight" and step.number == self.at:
            with torch.no_grad():
                self.model.weight[0, 0] = self.value


@pytest.mark.parametrize("network", ["model", "critic"])
@pytest.mark.parametrize(
    ("what", "value"),
    [("loss", float("nan")), ("loss", float("inf")), ("gradient", 0.0), ("logged", float("nan")), ("weight", 0.0)],
)
def test_what_is_not_finite_ends_the_run_and_the_last_good_checkpoint_resumes(
    tmp_path: Path, network: str, what: str, value: float
) -> None:
    if what == "weight":
        value = float("nan") if network == "model" else float("inf")
    unbroken = Regression()
    Trainer(config(tmp_path / "unbroken", 9, ema_decay=0.9)).run(unbroken, batch)
    out = tmp_path / "out"
    with pytest.raises(DivergedError, match=r"is not finite at step 6.*out has step 5,.*another seed") as raised:
        Trainer(config(out, 9, ema_decay=0.9, save_every=0)).run(Breaking(5, network, what, value), batch)
    assert isinstance(raised.value, ValueError), "bad input to the command line"
    assert "\n" not in str(raised.value)
    assert json.loads((out / "state" / "state.json").read_text())["step"] == 5
    resumed = Regression()
    Trainer(config(out, 9, ema_decay=0.9)).run(resumed, batch)
    torch.testing.assert_close(resumed.model.weight, unbroken.model.weight, rtol=0, atol=0)


def test_without_a_checkpoint_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"model is not finite at step 1,.*holds no checkpoint yet"):
        Trainer(config(tmp_path, 3)).run(Breaking(0), batch)
    assert not (tmp_path / "state").exists()


def train_until_one_breaks(out: Path) -> None:
    trainer = Trainer(config(out, 5, save_every=0))
    rank = trainer.accelerator.process_index
    try:
        trainer.run(Breaking(3 if rank == 1 else 99), batch)
    except DivergedError as error:
        (out / f"{rank}.txt").write_text(str(error))


def test_two_processes_end_together_where_one_of_them_breaks(tmp_path: Path, processes: Processes) -> None:
    for done in processes.run_together(2, train_until_one_breaks, tmp_path):
        assert done.returncode == 0, done.stderr[-2000:]
    for rank in (0, 1):
        assert "not finite at step 4" in (tmp_path / f"{rank}.txt").read_text()
    assert json.loads((tmp_path / "state" / "state.json").read_text())["step"] == 3


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"seed": 1}, "seed 0, not 1"), ({"steps": 5}, "steps 4, not 5"), ({"ema_decay": 0.5}, "ema_decay null, not 0.5")],
)
def test_a_finished_training_is_not_resumed_with_other_settings(
    tmp_path: Path, changes: dict[str, object], name: str
) -> None:
    Trainer(config(tmp_path, 4)).run(Regression(), batch, data="abc")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ValueError, match=f"was begun with {name}; .*another folder"):
        Trainer(config(tmp_path, **{"steps": 4, **changes})).run(Regression(), batch, data="abc")
    with pytest.raises(ValueError, match='data "abc", not "def"'):
        Trainer(config(tmp_path, 4)).run(Regression(), batch, data="def")
    faster = Regression()
    faster.networks[0] = TrainedNetwork(name="model", module=faster.model, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"players\.model\.learning_rate 0\.05, not 0\.1"):
        Trainer(config(tmp_path, 4)).run(faster, batch, data="abc")
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    Trainer(config(tmp_path, 4)).run(Regression(), batch, data="abc")


@pytest.mark.parametrize("damage", ["{", "[1, 2]", "null", '"run"'])
def test_a_damaged_record_is_named(tmp_path: Path, damage: str) -> None:
    Trainer(config(tmp_path, 2)).run(Regression(), batch)
    (tmp_path / "run.json").write_text(damage)
    with pytest.raises(ValueError, match=r"run\.json is .*the record of a training"):
        Trainer(config(tmp_path, 2)).run(Regression(), batch)


def test_a_training_without_a_record_is_not_gone_on_with(tmp_path: Path) -> None:
    Trainer(config(tmp_path, 2)).run(Regression(), batch)
    (tmp_path / "run.json").unlink()
    with pytest.raises(ValueError, match=r"without run\.json"):
        Trainer(config(tmp_path, 2)).run(Regression(), batch)


class Killed(Regression):
    """Ends its process without a word after a step."""

    def __init__(self, kill_at: int) -> None:
        super().__init__()
        self.kill_at = kill_at

    def after_step(self, step: StepContext) -> None:
        if step.number == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def train_until_killed(out: Path, kill_at: int) -> None:
    Trainer(config(out, 9, ema_decay=0.9, save_every=0)).run(Killed(kill_at), batch)


@pytest.mark.parametrize("kill_at", [0, 5, 8])
def test_a_run_that_is_killed_at_any_step_comes_to_the_same_weights(
    tmp_path: Path, processes: Processes, kill_at: int
) -> None:
    unbroken = Regression()
    Trainer(config(tmp_path / "unbroken", 9, ema_decay=0.9)).run(unbroken, batch)
    out = tmp_path / "out"
    killed = processes.run(train_until_killed, out, kill_at)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    with (out / "log.jsonl").open("a") as file:
        file.write('{"step": 1, "half')  # as a kill while it is written may leave it
    resumed = Regression()
    Trainer(config(out, 9, ema_decay=0.9)).run(resumed, batch)
    torch.testing.assert_close(resumed.model.weight, unbroken.model.weight, rtol=0, atol=0)
    assert [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()] == [9]


@pytest.mark.parametrize("steps", [1, 39, 40, 41, 43, 150, 399, 1500])
def test_a_training_draws_four_grids_at_most_and_a_tiny_one_none(steps: int) -> None:
    every = grids(steps)
    assert (steps // every if every else 0) in ({0} if steps < 40 else {3, 4})


def test_gradients_laid_out_unlike_their_weights_are_applied_right(tmp_path: Path) -> None:
    """The fused optimiser reads memory in order; a transposed gradient once scrambled every update."""

    class Transposed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 3))

        def forward(self, inputs: Tensor) -> Tensor:
            return self.weight.t().contiguous() @ inputs

    target = torch.arange(12.0).reshape(4, 3)
    objective = Regression()
    model = Transposed()
    objective.networks = [TrainedNetwork(name="model", module=model, learning_rate=0.3)]
    objective.loss = lambda *_: {  # type: ignore[method-assign]
        "loss": (model(torch.eye(4)) - target.t()).square().sum()
    }
    Trainer(config(tmp_path, 300)).run(objective, batch)
    torch.testing.assert_close(model.weight.detach(), target, rtol=0, atol=0.2)


def train_together(out: Path) -> None:
    trainer = Trainer(config(out, 5))
    objective = Regression()
    trainer.run(objective, batch)
    assert trainer.accelerator.num_processes == 2
    torch.save(objective.model.weight.detach(), out / f"{trainer.accelerator.process_index}.pt")


def test_two_processes_do_what_one_does(tmp_path: Path, processes: Processes) -> None:
    for done in processes.run_together(2, train_together, tmp_path):
        assert done.returncode == 0, done.stderr[-2000:]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    alone = Regression()
    Trainer(config(tmp_path / "alone", 5)).run(alone, batch)
    torch.testing.assert_close(alone.model.weight.detach(), first)


@pytest.mark.parametrize("precision", ["no", "fp16"])
def test_accumulated_gradients_are_those_of_one_larger_batch(tmp_path: Path, precision: str) -> None:
    whole, passes = Regression(), Regression()
    changes = {"max_grad_norm": 1e9, "precision": precision}
    at_once = Trainer(config(tmp_path / "whole", 5, **changes)).run(whole, batch)
    in_four = Trainer(config(tmp_path / "passes", 5, accumulate=4, **changes)).run(passes, batch)
    assert passes.turns == (["model"] * 4 + ["critic"] * 4 + ["after"]) * 5
    assert in_four == pytest.approx(at_once, rel=1e-5 if precision == "no" else 1e-2)
    near = {"rtol": 1e-5, "atol": 1e-6} if precision == "no" else {"rtol": 0, "atol": 2e-2}
    torch.testing.assert_close(passes.model.weight, whole.model.weight, **near)


def test_a_turn_finds_what_the_turn_before_left_of_the_same_samples(tmp_path: Path) -> None:
    class Judged(Regression):
        def loss(self, network: str, batch: Tensor, step: StepContext) -> Mapping[str, Tensor]:
            if network == "model":
                self.shown = batch
            assert self.shown is batch
            return super().loss(network, batch, step)

    Trainer(config(tmp_path, 2, accumulate=4)).run(Judged(), batch)


def test_a_step_whose_scaled_gradients_overflow_is_dropped_and_the_run_goes_on(tmp_path: Path) -> None:
    class Steep(Regression):
        def loss(self, network: str, batch: Tensor, step: StepContext) -> Mapping[str, Tensor]:
            losses = super().loss(network, batch, step)
            return {"loss": losses["loss"] * (1e36 if network == "model" and step.number == 0 else 1)}

    objective = Steep()
    before = objective.model.weight.detach().clone()
    Trainer(config(tmp_path / "a", 1, precision="fp16")).run(objective, batch)
    assert torch.equal(objective.model.weight, before)
    numbers = json.loads((tmp_path / "a" / "state" / "state.json").read_text())
    assert numbers["scales"]["model"]["scale"] == 2.0**15
    Trainer(config(tmp_path / "b", 3, precision="fp16")).run(objective, batch)
    assert not torch.equal(objective.model.weight, before)


def test_an_optimiser_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="adamw8bit needs"):
        Trainer(config(tmp_path, 1, optimizer="adamw8bit")).run(Regression(), batch)


class Teaching(Objective[Tensor]):
    """The student learns what its own layer says with other weights."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(4, 4, bias=False)
        self.networks = [TrainedNetwork(name="model", module=self.model, learning_rate=0.05)]
        self.apart: list[float] = []

    def loss(self, network: str, batch: Tensor, step: StepContext) -> Mapping[str, Tensor]:
        with torch.no_grad():
            mine = self.model.weight.clone()
            self.model.weight.copy_(torch.eye(4))
            taught = self.model(batch)
            self.model.weight.copy_(mine)
        learned = self.model(batch)
        self.apart.append(float((learned - taught).detach().abs().mean()))
        return {"loss": (learned - taught).float().square().mean()}


def test_in_half_precision_a_student_is_not_computed_with_its_teachers_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)  # on any machine, however slow it is there
    objective = Teaching()
    Trainer(config(tmp_path, 200, precision="bf16")).run(objective, batch)
    assert objective.apart[0] > 0.1
    assert objective.apart[-1] < 0.1 * objective.apart[0]
