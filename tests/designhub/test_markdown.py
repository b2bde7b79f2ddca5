"""Markdown of strangers: what becomes of it, and that nothing of it runs, loads or takes long."""

import time

import pytest

from designhub.web.markdown import MOST_CHARACTERS, Place, rendered

PLACE = Place(folder="docs", files="/a/b/files/c", raw="/a/b/raw/c")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[a](x.md#y)", 'href="/a/b/files/c/docs/x.md#text-y"'),
        ("[a](/LICENSE)", 'href="/a/b/files/c/LICENSE"'),
        ("[a](../README.md)", 'href="/a/b/files/c/README.md"'),
        ("[a](#how)", 'href="#text-how"'),
        ("![p](pic.png)", '<img src="/a/b/raw/c/docs/pic.png" alt="p" loading="lazy">'),
        ("# How", '<h3 id="text-how">How</h3>'),
        ("###### Deep", '<h6 id="text-deep">'),
        ("~~a~~", "<s>a</s>"),
        ("|a|\n|-|\n|b|", "<td>b</td>"),
        ("![p](https://x.org/p.png)", '<a href="https://x.org/p.png" rel="nofollow'),
        ("[![p](https://x.org/p)](https://y.org)", ">p</a>"),
    ],
)
def test_links_and_pictures_stay_in_the_design(written: str, shown: str) -> None:
    assert shown in rendered(written, PLACE)


@pytest.mark.parametrize(
    "written",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](data:text/html,x)",
        "[a](vbscript:x)",
        "[a](//evil.org/x)",
        "[a](../../../x)",
        "[a]( \\\\evil.org/x)",
        "![a](data:image/svg+xml,x)",
        "![a](//evil.org/x.png)",
        "![a](https://evil.org/x.png)",
        '[a](https://x.org "<pre>onload=x")',
        "```x onload=1\n<b>\n```",
        "[a][b]\n\n[b]: javascript:x",
        "<javascript:alert(1)>",
        "[a](https://[x)",
        "[a](x%00y.md)",
        "\0[a](x)",
    ],
)
def test_nothing_of_it_runs_or_loads_from_elsewhere(written: str) -> None:
    html = rendered(written, PLACE).lower()
    for word in ("<script", "<b>", 'src="http', 'src="//', 'href="//', 'src="data', "../"):
        assert word not in html, html
    for word in ("javascript:", "vbscript:", "data:"):
        assert f'href="{word}' not in html, html
    assert "<img src=x" not in html and "\0" not in html


HOSTILE = {
    "brackets": "[" * MOST_CHARACTERS,
    "pictures": "![" * (MOST_CHARACTERS // 2),
    "quotes": ">" * MOST_CHARACTERS,
    "lists": "- " * (MOST_CHARACTERS // 2),
    "stars": "*a_ " * (MOST_CHARACTERS // 4),
    "headings": "# a\n" * (MOST_CHARACTERS // 4),
    "ticks": "".join("`" * n + "a" for n in range(440)),
    "table": "|" * 500 + "\n" + "|-" * 499 + "|\n" + "x\n" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_texts_made_to_be_slow_are_not(name: str) -> None:
    """Each takes about a second at most here; without bounds some would take hours."""
    began = time.process_time()
    rendered(HOSTILE[name], PLACE)
    assert time.process_time() - began < 15


def test_a_long_text_is_cut_and_says_so() -> None:
    html = rendered("word " * MOST_CHARACTERS, PLACE)
    assert "the file has all of it" in html and len(html) < MOST_CHARACTERS + 200
