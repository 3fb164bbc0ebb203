"""Processes held to a share of one core, by Linux's control groups; it needs root."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 20_000
"""A process that has used its share waits until the next period, so a long period would add to each request's time."""


@contextmanager
def cpu_quota(pid: int, share: float) -> Generator[None]:
    """Within this context a process gets this share of one core, all its threads together.

    Raises:
        OSError: there is no controller of the processor that this user may write to.
    """
    name, quota = f"hypersd-{secrets.token_hex(4)}", round(share * _PERIOD_US)
    old = (_ROOT / "cpu").is_dir()  # version 1 of control groups has a folder for each controller
    parent = _ROOT / "cpu" if old else _ROOT
    if not old:
        (parent / "cgroup.subtree_control").write_text("+cpu")
    group = parent / name
    group.mkdir()
    try:
        if old:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        if Path(f"/proc/{pid}").exists():
            (parent / "cgroup.procs").write_text(str(pid))
        while (group / "cgroup.procs").read_text():
            time.sleep(0.01)
        group.rmdir()
