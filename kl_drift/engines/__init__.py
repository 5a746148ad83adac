"""Engines: a Snapshot becomes a sample or counts. They never hear of divergences."""
