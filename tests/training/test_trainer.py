"""The training loop: resuming, several players, several processes, moving averages."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hypersd.training.trainer import Player, Step, Stop, Trainer, TrainingConfig


class Regression:
    """Fit y = W x; the "critic" only counts its turns."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model, self.critic = nn.Linear(4, 4, bias=False), nn.Linear(1, 1)
        self.players = [
            Player(name="model", network=self.model, learning_rate=0.05),
            Player(name="critic", network=self.critic, learning_rate=0.01),
        ]
        self.turns: list[str] = []

    def loss(self, player: str, batch: Tensor, step: Step) -> Mapping[str, Tensor]:
        self.turns.append(player)
        if player == "critic":
            return {"loss": self.critic.weight.square().sum()}
        return {"loss": (self.model(batch) - batch.flip(1)).square().mean()}

    def after_step(self, step: Step) -> None:
        self.turns.append("after")

    def state(self) -> Mapping[str, Tensor]:
        return {}

    def sample(self) -> None:
        return None


def batch(step: Step) -> Tensor:
    return torch.randn(8, 4, generator=step.generator)


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

    def stop_at_seven(step: Step) -> Tensor:
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
        def after_step(self, step: Step) -> None:
            super().after_step(step)
            if step.number == 4:
                raise Stop("it is good enough")

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
    other.players[0] = Player(name="model", network=other.model, learning_rate=0.1)
    with pytest.raises(ValueError, match="another training"):
        Trainer(config(tmp_path, 3)).run(other, batch)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    class Broken(Regression):
        def loss(self, player: str, batch: Tensor, step: Step) -> Mapping[str, Tensor]:
            return {"loss": super().loss(player, batch, step)["loss"] * float("nan")}

    with pytest.raises(FloatingPointError, match="not finite"):
        Trainer(config(tmp_path, 3)).run(Broken(), batch)


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
    objective.players = [Player(name="model", network=model, learning_rate=0.3)]
    objective.loss = lambda *_: {  # type: ignore[method-assign]
        "loss": (model(torch.eye(4)) - target.t()).square().sum()
    }
    Trainer(config(tmp_path, 300)).run(objective, batch)
    torch.testing.assert_close(model.weight.detach(), target, rtol=0, atol=0.2)


def test_two_processes_average_their_gradients(tmp_path: Path, root: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import torch, pathlib\n"
        "from tests.training.test_trainer import Regression, batch, config\n"
        "from hypersd.training.trainer import Trainer\n"
        "trainer = Trainer(config(pathlib.Path(sys.argv[2]), 5))\n"
        "objective = Regression()\n"
        "trainer.run(objective, batch)\n"
        "assert trainer.accelerator.num_processes == 2\n"
        "torch.save(objective.model.weight.detach(), f'{sys.argv[2]}/{trainer.accelerator.process_index}.pt')\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", str(script)]
    done = subprocess.run(
        [*command, str(root), str(tmp_path)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    alone = Regression()
    Trainer(config(tmp_path / "alone", 5)).run(alone, batch)
    assert not torch.equal(alone.model.weight.detach(), first), "each process must see a batch of its own"


class Teaching:
    """The student learns what its own layer says with other weights."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(4, 4, bias=False)
        self.players = [Player(name="model", network=self.model, learning_rate=0.05)]
        self.apart: list[float] = []

    def loss(self, player: str, batch: Tensor, step: Step) -> Mapping[str, Tensor]:
        with torch.no_grad():
            mine = self.model.weight.clone()
            self.model.weight.copy_(torch.eye(4))
            taught = self.model(batch)
            self.model.weight.copy_(mine)
        learned = self.model(batch)
        self.apart.append(float((learned - taught).detach().abs().mean()))
        return {"loss": (learned - taught).float().square().mean()}

    def after_step(self, step: Step) -> None: ...

    def state(self) -> Mapping[str, Tensor]:
        return {}

    def sample(self) -> None:
        return None


def test_in_half_precision_a_student_is_not_computed_with_its_teachers_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)  # on any machine, however slow it is there
    objective = Teaching()
    Trainer(config(tmp_path, 200, precision="bf16")).run(objective, batch)
    assert objective.apart[0] > 0.1
    assert objective.apart[-1] < 0.1 * objective.apart[0]
