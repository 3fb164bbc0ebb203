"""The model card, from a small table and records written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypersd.cli.model_card import model_card
from hypersd.cli.rebuild_plan import RebuildStage, record_done

STAGE = RebuildStage(name="lcm", words=("distill", "lcm"), outputs=("lcm/a.safetensors",), installs={"lcm": "lcm/a"})


def test_its_tables_are_the_results_and_the_records(tmp_path: Path) -> None:
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "metrics.csv").write_text(
        "model,steps,object,object_low,object_high,pair,pair_low,pair_high,background,background_low,background_high,"
        "match,clip,diversity,fid,seconds,n\n"
        "base,25,0.95,0.9,0.99,,,,1,,,0.9104,85.251,,0.5,1.234,64\n"
    )
    record_done(STAGE, "x", 90, tmp_path)
    card = model_card([STAGE], tmp_path, "python -m hypersd emoji rebuild --out OUT")
    assert "```bash\npython -m hypersd emoji rebuild --out OUT\n```" in card
    assert "| lcm | lcm | 1.5 | `python -m hypersd distill lcm` |" in card
    assert "| model | steps | object | pair | background | match | clip | diversity | fid | seconds | n |" in card
    assert "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n| base" in card
    assert "| base | 25 | 95.0% [90, 99] | – | 100.0% | 0.910 | 85.25 | – | 0.50 | 1.23 | 64 |" in card
    (tmp_path / "stages" / "lcm.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"lcm\.json"):
        model_card([STAGE], tmp_path, "x")
