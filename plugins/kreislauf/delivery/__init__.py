"""Rendering messages and handing them to a mail provider, each at most once."""
