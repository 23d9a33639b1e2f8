"""The site in a real browser, from files and with no network: filters, traces, width, colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

chromium: dict[str, Any] = run_path(str(Path(__file__).with_name("chromium.py")))
PROGRAM = chromium["find_chromium"]()

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason=f"no browser found: one of {', '.join(chromium['NAMES'])} is needed"
)

SHOWN = "[...document.querySelectorAll('.entry')].filter(e => e.checkVisibility()).map(e => e.id)"
#: The relative luminance of WCAG 2.2, and the contrast of text with what it stands on.
CONTRASTS = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour[3] > 0) return colour;
    }
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest('svg') || !node.checkVisibility()) continue;
    const pair = [light(rgb(getComputedStyle(node).color)), light(ground(node))];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (contrast < 4.5) low.push(`${contrast.toFixed(2)} ${node.className} ${node.textContent}`);
  }
  return [...new Set(low)];
})()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests."""
    assert PROGRAM is not None
    started = chromium["Browser"](PROGRAM)
    yield started
    started.close()


def names(site: Path) -> list[str]:
    """The pages of the site."""
    return sorted(path.name for path in site.glob("*.html"))


def address(site: Path, name: str) -> str:
    """A page as a file, with what follows its name."""
    return f"{site.as_uri()}/{name}"


