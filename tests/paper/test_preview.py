"""The cards that links within the book show: what is on them, and when they come and go."""

import pytest
from conftest import go, still, stop_the_clock

pytestmark = pytest.mark.browser

CARD = "#preview:popover-open"
LINK = "article a.internal[href*='{}']"

# A page and the anchor that a link on it leads to; what of it the card shows.
SHOWN = {
    "theorem": ("notebooks/4_2_many_dimensions", "#theorem-4-1", ".proof.theorem mjx-container"),
    "theorem, without formulas around": ("book/reference/theory", "#lemma-4-1", ".proof mjx-mi"),
    "equation": ("notebooks/5_separate_scales", "#eq-5a", ".math mjx-container"),
    "figure": ("notebooks/2_2_learning_rate_decay", "#fig-3-2-wide", "figure figcaption"),
    "section": ("notebooks/4_2_many_dimensions", "#one-dimension", "h1 + p"),
    "page": ("notebooks/intro", "7_summary.html", "h1 + p"),
    "citation": ("notebooks/2_1_edge_of_stability", "references.html#", ".citation a"),
    "function": ("book/reference/probes", "#mslbook.probes.growth", "dt + p"),
}


@pytest.fixture
def visit(browser, site):
    """Open a page of the book; at the end demand that nothing went wrong while it was open."""
    contexts, wrong = [], []

    def open_page(address, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(site) or wrong.append(asked.url))
        go(page, f"{site}/{address}.html")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def link_to(page, anchor):
    """The first link to a place, on the screen and at rest: what moves leaves the mouse behind."""
    link = page.locator(LINK.format(anchor)).first
    link.scroll_into_view_if_needed()
    still(link)
    return link


LATER = 10_000  # milliseconds on the page's clock: longer than a card waits for anything


@pytest.mark.parametrize("case", SHOWN)
def test_a_link_shows_what_it_leads_to(visit, case):
    address, anchor, expected = SHOWN[case]
    page = visit(address)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        link = link_to(page, anchor)
        link.hover()
        card = page.locator(CARD)
        card.locator(expected).first.wait_for(state="visible")
        assert page.locator("mjx-merror").count() == 0
        assert card.locator("[id]:not([id^=mjx])").count() == 0  # they are the page's

        at, beside = card.bounding_box(), link.bounding_box()
        assert at["x"] >= 0
        assert at["x"] + at["width"] <= width
        assert at["y"] >= beside["y"] + beside["height"] or at["y"] + at["height"] <= beside["y"]

        page.mouse.move(0, 0)
        card.wait_for(state="hidden")


def test_a_theorem_looks_as_on_its_page(visit):
    page = visit("notebooks/4_2_many_dimensions")
    looks = """(title) => ["", "::before", "::after"].map(part => {
      const { backgroundColor, display, color } = getComputedStyle(title, part);
      return part ? display : [backgroundColor, color];
    })"""
    title = ".proof.theorem > .admonition-title"
    there = page.locator(f"article {title}").first.evaluate(looks)
    link_to(page, "#theorem-4-1").hover()
    assert page.locator(f"{CARD} {title}").evaluate(looks) == there
    assert there[1:] == ["none", "none"]  # no bell


def test_a_page_that_cannot_be_fetched_shows_no_card_until_it_can(visit):
    page = visit("notebooks/4_2_many_dimensions")
    page.evaluate("() => { fetched = fetch; fetch = () => Promise.reject(Error('offline')); }")
    link = link_to(page, "4_1_one_dimension.html#one-dimension")
    stop_the_clock(page)
    link.hover()
    page.clock.run_for(LATER)
    assert page.locator(CARD).count() == 0
    page.evaluate("() => { fetch = fetched; }")
    page.mouse.move(0, 0)
    page.clock.run_for(LATER)
    link.hover()
    page.clock.run_for(LATER)
    page.locator(CARD).wait_for()


def test_the_mouse_may_enter_the_card(visit):
    page = visit("notebooks/4_2_many_dimensions")
    link = link_to(page, "#theorem-4-1")
    stop_the_clock(page)
    link.hover()
    page.clock.run_for(LATER)
    card = page.locator(CARD)
    card.wait_for()
    card.hover()
    page.clock.run_for(LATER)
    assert card.is_visible()
    page.mouse.move(0, 0)
    page.clock.run_for(LATER)
    assert not card.is_visible()


def test_the_keyboard_opens_and_closes_a_card(visit):
    page = visit("notebooks/4_2_many_dimensions")
    link, card = link_to(page, "#theorem-4-1"), page.locator(CARD)
    page.keyboard.press("Tab")  # from now on focus is the keyboard's
    link.focus()
    card.wait_for()
    page.keyboard.press("Escape")
    card.wait_for(state="hidden")
    page.locator("button:visible").first.focus()
    link.focus()
    card.wait_for()
    page.locator("button:visible").first.focus()
    card.wait_for(state="hidden")


def test_touch_shows_no_card(visit):
    page = visit("notebooks/5_separate_scales", has_touch=True)
    page.evaluate("window.addEventListener('click', event => event.preventDefault())")
    link = link_to(page, "#eq-5a")  # on this page: a card could be shown at once
    stop_the_clock(page)
    link.tap()
    page.clock.run_for(LATER)
    assert page.locator(CARD).count() == 0
    link.hover()
    page.clock.run_for(LATER)
    assert page.locator(CARD).count() == 1


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_cards_fade_in_only_where_motion_is_welcome(visit, motion):
    page = visit("notebooks/4_2_many_dimensions", reduced_motion=motion)
    link_to(page, "#theorem-4-1").hover()
    page.locator(CARD).wait_for()
    name = page.locator(CARD).evaluate("card => getComputedStyle(card).animationName")
    assert name == {"reduce": "none", "no-preference": "preview"}[motion]
