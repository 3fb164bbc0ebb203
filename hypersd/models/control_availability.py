"""Availability of a family's ControlNets on this machine, before anything is loaded."""

from __future__ import annotations

from hypersd.models.control_specs import ControlMode
from hypersd.models.machine import Machine
from hypersd.models.registry import Availability, local_file, memory_shortage
from hypersd.models.specs import Family
from hypersd.utils.model_folders import adapter_problem


def control_availability(family: Family, mode: ControlMode, machine: Machine) -> Availability:
    """Check if a family's ControlNet for a mode can run; the models themselves are not checked."""
    try:
        spec = family.controlnet(mode)
    except ValueError as error:
        return Availability(False, str(error))
    file = local_file(family, spec.weights, machine)
    if file is not None:
        problem = adapter_problem(file)
        return Availability(not problem, problem)
    if spec.weights.repository is None:
        return Availability(
            False,
            f"{family.name} has no control weights in {family.folder}; "
            "train them with `python -m hypersd emoji train --stages control`",
        )
    if not machine.online:
        return Availability(False, f"{spec.weights.repository} is not downloaded, and there is no network")
    needed = family.memory_gb + spec.memory_gb
    shortage = memory_shortage(needed, machine, of_published=needed)
    return Availability(not shortage, shortage)
