from hypersd.feedback.contestant import tune_model as tune

__all__ = ["tune"]
