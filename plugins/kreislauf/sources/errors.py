"""What can go wrong with a source, by what helps: the retry rules of the DAGs go by these."""

from __future__ import annotations


class SourceError(Exception):
    """A source could not be read. The message names the connection or file, never a record."""


class Unauthorized(SourceError):
    """The source refuses us. Trying again is useless until somebody changes the connection."""


class Throttled(SourceError):
    """The source asks us to slow down. `wait`: the seconds it named, if it did."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Unavailable(SourceError):
    """No answer, or an error of the source itself: another try may help."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class BadAnswer(SourceError):
    """An answer that cannot be what it should be: the source has changed, or a file is damaged."""
