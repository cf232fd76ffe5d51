"""Solutions on a page of exercises: folded until a reader asks for them, by keyboard as well."""

from __future__ import annotations

PAGE = "multitask/primary-tasks-exercises.html"
LINE = "return -(weights @ products)"
REASON = "into the first product:"


def test_a_solution_unfolds_by_keyboard(browser, site, open_page):
    with open_page(browser, site, PAGE) as visit:
        code = visit.page.get_by_text(LINE).first
        reason = visit.page.get_by_text(REASON).first
        assert not code.is_visible()
        assert not reason.is_visible()
        summary = visit.page.locator("details.hide summary").first
        summary.focus()
        visit.page.keyboard.press("Enter")
        code.wait_for(state="visible")
        button = visit.page.locator("div.solution .toggle-button").first
        button.focus()
        visit.page.keyboard.press("Enter")
        reason.wait_for(state="visible")
        assert (visit.outside, visit.failed, visit.errors) == ([], [], [])
