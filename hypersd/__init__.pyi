from hypersd import feedback as feedback
from hypersd.api import compare as compare
from hypersd.api import load as load
from hypersd.api import rank as rank
from hypersd.feedback.reward.reward_model import RewardModel as RewardModel
from hypersd.sampling.request import SamplingParameters as SamplingParameters

__version__: str
__all__ = ["RewardModel", "SamplingParameters", "compare", "feedback", "load", "rank"]
