"""What SendGrid refuses in a request to /v3/mail/send, and how it says so.

Limits are those documented for the endpoint (1,000 personalizations and recipients, 10,000 bytes
of substitutions and of custom arguments a personalization, 10 categories of 255 characters, 72
hours ahead); sentences and field names follow its list of errors. One problem anywhere refuses
the whole request.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from sandbox.mail.errors import Problem

MAX_BYTES = 30 * 1024 * 1024
MAX_RECIPIENTS = 1000
MAX_SUBSTITUTION_BYTES = 10_000
MAX_CUSTOM_ARGS_BYTES = 10_000
MAX_CATEGORIES = 10
MAX_CATEGORY_LENGTH = 255
MAX_GROUPS_TO_DISPLAY = 25
FURTHEST_SECONDS = 72 * 3600

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=.{{1,254}}$)(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[A-Za-z]{{2,63}}")
_HEADER_NAME = re.compile(r"[!-~]+")
_RESERVED_HEADERS = frozenset(
    {
        "x-sg-id",
        "x-sg-eid",
        "received",
        "dkim-signature",
        "content-type",
        "content-transfer-encoding",
        "to",
        "from",
        "subject",
        "reply-to",
        "cc",
        "bcc",
    }
)


def is_address(value: Any) -> bool:
    """Whether SendGrid takes it for an address: ASCII, with a domain of at least two labels."""
    return isinstance(value, str) and _ADDRESS.fullmatch(value.strip()) is not None


def problems(payload: Any, now: int) -> list[Problem]:
    """Everything that is wrong with a request; empty if it is accepted. `now` in seconds since 1970."""
    if not isinstance(payload, dict):
        return [Problem("Bad Request")]
    return [
        *_personalizations(payload, now),
        *_sender(payload),
        *_subject(payload),
        *_content(payload),
        *_attachments(payload),
        *_template(payload),
        *_headers(payload.get("headers"), "headers"),
        *_categories(payload.get("categories")),
        *_strings(
            payload.get("custom_args"), "custom_args", "All values of custom arguments object must be strings"
        ),
        *_send_at(payload.get("send_at"), "send_at", now),
        *_unsubscribe_group(payload.get("asm")),
        *_settings(payload),
    ]


def _personalizations(payload: dict[str, Any], now: int) -> Iterator[Problem]:
    given = payload.get("personalizations")
    if given is None:
        yield Problem(
            "The personalizations field is required and must have at least one personalization.",
            "personalizations",
        )
        return
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        yield Problem("You must have at least one personalization.", "personalizations")
        return
    if len(given) > MAX_RECIPIENTS:
        yield Problem(
            f"The personalization block is limited to {MAX_RECIPIENTS} personalizations per API request. You"
            f" have provided {len(given)} personalizations. Please consider splitting this into multiple"
            " requests and resending your request.",
            "personalizations",
        )
        return
    common_args = payload.get("custom_args") or {}
    if any(_strings(common_args, "custom_args", "")):
        common_args = {}  # that it is wrong is reported once, at the message's level
    seen: set[str] = set()
    recipients = 0
    for index, one in enumerate(given):
        field = f"personalizations.{index}"
        yield from _recipients(one, field, seen)
        recipients += sum(len(_list(one.get(kind))) for kind in ("to", "cc", "bcc"))
        yield from _substitutions(one.get("substitutions"), f"{field}.substitutions")
        yield from _custom_args(one.get("custom_args"), common_args, f"{field}.custom_args")
        yield from _headers(one.get("headers"), f"{field}.headers")
        yield from _send_at(one.get("send_at"), f"{field}.send_at", now)
        if "subject" in one and not _is_text(one["subject"]):
            yield Problem(_SUBJECT_TEXT, f"{field}.subject")
    if recipients > MAX_RECIPIENTS:
        yield Problem(
            f"There is a limit of {MAX_RECIPIENTS} total recipients (to + cc + bcc) per request.",
            "personalizations",
        )


def _recipients(one: dict[str, Any], field: str, seen: set[str]) -> Iterator[Problem]:
    if not one.get("to"):
        yield Problem("The to parameter is required for all personalization objects.", f"{field}.to")
    for kind in ("to", "cc", "bcc"):
        if not isinstance(one.get(kind) or [], list):
            yield Problem(f"The {kind} parameter must be an array of email objects.", f"{field}.{kind}")
        for recipient in _list(one.get(kind)):
            address = recipient.get("email") if isinstance(recipient, dict) else None
            if not is_address(address):
                yield Problem("Does not contain a valid address.", f"{field}.{kind}")
            elif not isinstance(recipient.get("name", ""), str):
                yield Problem("The name of a recipient must be a string.", f"{field}.{kind}")
            elif address.strip().lower() in seen:
                yield Problem(
                    "Each unique email address in the personalizations array should only be included once."
                    f" You have included [{address}] more than once.",
                    f"{field}.{kind}",
                )
            else:
                seen.add(address.strip().lower())


def _substitutions(given: Any, field: str) -> Iterator[Problem]:
    sentence = (
        "The substitution values must be an object of key/value pairs, where the values are all strings."
    )
    problem = next(_strings(given, field, sentence), None)
    if problem:
        yield problem
    elif given and _bytes(given) > MAX_SUBSTITUTION_BYTES:
        yield Problem(
            f"The total collective size of your substitutions may not exceed {MAX_SUBSTITUTION_BYTES:,} bytes"
            f" per personalization object. You have provided {_bytes(given):,} bytes.",
            field,
        )


def _custom_args(given: Any, common: dict[str, Any], field: str) -> Iterator[Problem]:
    problem = next(_strings(given, field, "All values of custom arguments object must be strings"), None)
    if problem:
        yield problem
    elif _bytes(common | (given or {})) > MAX_CUSTOM_ARGS_BYTES:
        yield Problem(
            "The combined size of both global and personalization custom arguments may not exceed"
            f" {MAX_CUSTOM_ARGS_BYTES:,} bytes per personalization.",
            field,
        )


def _headers(given: Any, field: str) -> Iterator[Problem]:
    problem = next(_strings(given, field, "All values of the headers object must be strings."), None)
    if problem:
        yield problem
        return
    for name in given or {}:
        if not _HEADER_NAME.fullmatch(name):
            yield Problem("Header keys cannot contain non-ASCII characters or empty spaces.", field)
        elif name.lower() in _RESERVED_HEADERS:
            yield Problem(f"Header cannot be one of the reserved keys. [{name}]", field)


def _sender(payload: dict[str, Any]) -> Iterator[Problem]:
    sender = payload.get("from")
    if sender is None:
        yield Problem(
            "The from object must be provided for every email send. It is an object that requires the email"
            ' parameter, but may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or'
            ' {"email" : "example@example.com", "name" : "Example Recipient"}.',
            "from.email",
        )
    elif not isinstance(sender, dict) or not is_address(sender.get("email")):
        yield Problem("The from email does not contain a valid address.", "from.email")
    elif not isinstance(sender.get("name", ""), str):
        yield Problem("The name of the sender must be a string.", "from.name")
    reply_to = payload.get("reply_to")
    if reply_to is not None and not (isinstance(reply_to, dict) and is_address(reply_to.get("email"))):
        yield Problem("The reply_to email does not contain a valid address.", "reply_to.email")


_SUBJECT_TEXT = "The subject of your email must be a string at least one character in length."


def _subject(payload: dict[str, Any]) -> Iterator[Problem]:
    if "subject" in payload:
        if not _is_text(payload["subject"]):
            yield Problem(_SUBJECT_TEXT, "subject")
        return
    given = payload.get("personalizations")
    if not isinstance(given, list) or not all(isinstance(one, dict) and one.get("subject") for one in given):
        yield Problem(
            "The subject is required. You can get around this requirement if you use a template with a"
            " subject defined or if every personalization has a subject defined.",
            "subject",
        )


def _content(payload: dict[str, Any]) -> Iterator[Problem]:
    content = payload.get("content")
    if content is None:
        if not payload.get("template_id"):
            yield Problem("The content param is required.", "content")
        return
    if not isinstance(content, list) or not content or not all(isinstance(part, dict) for part in content):
        yield Problem(
            "There must be at least one defined content block. We typically suggest both text/plain and"
            " text/html blocks are included, but only one block is required.",
            "content",
        )
        return
    order = {"text/plain": 0, "text/html": 1}
    ranks = []
    for index, part in enumerate(content):
        kind = part.get("type")
        if not _is_text(kind):
            yield Problem(
                "Your content type must be a string with length of at least one character.",
                f"content.{index}.type",
            )
            continue
        if any(character in kind for character in ";\r\n"):
            yield Problem("The content type cannot contain ';', or CRLF characters.", f"content.{index}.type")
        if not _is_text(part.get("value")):
            yield Problem(
                "The content value must be a string at least one character in length.",
                f"content.{index}.value",
            )
        ranks.append(order.get(kind.split(";")[0], 2))
    if ranks != sorted(ranks):
        yield Problem(
            "Following RFC 1341, section 7.2, if either text/html or text/plain are to be sent in your email:"
            " text/plain needs to be first, followed by text/html, followed by any other content.",
            "content",
        )


def _attachments(payload: dict[str, Any]) -> Iterator[Problem]:
    if not isinstance(payload.get("attachments") or [], list):
        yield Problem("The attachments must be an array of objects.", "attachments")
    for index, attachment in enumerate(_list(payload.get("attachments"))):
        field = f"attachments.{index}"
        try:
            base64.b64decode(attachment["content"], validate=True)
        except (KeyError, TypeError, ValueError):
            yield Problem("The attachment content must be base64 encoded.", f"{field}.content")
            continue
        if not isinstance(attachment.get("filename"), str):
            yield Problem("The filename of your attachment must be a string.", f"{field}.filename")


def _template(payload: dict[str, Any]) -> Iterator[Problem]:
    if (template := payload.get("template_id")) is not None:
        yield Problem(
            f"The Template ID must be a valid template id for your account. You provided {template}.",
            "template_id",
        )


def _categories(given: Any) -> Iterator[Problem]:
    if given is None:
        return
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        yield Problem("Categories must be an array of strings.", "categories")
        return
    if len(given) > MAX_CATEGORIES:
        yield Problem(
            f"There is a limit of {MAX_CATEGORIES} categories for each email that is sent."
            f" You provided {len(given)} categories.",
            "categories",
        )
    if len(set(given)) < len(given):
        yield Problem("The categories must be a unique list.", "categories")
    for one in given:
        if len(one) > MAX_CATEGORY_LENGTH:
            yield Problem(
                f"Each category must not be longer than {MAX_CATEGORY_LENGTH} characters.", "categories"
            )
        if not one.isascii():
            yield Problem("Categories can not contain non-ascii characters", "categories")


def _send_at(given: Any, field: str, now: int) -> Iterator[Problem]:
    if given is None:
        return
    if not isinstance(given, int) or isinstance(given, bool):
        yield Problem("The send_at parameter is expecting a Unix timestamp as an integer.", field)
    elif given > now + FURTHEST_SECONDS:
        yield Problem("Scheduling more than 72 hours in advance is forbidden.", field)


def _unsubscribe_group(given: Any) -> Iterator[Problem]:
    if given is None:
        return
    if not isinstance(given, dict) or not isinstance(given.get("group_id"), int):
        yield Problem("The ASM group ID must be an integer.", "asm.group_id")
        return
    shown = given.get("groups_to_display") or []
    if not isinstance(shown, list) or not all(isinstance(one, int) for one in shown):
        yield Problem("The ASM Group IDs to display must be an array of integers.", "asm.groups_to_display")
    elif len(shown) > MAX_GROUPS_TO_DISPLAY:
        yield Problem(
            f"There is a limit of {MAX_GROUPS_TO_DISPLAY} unsubscribe groups that can be displayed to a user"
            " at a time.",
            "asm.groups_to_display",
        )


def _settings(payload: dict[str, Any]) -> Iterator[Problem]:
    for block in ("mail_settings", "tracking_settings"):
        settings = payload.get(block) or {}
        if not isinstance(settings, dict) or not all(isinstance(one, dict) for one in settings.values()):
            yield Problem(f"The {block} must be an object of objects.", block)
            continue
        for name, setting in settings.items():
            if not isinstance(setting.get("enable", False), bool):
                yield Problem(
                    f"The {name.replace('_', ' ')} enable param should be a boolean value.",
                    f"{block}.{name}.enable",
                )


def _strings(given: Any, field: str, sentence: str) -> Iterator[Problem]:
    if given is None:
        return
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        yield Problem(sentence, field)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _bytes(pairs: dict[str, Any]) -> int:
    return len("".join([*pairs, *pairs.values()]).encode())
