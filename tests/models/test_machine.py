"""Memory and precision that a machine states."""

from __future__ import annotations

from pathlib import Path

from hypersd.models.machine import Machine, free_memory, has_bfloat16


def test_a_cpu_states_its_free_memory() -> None:
    machine = Machine.here()
    assert machine.offline, "the tests set HF_HUB_OFFLINE"
    assert machine.memory_gb > 0
    assert machine.device != "cpu" or (machine.precision, machine.memory_kind) == ("float32", "free memory")


def test_a_container_s_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("100\n")
    (tmp_path / "memory.max").write_text("1100\n")
    assert free_memory(tmp_path) == 1000
    (tmp_path / "memory.current").write_text("1200\n")
    assert free_memory(tmp_path) == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path) > 1e6, "no limit"
    assert free_memory(tmp_path / "nowhere") > 1e6


def test_the_processor_s_flags_tell_of_bfloat16(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("flags\t\t: fpu avx2 avx512f amx_bf16 amx_tile\n")
    assert has_bfloat16(file)
    file.write_text("flags\t\t: fpu avx2 avx512f\n")
    assert not has_bfloat16(file)
