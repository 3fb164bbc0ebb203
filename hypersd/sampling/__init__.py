"""Sampling: requests, planning, denoising, records and pictures."""
