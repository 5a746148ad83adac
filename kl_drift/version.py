"""The version of this kl-drift: what it writes into its artefacts."""

__version__ = "0.1.0"
