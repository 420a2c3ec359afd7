"""Closed forms that check the engine and share none of its code: NumPy and SciPy only."""
