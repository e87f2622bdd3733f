"""Link slots: stable names that count clicks."""

from __future__ import annotations

from kreislauf.delivery.slots import add_slots


def test_every_link_gets_its_slot() -> None:
    source = (
        '<a href="https://x.example/a?b=1&amp;c=2#d"><img alt="A &amp; B" src="i.png"></a>'
        '<a name="hero" href="https://x.example/">Hero</a>'
        '<a href="https://x.example/">again</a>'
        '<a style="display:inline-block" href="%%NONCEh_url%%">Go</a>'
        '<a href="%%NONCEh_items_0_url%%"><img alt="x"></a><a href="%%NONCEh_items_1_url_or_url%%">y</a>'
    )
    page, links = add_slots(source, "flow_cart", "reminder")
    assert [(link.slot, link.kind, link.target, link.label) for link in links] == [
        ("img01", "img", "https://x.example/a?b=1&c=2#d", "A & B"),
        ("hero", "txt", "https://x.example/", "Hero"),
        ("txt01", "txt", "https://x.example/", "again"),
        ("btn01", "btn", "url", "Go"),
        ("item1_img1", "img", "items_0_url", "x"),
        ("item2_txt1", "txt", "items_1_url_or_url", "y"),
    ]
    campaign = (
        "utm_source=kreislauf&amp;utm_medium=email&amp;utm_campaign=flow_cart&amp;utm_content=reminder."
    )
    assert f'href="https://x.example/a?b=1&amp;c=2&amp;{campaign}img01"' in page
    assert f'href="https://x.example/?{campaign}hero"' in page
    assert 'href="%%NONCEl_url%%&amp;utm_content=reminder.btn01"' in page
    assert 'href="%%NONCEl_items_1_url_or_url%%&amp;utm_content=reminder.item2_txt1"' in page


def test_the_unsubscribe_link_mailto_and_fragments_are_left_alone() -> None:
    source = '<a href="%%NONCEh_unsubscribe_url%%">x</a><a href="mailto:a@b.c">y</a><a href="#top">z</a>'
    assert add_slots(source, "f", "s") == (source, [])


def test_a_name_given_twice_still_gives_two_slots() -> None:
    source = '<a name="cta" href="https://x.example/">a</a><a name="cta" href="https://x.example/">b</a>'
    _, links = add_slots(source, "f", "s")
    assert len({link.slot for link in links}) == 2
