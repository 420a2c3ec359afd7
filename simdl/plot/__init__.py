"""Drawing: arrays in, axes out. Knows no network and no engine."""