@pytest.mark.parametrize(("width", "dark"), [(375, False), (1200, True)], ids=["phone", "desk"])
def test_no_page_complains_asks_the_network_or_is_too_wide(
    browser: Any, site: Path, width: int, dark: bool
):
    for name in names(site):
        browser.open(address(site, name), width, dark)
        assert browser.complaints == []
        assert len(browser.requests) == 3  # the page, its style, its script
        assert all(asked.startswith(site.as_uri()) for asked in browser.requests)
        assert browser.do("document.documentElement.scrollWidth") <= width, name
        assert browser.do("getComputedStyle(document.body).fontFamily").startswith("system-ui")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_has_contrast(browser: Any, site: Path, dark: bool):
    for name in names(site):
        browser.open(address(site, name), 1200, dark)
        browser.do("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert browser.do(CONTRASTS) == [], name


def test_a_contrast_that_is_too_low_is_seen(browser: Any, site: Path):
    browser.open(address(site, "9158.html"))
    browser.do("document.querySelector('h1').style.color = '#bbb'")
    (low,) = browser.do(CONTRASTS)
    assert low.startswith("1.")


def test_a_formula_is_laid_out_as_mathematics(browser: Any, site: Path):
    browser.open(address(site, "9158.html"))
    fraction = "document.querySelector('[id=\"9158-d\"] mfrac').getBoundingClientRect()"
    over = "document.querySelector('[id=\"9158-d\"] mfrac').firstChild.getBoundingClientRect()"
    assert browser.do(f"{over}.bottom < {fraction}.bottom - 5")


def test_a_verdict_hides_the_others_and_is_kept_in_the_address(browser: Any, site: Path):
    browser.open(address(site, "9158.html"))
    whole = browser.do(SHOWN)
    browser.do("document.querySelector('[value=refuted]').click()")
    refuted = browser.do(SHOWN)
    assert {"9158-d", "9158-m", "9158-n"} == set(refuted) < set(whole)
    assert browser.do("found.textContent") == f"3 of {len(whole)} statements"
    assert browser.do("location.search") == "?verdict=refuted"
    browser.open(browser.do("location.href"))
    assert browser.do(SHOWN) == refuted
    browser.do("document.querySelector('[value=ill-posed]').click()")
    assert set(browser.do(SHOWN)) == {*refuted, "9158-4"}
    browser.do("document.getElementById('all').click()")
    assert browser.do(SHOWN) == whole
    assert browser.do("location.search") == ""


def test_words_are_searched_with_the_verdict(browser: Any, site: Path):
    browser.open(address(site, "9158.html?verdict=refuted&q=SHARE%20of"))
    assert browser.do(SHOWN) == ["9158-m", "9158-n"]
    browser.do("words.value = 'nowhere said'")
    browser.do("words.dispatchEvent(new Event('input', {bubbles: true}))")
    assert browser.do(SHOWN) == []
    assert browser.do("document.getElementById('none').checkVisibility()")
    assert browser.do("document.querySelectorAll('.map li:not([hidden])').length") == 0


def test_a_filter_works_from_the_keyboard(browser: Any, site: Path):
    browser.open(address(site, "9158.html"))
    focused = "document.activeElement.value || document.activeElement.className"
    reached = []
    for _ in range(30):
        browser.press("Tab")
        reached.append(browser.do(focused))
        if reached[-1] == "refuted":
            break
    assert reached[0] == "skip" and reached[-1] == "refuted"
    browser.press(" ", "Space", " ")
    assert len(browser.do(SHOWN)) == 3


def test_an_address_opens_its_trace(browser: Any, site: Path):
    browser.open(address(site, "9158.html#9158-m"))
    assert browser.do("document.querySelector('.entry:target').id") == "9158-m"
    opened = "[...document.querySelectorAll('details.trace[open]')].map(d => d.parentElement.id)"
    assert browser.do(opened) == ["9158-m"]
    top = browser.do("document.querySelector('.entry:target').getBoundingClientRect().top")
    assert 0 <= top < 100


def test_an_address_outranks_a_filter_that_hides_it(browser: Any, site: Path):
    browser.open(address(site, "9158.html?verdict=proved#9158-m"))
    assert browser.do("document.querySelector('.entry:target').checkVisibility()")


def test_all_traces_open_and_close_at_once(browser: Any, site: Path):
    browser.open(address(site, "9064.html?verdict=proved"))
    count = "document.querySelectorAll('details.trace[open]').length"
    button = "document.getElementById('open')"
    browser.do(f"{button}.click()")
    assert browser.do(count) == len(browser.do(SHOWN)) > 0
    assert browser.do(f"{button}.textContent") == "Close all traces"
    browser.do(f"{button}.click()")
    assert browser.do(count) == 0


def test_a_formula_that_scrolls_can_be_reached(browser: Any, site: Path):
    browser.open(address(site, "loss-soft_zlpr.html"), 375)
    wide = "[...document.querySelectorAll('.formula')].filter(f => f.scrollWidth > f.clientWidth)"
    assert browser.do(f"{wide}.length") > 0
    assert browser.do(f"{wide}.every(f => f.tabIndex === 0 && f.ariaLabel)")


def test_the_colours_are_those_of_the_system_until_chosen(browser: Any, site: Path):
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.open(address(site, "index.html"), dark=False)
    light = browser.do(ground)
    browser.open(address(site, "index.html"), dark=True)
    dark = browser.do(ground)
    assert light != dark
    browser.do("theme.click()")
    assert browser.do(ground) == light
    browser.open(address(site, "losses.html"), dark=True)
    assert browser.do(ground) == light
    browser.do("localStorage.clear()")


def test_without_scripts_everything_is_there(browser: Any, site: Path):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(address(site, "9158.html?verdict=refuted"))
        assert browser.do(f"{SHOWN}.length === document.querySelectorAll('.entry').length")
        assert not browser.do("document.getElementById('filters').checkVisibility()")
        assert not browser.do("theme.checkVisibility()")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_screen_reader_finds_names_and_landmarks(browser: Any, site: Path):
    browser.open(address(site, "9158.html"))
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    told = {(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if "role" in n}
    for role, name in [
        ("main", ""),
        ("navigation", "Site"),
        ("search", "Filter the statements"),
        ("article", "9158-m"),
        ("checkbox", "refuted 3"),
        ("searchbox", "Search"),
    ]:
        assert (role, name) in told
    assert any(role == "MathMLMath" for role, _ in told)
    unnamed = [role for role, name in told if role in ("link", "button", "checkbox") and not name]
    assert unnamed == []
