"""The plan of a rebuild: which adapters it makes, from what, and when a stage is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypersd.cli.rebuild_plan import RebuildOptions, install, is_done, rebuild_plan, record_done, stage_hashes
from hypersd.models.families.embedded import EMOJI

OUT = Path("/out")
REWARD = (Path("/reward"), "abc")


def test_every_adapter_that_ships_is_made_and_every_stage_follows_its_needs() -> None:
    stages = rebuild_plan(RebuildOptions(out=OUT))
    files = {recipe.weights.file for spec in EMOJI.specs for recipe in spec.recipes if recipe.weights.file}
    installed = {f"adapters/{name}.safetensors" for stage in stages for name in stage.installs}
    assert files <= installed
    assert {"hyper-backward", "lcm", "tcd", "perflow", "turbo"} <= {name for stage in stages for name in stage.installs}
    for place, stage in enumerate(stages):
        assert set(stage.needs) <= {earlier.name for earlier in stages[:place]}
        assert all(file in stage.outputs for file in stage.installs.values())


def test_hyper_is_made_by_tscd_then_feedback_then_unified() -> None:
    stages = {stage.name: stage for stage in rebuild_plan(RebuildOptions(out=OUT, reward=REWARD))}
    assert list(stages)[:5] == ["family", "perception", "tscd", "feedback", "unified"]
    tuned = str(OUT / stages["feedback"].outputs[0])
    for name in ("unified", "one-step"):
        assert stages[name].words[stages[name].words.index("--adapter") + 1] == tuned
        assert stages[name].words[stages[name].words.index("--rank") + 1] == "24"
    assert stages["unified"].installs == {"hyper": "unified/unified.safetensors"}
    assert stages["backward"].needs == ("family", "unified")
    assert "feedback" not in {stage.name for stage in rebuild_plan(RebuildOptions(out=OUT))}


def test_a_stage_is_hashed_with_all_that_it_is_made_from() -> None:
    options = RebuildOptions(out=OUT, reward=REWARD)
    before = stage_hashes(rebuild_plan(options))
    other = stage_hashes(rebuild_plan(replace(options, reward=(Path("/reward"), "def"))))
    changed = {name for name in before if before[name] != other[name]}
    assert changed == {"feedback", "unified", "one-step", "merge", "backward", "evaluation"}
    assert not before.items() & stage_hashes(rebuild_plan(replace(options, seed=1))).items()


def test_a_stage_is_done_with_its_outputs_and_the_same_hash(tmp_path: Path) -> None:
    (stage,) = [stage for stage in rebuild_plan(RebuildOptions(out=tmp_path)) if stage.name == "lcm"]
    assert not is_done(stage, "x", tmp_path)
    record_done(stage, "x", 1.0, tmp_path)
    assert not is_done(stage, "x", tmp_path)
    (tmp_path / "lcm").mkdir()
    (tmp_path / "lcm" / "segments-1.safetensors").write_bytes(b"weights")
    assert is_done(stage, "x", tmp_path)
    assert not is_done(stage, "y", tmp_path)
    install(stage, tmp_path)
    assert (tmp_path / "training" / "family" / "adapters" / "lcm.safetensors").read_bytes() == b"weights"
