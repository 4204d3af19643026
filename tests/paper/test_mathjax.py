"""MathJax as the book serves it: whatever a reader chooses in its menu, formulas stay typeset."""

import json

import pytest
from conftest import HTML, go

pytestmark = pytest.mark.browser

PAGE = "notebooks/4_1_one_dimension.html"
KEPT = "MathJax-Menu-Settings"  # where the menu keeps what was chosen, for all pages

# The items of the menu that load further files, and what a formula then is or has.
CHOICES = {
    "SVG": (["Math Settings", "Math Renderer", "SVG"], "mjx-container[jax=SVG] > svg"),
    "speech": (["Accessibility", "Activate"], "mjx-container[sre-explorer-id][aria-label]"),
    "collapsible": (
        ["Accessibility", "Collapsible Math"],
        "mjx-container [data-semantic-complexity]",
    ),
    "no MathML": (["Accessibility", "Include Hidden MathML"], "mjx-container:not(:has(math))"),
}


@pytest.fixture
def page(browser, site):
    """A chapter, opened; at the end every request must have succeeded."""
    context = browser.new_context()
    page, wrong = context.new_page(), []
    page.on("response", lambda answer: answer.ok or wrong.append(answer.url))
    page.on("requestfailed", lambda asked: cut_short(asked) or wrong.append(asked.url))
    page.on(
        "request", lambda asked: asked.url.startswith((site, "data:")) or wrong.append(asked.url)
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    go(page, f"{site}/{PAGE}")
    yield page
    context.close()
    assert wrong == []


def cut_short(request):
    """Whether a request ended because the test opened another page, or closed this one."""
    return request.failure == "net::ERR_ABORTED"


ALL_TYPESET = """(() => {
  const formulas = [...document.querySelectorAll("article .math")];
  return formulas.length > 50 && formulas.every(one => one.querySelector("mjx-container"));
})()"""


def test_a_screen_reader_finds_mathml_in_every_formula(page):
    assert page.evaluate(ALL_TYPESET)
    formulas = page.locator("article mjx-container")
    assert page.locator("article mjx-container mjx-assistive-mml math").count() == formulas.count()


@pytest.mark.parametrize("choice", CHOICES)
def test_whatever_is_chosen_in_the_menu_formulas_stay_typeset(page, choice):
    path, expected = CHOICES[choice]
    page.locator("article mjx-container").first.click(button="right")
    *menus, item = (page.locator(".CtxtMenu_MenuItem:visible", has_text=name) for name in path)
    for menu in menus:
        menu.hover()  # opens it; a click would close it again
    item.click()
    page.locator(expected).first.wait_for(state="attached")
    page.wait_for_function(ALL_TYPESET)
    go(page, page.url)
    assert page.locator(expected).count() > 0
    assert page.evaluate(ALL_TYPESET)


def test_what_was_once_chosen_and_found_nothing_is_found_now(page):
    """A reader who chose these when the book did not serve them had no formula since."""
    chosen = {"renderer": "SVG", "explorer": True, "collapsible": True, "speech": True}
    page.evaluate("([name, text]) => localStorage.setItem(name, text)", [KEPT, json.dumps(chosen)])
    go(page, page.url)
    assert page.locator("mjx-container[jax=SVG]").count() > 0
    assert page.evaluate(ALL_TYPESET)


def test_its_license_lies_beside_it(site):
    text = (HTML / "_static" / "mathjax" / "LICENSE").read_text()
    assert "MathJax Consortium" in text
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
