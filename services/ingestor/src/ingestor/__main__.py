"""`python -m ingestor`."""

from ingestor.cli import main

main()
