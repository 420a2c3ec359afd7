"""What the longer commands do; `simdl.cli` declares them."""
