from hypersd.feedback.tuning.tune import tune_model as tune

__all__ = ["tune"]
