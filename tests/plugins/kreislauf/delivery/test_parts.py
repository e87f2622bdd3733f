"""Templates of the channels beside mail: what they render to, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from kreislauf.delivery.fields import fill
from kreislauf.delivery.segments import segments
from kreislauf.delivery.templates import MergeError, Rendered, TemplateError, Templates
from kreislauf.delivery.transport import From
from kreislauf.ledger.schema import Channel
from tests.plugins.kreislauf.delivery.channels import MERGE, TEMPLATES, write_template

UNSUBSCRIBE = "https://w.example/unsubscribe/k"


@pytest.fixture
def render(tmp_path: Path, sender: From):
    """Render a template of a channel, given as the YAML of its parts."""

    def render(channel: Channel, text: str | None = None) -> Rendered:
        name = write_template(tmp_path, channel, text)
        return Templates(tmp_path).render(name, "de", 0, sender, "https://w.example", "flow", "step")

    return render


def _filled(rendered: Rendered, **merge: str) -> dict[str, str]:
    values = rendered.substitutions(MERGE | merge, "flow", "de", UNSUBSCRIBE)
    return {name: fill(part, values) for name, part in rendered.parts.items()}


@pytest.mark.parametrize("channel", list(TEMPLATES))
def test_every_channel_renders(render, channel: Channel) -> None:
    rendered = render(channel)
    assert rendered.channel is channel
    assert "%%" not in "".join(_filled(rendered).values())


def test_plain_text_is_not_escaped_and_links_tell_what_they_came_by(render) -> None:
    rendered = render(Channel.PUSH)
    parts = _filled(rendered, first_name="Ada & <Co>")
    assert parts["title"] == "Hallo Ada & <Co>"
    assert parts["url"] == (
        "https://shop.example/cart?id=1&utm_source=kreislauf&utm_medium=push&utm_campaign=flow"
        "&utm_content=step.url"
    )
    (link,) = rendered.links
    assert (link.slot, link.target) == ("url", "url")


def test_a_value_inside_of_a_link_is_percent_encoded(render) -> None:
    text = 'title: T\nbody: B\nurl: "https://shop.example/search?q={{ first_name }}"\n'
    parts = _filled(render(Channel.PUSH, text), first_name="a&b=c/ü")
    assert parts["url"].startswith("https://shop.example/search?q=a%26b%3Dc%2F%C3%BC&utm_source=")


def test_the_same_content_has_the_same_version(render) -> None:
    one, two = render(Channel.SMS), render(Channel.SMS)
    assert one.version == two.version
    assert one.nonce != two.nonce


@pytest.mark.parametrize(
    ("channel", "text", "message"),
    [
        (Channel.SMS, "text: Hallo\n", "how to end"),
        (Channel.SMS, f"text: STOP {'x' * 1000}\n", "is 7 messages"),
        (Channel.SMS, "text: STOP lorem ipsum\n", "leftover"),
        (Channel.SMS, "text: STOP\nsubject: x\n", "sms has no part 'subject'; it has text"),
        (Channel.SMS, "text: STOP {{ nickname }}\n", "'nickname' is undefined"),
        (Channel.SMS, "text: [STOP, {a: b}]\n", "is a text, a number"),
        (Channel.PUSH, "title: T\nbody: B\n", "lacks 'url'"),
        (Channel.PUSH, f"title: {'T' * 101}\nbody: B\nurl: https://x.example\n", "100 is the most"),
        (Channel.PUSH, "title: T\nbody: B\nurl: http://x.example\n", "is http, not https"),
        (Channel.PUSH, "title: T\nbody: B\nurl: x.example\n", "not a web address"),
        (Channel.PUSH, 'title: T\nbody: B\nurl: "{{ first_name }}"\n', "its name ends with url"),
        (Channel.PUSH, 'title: T\nbody: B\nurl: "https://{{ first_name }}.example/"\n', "field in its host"),
        (Channel.PUSH, "title: T\nbody: B\nurl: https://x.example\ntag: a b\n", "its tag"),
        (Channel.CRM, "kind: call\nbody: B\n", "one of task, note, field"),
        (Channel.CRM, "kind: task\nbody: B\n", "a task needs 'subject'"),
        (Channel.CRM, "kind: field\nfield: x\n", "a field needs 'value'"),
        (Channel.CRM, "kind: task\nsubject: S\nbody: B\ndue_in: soon\n", "such as: 4 hours"),
        (Channel.ONSITE, "kind: content\nheadline: H\ntext: T\nbutton: B\n", "a content needs 'url'"),
        (Channel.ONSITE, "kind: survey\nheadline: H\ntext: T\nbutton: B\n", "needs 'question'"),
        (Channel.ONSITE, 'kind: newsletter\nheadline: "{{ greeting }}"\ntext: T\nbutton: B\n', "anybody"),
        (
            Channel.ONSITE,
            "kind: newsletter\nheadline: H\ntext: T\nbutton: B\nexit_intent: maybe\n",
            "true or",
        ),
        (Channel.WEBHOOK, "payload: {}\n", "payload is empty"),
        (Channel.WEBHOOK, "name: x\n", "a mapping 'payload' and nothing else"),
        (Channel.AUDIENCE, "audience: a\ndo: enter\n", "one of join, leave"),
    ],
)
def test_a_bad_template_is_refused_with_the_reason(render, channel: Channel, text: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        render(channel, text)


def test_a_channel_that_does_not_exist(tmp_path: Path) -> None:
    write_template(tmp_path, Channel.SMS).replace("sms", "fax")
    path = tmp_path / "flow" / "sms.de.yaml"
    path.write_text("channel: fax\ntext: x\n")
    with pytest.raises(TemplateError, match="channel is 'fax'; it is one of sms, push"):
        Templates(tmp_path).load("flow/sms", "de")


def test_one_persons_values_that_are_too_long_are_theirs_alone(render) -> None:
    rendered = render(Channel.PUSH)
    with pytest.raises(MergeError, match="its title has 206 characters; 100 is the most"):
        _filled(rendered, first_name="x" * 200)


@pytest.mark.parametrize("tag", ["a b", "größe"])
def test_one_persons_tag_that_is_no_topic_is_theirs_alone(render, tag: str) -> None:
    rendered = render(Channel.PUSH, f"{TEMPLATES[Channel.PUSH]}tag: 'cart-{{{{ first_name }}}}'\n")
    assert _filled(rendered, first_name="7")["tag"] == "cart-7"
    with pytest.raises(MergeError, match="its tag has other characters"):
        _filled(rendered, first_name=tag)


def test_an_audience_needs_no_file(tmp_path: Path, sender: From) -> None:
    rendered = Templates(tmp_path).render("leave/vip", "de", 0, sender, "https://w.example", "f", "s")
    assert rendered.parts == {"audience": "vip", "do": "leave"}


@pytest.mark.parametrize(
    ("text", "count", "encoding"),
    [
        ("", 1, "GSM-7"),
        ("ä" * 160, 1, "GSM-7"),
        ("a" * 161, 2, "GSM-7"),
        ("a" * 306, 2, "GSM-7"),
        ("a" * 307, 3, "GSM-7"),
        ("€" * 80, 1, "GSM-7"),
        ("€" * 81, 2, "GSM-7"),
        ("ł" * 70, 1, "UCS-2"),
        ("ł" * 71, 2, "UCS-2"),
        ("😀" * 35, 1, "UCS-2"),
        ("😀" * 36, 2, "UCS-2"),
    ],
)
def test_how_many_messages_a_text_is(text: str, count: int, encoding: str) -> None:
    found = segments(text)
    assert (found.count, found.encoding) == (count, encoding)


def test_a_variant_chooses_its_subject(tmp_path: Path, sender: From) -> None:
    from tests.plugins.kreislauf.delivery.test_templates import BODY, HEADER

    header = HEADER.replace("preheader:", 'subjects: {question: "Well?"}\npreheader:')
    path = tmp_path / "flow" / "step.en.mjml"
    path.parent.mkdir()
    path.write_text(header + BODY)
    templates = Templates(tmp_path)
    subjects = [
        templates.preview("flow/step", "en", sender, variant)["subject"] for variant in ("question", "x")
    ]
    assert subjects == ["Well?", "Hi Erika"]
