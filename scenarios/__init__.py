"""Scenarios: one phenomenon a file. Installed as ``simdl._scenarios``."""
