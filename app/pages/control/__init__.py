"""The Control tab."""
