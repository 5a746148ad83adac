"""``python -m kl_drift`` is ``kl-drift``."""

from kl_drift.cli import main

main()
