"""Renderers: a Report becomes something a person or a monitor reads."""
