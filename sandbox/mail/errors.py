"""SendGrid's error bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#message."


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: the field it concerns, with the index where there are several."""

    message: str
    field: str | None = None

    def body(self) -> dict[str, Any]:
        if self.field is None:
            return {"message": self.message, "field": None, "help": None}
        anchor = ".".join(part for part in self.field.split(".") if not part.isdigit())
        return {"message": self.message, "field": self.field, "help": _HELP + anchor}


class MailError(Exception):
    """A request the provider refuses as a whole."""

    def __init__(self, status: int, *problems: Problem | str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.problems = [Problem(one) if isinstance(one, str) else one for one in problems]
        self.headers = headers or {}
        super().__init__("; ".join(problem.message for problem in self.problems))

    @property
    def body(self) -> dict[str, Any]:
        return {"errors": [problem.body() for problem in self.problems]}
