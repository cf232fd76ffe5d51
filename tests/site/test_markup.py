"""Every built page is valid HTML, by the rules of tests/markup.py; and those find faults."""

from __future__ import annotations

import re

import pytest
from markup import faults

GOOD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A</title>
<script>if (1 < 2) document.write("<p>")</script></head><body><!-- <p> -->
<p id="a">text <a href="#a">a</a><br></p>
<dl><dt>a<dd>b</dd></dl><label for="x">x</label><input id="x" type="range"></body></html>"""
GOOD = GOOD.replace("<dt>a<dd>", "<dt>a</dt><dd>")


def test_pages_are_valid(site, page_name):
    assert faults((site.folder / page_name).read_text(encoding="utf-8"))[:10] == []


def test_chinese_words_are_marked_as_chinese(site, page_name):
    page = (site.folder / page_name).read_text(encoding="utf-8")
    page = re.sub(r'<span lang="zh">[^<]*</span>', "", page)
    page = re.sub(r"<(script|style|title|svg)\b.*?</\1>|<[^>]*>", "", page, flags=re.DOTALL)
    assert re.findall(r"[\u4e00-\u9fff]+", page) == []


def test_the_front_page_is_valid(site):
    assert faults((site.folder / "index.html").read_text(encoding="utf-8")) == []


def test_a_good_page_has_no_fault():
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<p id="a">again</p>', 'id "a" stands there 2 times'),
        ("<p><div>a</div></p>", "<div> in <p>"),
        ("<p><span><ul><li>a</li></ul></span></p>", "<ul> in <span>"),
        ("<details><p>a</p></details>", "<details> begins with <p>"),
        ("<details><summary><p>a</p></summary></details>", "<p> in <summary>"),
        ("<ul><p>a</p></ul>", "<p> in <ul>"),
        ("<table><tr><p>a</p></tr></table>", "<p> in <tr>"),
        ("<div><li>a</li></div>", "<li> in <div>"),
        ('<img src="a.png">', "<img> has no alt"),
        ('<table border="1"><tr><td>a</td></tr></table>', "<table border> is obsolete"),
        ('<a href="a"><button>a</button></a>', "<button> in <a>"),
        ('<div aria-labelledby="none">a</div>', 'aria-labelledby="none" meets no id'),
        ('<div class="a" class="b">a</div>', "<div> has class twice"),
        ("<center>a</center>", "<center> is obsolete"),
        ("<b>a</i>", "</i> closes nothing, inside html body"),
        ("<div>a", "</body> closes nothing, inside html body"),
    ],
)
def test_a_fault_is_found(body, fault):
    assert faults(GOOD.replace("</body>", f"{body}</body>"))[:1] == [fault]


def test_a_page_without_its_frame_is_found():
    assert "the page does not begin with <!DOCTYPE html>" in faults("<p>a</p>")
    assert "there is no <title>" in faults("<p>a</p>")
    assert "<html> names no language" in faults(GOOD.replace(' lang="en"', ""))
