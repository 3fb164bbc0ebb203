from hypersd import feedback as feedback
from hypersd.api import compare as compare
from hypersd.api import load as load
from hypersd.api import rank as rank
from hypersd.feedback.reward.reward_model import RewardModel as RewardModel

__version__: str
__all__ = ["RewardModel", "compare", "feedback", "load", "rank"]
