"""Reward models: backbones, features, training on choices, the report on one."""
