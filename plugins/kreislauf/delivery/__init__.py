"""Rendering messages of every channel and handing them over, each at most once."""
