"""The search of the built site: symbols, words, labels and authors lead to their place."""

from __future__ import annotations

import pytest
from loading import load_tool

FOUND = """query => Search._performSearch(...Search._parseQuery(query)).reverse()
    .map(([page, title, anchor]) => [page + ".html" + anchor, title])"""
PLACES = {  # what is typed: what the links are made of, and what the first of them says
    "λ": ("notation.html#symbol-", "λ"),
    "lambda": ("notation.html#symbol-", "λ"),
    "gamma": ("notation.html#symbol-", "γ"),
    "γ": ("notation.html#symbol-", "γ"),
    "β̄": ("notation.html#symbol-", "β̄"),
    "beta bar": ("notation.html#symbol-", "β̄"),
    "ReLU²": ("notation.html#symbol-", "relu"),
    "eq-primary-dual": (
        "multitask/primary-tasks.html#equation-eq-primary-dual",
        "eq-primary-dual",
    ),
    "argmaxable": ("argmax/api.html#companion.argmax.argmaxable", "argmaxable"),
    "Grivas": ("bibliography.html#", "Grivas"),
    "softmax": ("attention/gau-alpha.html", ""),
}


@pytest.fixture(scope="module")
def search(browser, site, open_page):
    """The page of the search, with its index."""
    with open_page(browser, site, "search.html?q=softmax") as visit:
        visit.page.wait_for_selector("#search-results li a")
        yield visit.page


@pytest.mark.parametrize("query", PLACES, ids=ascii)
def test_a_query_leads_to_its_place(search, query):
    place, words = PLACES[query]
    found = search.evaluate(FOUND, query)
    there = [title for link, title in found[:8] if link.startswith(place)]
    assert there, found[:8]
    assert any(words in title for title in there), there


@pytest.mark.parametrize(
    "text", ["β̄ₜ = √(1 − ᾱₜ²)", r"\bar\beta_t + \varepsilon", "Müller", "x_t", "backward_primary"]
)
def test_the_browser_splits_as_the_index_does(search, text):
    expected = [word for word in load_tool("search_words").split(text) if not word.isdigit()]
    assert search.evaluate("text => splitQuery(text)", text) == expected


def test_every_place_of_the_index_exists(search, site):
    index = search.evaluate("""() => Object.values(Search._index.objects).flat()
        .filter(([, kind]) => Search._index.objtypes[kind].startsWith("book:"))
        .map(([page, , , anchor]) => [Search._index.docnames[page], anchor])""")
    pages = {page: (site.folder / f"{page}.html").read_text("utf-8") for page, _ in index}
    assert len(index) > 300
    assert [place for place in index if f'id="{place[1]}"' not in pages[place[0]]] == []
