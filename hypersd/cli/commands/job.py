"""`job`: a round of feedback on a machine of Hugging Face."""

from __future__ import annotations

import argparse
from typing import Any

from hypersd.cli.arguments import counted
from hypersd.cli.options import add_family, add_json
from hypersd.cli.output import emit, say
from hypersd.models.registry import family
from hypersd.models.specs import Capability


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "job",
        help="run `loop` as a Hugging Face Job, on published votes",
        description="Start a Hugging Face Job that runs `loop` with a Space's code on published votes, and uploads the "
        "rounds and the contestants. The owner of the result pays for it. Log in first, with `hf auth login`.",
    )
    parser.add_argument("--space", required=True, metavar="OWNER/NAME", help="a Space of `deploy`, for its code")
    parser.add_argument("--votes", required=True, metavar="OWNER/NAME", help="the dataset of HYPERSD_PUBLISH")
    parser.add_argument("--result", required=True, metavar="OWNER/NAME", help="the model repository for the result")
    parser.add_argument("--rounds", type=counted(1, 100, "rounds"), default=1, metavar="N", help="default: 1")
    parser.add_argument("--flavor", metavar="NAME", default="cpu-upgrade", help="the machine (default: cpu-upgrade)")
    parser.add_argument("--timeout", metavar="TIME", default="3h", help="such as 90m; then it is ended (default: 3h)")
    parser.add_argument("--dry-run", action="store_true", help="send nothing; show the request")
    add_family(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Start the Job, or show the request."""
    family(options.family).require(Capability.JUDGE, "run the loop")
    from hypersd.deploy.loop_job import JobPlan, send  # the Hub's client takes half a second to import

    plan = JobPlan(
        space=options.space,
        votes=options.votes,
        result=options.result,
        family=options.family,
        rounds=options.rounds,
        flavor=options.flavor,
        timeout=options.timeout,
    )
    if options.dry_run:
        if options.json:
            emit(plan.facts)
        else:
            say(f"{plan.text}\n\nThis would be sent to the Hub; nothing was.")
        return 0
    from huggingface_hub import HfApi

    from hypersd.utils.hub_client import limit_silence, logged_in_token

    token = logged_in_token()
    limit_silence()
    url = send(HfApi(), plan, token)
    if options.json:
        emit({"url": url, **plan.facts})
    else:
        say(f"{url} runs now; its result comes to https://huggingface.co/{plan.result}")
    return 0
