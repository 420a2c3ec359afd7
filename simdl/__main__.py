"""`python -m simdl` is the command line."""

from simdl.cli import main

main()
