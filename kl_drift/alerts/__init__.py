"""Alerts: who is told what, and by which channel."""
