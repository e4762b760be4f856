from html import unescape

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.table import Table
from rich.text import Text

from terminal_lego.report.card.markdown import block, escaped, from_rich, table
from terminal_lego.report.safe_text import visible

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NASTY = st.text(st.sampled_from("a1. \n\t|`*_~[]()<>!&#+-=\\$:/@\x1b\u202e"), max_size=40)
TEXTS = st.one_of(NASTY, st.text(st.characters(exclude_categories=["Cs"]), max_size=40))


def cells(markdown: str) -> list[str]:
    """What a reader sees in each cell of a table, row by row."""
    tokens = MARKDOWN.parse(markdown)
    return [text(token.children) for token in tokens if token.type == "inline"]


def text(inline) -> str:
    assert {token.type for token in inline} <= {"text", "text_special"}, "something but text was read"
    return "".join(token.content for token in inline)


@given(TEXTS)
def test_any_text_is_shown_as_it_is(value):
    shown = MARKDOWN.render(escaped(value) + "\n")
    expected = " ".join(visible(value).split())
    assert unescape(shown) == (f"<p>{expected}</p>\n" if expected else "")


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
def test_no_cell_breaks_out_of_its_table(rows):
    shown = cells(table(("left", "right"), rows))
    assert shown == ["left", "right", *(seen(value) for row in rows for value in row)]


def seen(value: str) -> str:
    lines = (" ".join(visible(line).split()) for line in value.split("\n") if line.strip())
    return "; ".join(lines).strip()


def test_long_text_is_cut_and_many_lines_are_counted():
    assert escaped("x" * 500) == "x" * 119 + "…"
    assert (
        table(("a",), [("\n".join("123456789abc"),)])
        .splitlines()[2]
        .startswith("| 1; 2; 3; 4; 5; 6; 7; 8; and 4 more")
    )


def test_links_and_mentions_are_text():
    assert escaped("https://x.org www.x.org @all") == r"https\://x.org www\.x.org \@all"


def test_columns_are_aligned_as_plain_text():
    assert table(("teacher", "n"), [("a", 1_200), ("b|", 7)]).splitlines() == [
        "| teacher |     n |",
        "| ------- | ----: |",
        "| a       | 1,200 |",
        r"| b\|     |     7 |",
    ]


def test_a_table_of_the_terminal_keeps_its_cells():
    rich = Table("step", "count", "why", title="left out")
    rich.columns[1].justify = "right"
    rich.add_row("complete", "12", Text("10: [red]\n2: other"))
    assert from_rich(rich).splitlines() == [
        "| step     | count | why                   |",
        "| -------- | ----: | --------------------- |",
        r"| complete |    12 | 10: \[red\]; 2: other |",
    ]


def test_a_block_shows_controls():
    assert block("a\x1b[1m", "sh") == "```sh\na^[[1m\n```"
