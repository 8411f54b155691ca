"""A real Chromium at the page, and what WCAG asks of one that a program can check.

names       each control, link and picture has a name that can be read aloud
outline     one main part, one first heading, no heading level left out, a language
contrast    each text against what is behind it: 4.5 to 1, from the colours that the browser computed
keyboard    each control is reached with the tab key, in the order of the page, and shows that it is
width       nothing is wider than the screen, and no word is cut in two to make it so
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import sync_playwright

from tests.support.programs import program

PHONE, DESK = {"width": 360, "height": 640}, {"width": 1280, "height": 800}

FINDINGS = """() => {
  const findings = [];
  const name = (e) => (e.getAttribute('aria-label') || e.innerText || e.value || '').trim()
    || [...(e.labels || [])].map((l) => l.innerText).join('').trim();
  for (const e of document.querySelectorAll(
    'a, button, input:not([type=hidden]), select, svg, [role=region]'))
    if (!name(e)) findings.push('no name: ' + e.outerHTML.slice(0, 120));
  if (!document.documentElement.lang) findings.push('no language');
  if (!document.title) findings.push('no title');
  for (const [what, count] of [['main', 1], ['h1', 1]])
    if (document.querySelectorAll(what).length !== count) findings.push(what + ' is not there once');
  let level = 0;
  for (const h of document.querySelectorAll('h1, h2, h3, h4')) {
    if (+h.tagName[1] > level + 1) findings.push('heading level left out before ' + h.innerText);
    level = +h.tagName[1];
  }
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  if (new Set(ids).size !== ids.length) findings.push('an id twice');
  const rgb = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    if (e.disabled || !e.getClientRects().length) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) findings.push('contrast ' + ratio.toFixed(2) + ': ' + e.outerHTML.slice(0, 120));
  }
  for (const e of document.querySelectorAll('th, td, dt, dd, label, button, a, h1, h2, h3')) {
    for (const node of [...e.childNodes].filter((n) => n.nodeType === 3)) {
      for (const word of node.data.matchAll(/\\S{2,24}/g)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].map((r) => Math.round(r.top)));
        if (lines.size > 1 && !/[-\\/–]/.test(word[0])) findings.push('a word is cut: ' + word[0]);
      }
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) findings.push('wider than the screen');
  for (const e of document.querySelectorAll('button, input:not([type=hidden]), select'))
    if (e.getBoundingClientRect().height < 24)
      findings.push('too small to touch: ' + e.outerHTML.slice(0, 80));
  return findings;
}"""

CONTROLS = "a[href], button:not([disabled]), input:not([type=hidden]), select, [tabindex='0']"


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is left out where there is none."""
    path = program("chromium")
    arguments = ["--disable-gpu", "--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def findings(tab: Any) -> list[str]:
    """Return what is wrong with the page that is open."""
    found: list[str] = tab.evaluate(FINDINGS)
    return [*found, *_keyboard(tab)]


def _keyboard(tab: Any) -> list[str]:
    """Return what the tab key does not reach in the order of the page, or reaches unseen."""
    controls = tab.locator(CONTROLS).count()
    tab.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    wrong, reached = [], []
    for _control in range(controls):
        tab.keyboard.press("Tab")
        place, is_seen = tab.evaluate(
            f"""() => [[...document.querySelectorAll({CONTROLS!r})].indexOf(document.activeElement),
            parseFloat(getComputedStyle(document.activeElement).outlineWidth) > 0]"""
        )
        reached.append(place)
        if not is_seen:
            wrong.append(f"control {place} does not show that it has the focus")
    if reached != list(range(controls)):
        wrong.append(f"the tab key goes {reached} of {controls}")
    return wrong
