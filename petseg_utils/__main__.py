"""``python -m petseg_utils`` is ``petseg``."""

from petseg_utils.cli import main

main()
