"""The Feedback tab."""
