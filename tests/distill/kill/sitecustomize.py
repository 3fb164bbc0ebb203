"""On the path of a process, kills it as it puts a file in its place whose path ends in HYPERSD_KILL_AT.

Trainings in it write a checkpoint after every step.
"""

import os
import signal
import sys


def kill(event: str, arguments: tuple[object, ...]) -> None:
    trainer = sys.modules.get("hypersd.training.trainer")
    if event == "open" and hasattr(trainer, "TrainingConfig"):
        trainer.TrainingConfig.__init__.__kwdefaults__["save_every"] = 0.0
    if event == "os.rename" and str(arguments[1]).endswith(os.environ["HYPERSD_KILL_AT"]):
        os.kill(os.getpid(), signal.SIGKILL)


if "HYPERSD_KILL_AT" in os.environ:
    sys.addaudithook(kill)
