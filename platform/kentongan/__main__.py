"""`python -m kentongan` is the `kentongan` command."""

from kentongan.cli import main

main()
