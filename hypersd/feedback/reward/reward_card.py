"""The card of a reward model for the Hub: its front matter, how to load it, and its report."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from hypersd.feedback.reward.reward_report import RewardReport, markdown

CARD = "README.md"

_LOADING = """## Loading

```python
import hypersd

reward = hypersd.RewardModel.load("PATH OF THIS FOLDER")
scores = reward.score(pictures, prompts)  # the higher, the more people would prefer the picture
```

The folder `second` has a second model, of other votes: it shows when a generator has learned to please only the first.
"""


def reward_card(report: RewardReport, backbone: Path | str) -> str:
    """The card in Markdown.

    Args:
        report: on the model.
        backbone: a folder, which is not named, or a repository of the Hub.
    """
    repository = "" if Path(backbone).exists() else str(backbone)
    accuracy = EvalResult(
        task_type="text-to-image",
        dataset_type="votes",
        dataset_name=f"{report.votes} {report.kind} votes ({report.data[:12]})",
        metric_type="accuracy",
        metric_value=round(report.accuracy.value, 4),
        metric_name="accuracy on unseen prompts",
    )
    front = ModelCardData(
        license="other",
        license_name="that of the backbone",
        library_name="hypersd",
        base_model=repository or None,
        tags=["reward-model", "preference", "text-to-image", report.kind],
        model_name="reward model",
        eval_results=[accuracy],
    )
    voters = "people" if report.kind == "human" else "simulated voters"
    said = f"It scores pictures by how much {voters} would prefer them for a prompt. It was trained by `reward train`."
    return f"---\n{front.to_yaml()}\n---\n\n# Reward model\n\n{said}\n\n{_LOADING}\n{markdown(report)}\n"
