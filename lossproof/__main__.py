"""``python -m lossproof``: the command line."""

from lossproof.cli import main

main()
