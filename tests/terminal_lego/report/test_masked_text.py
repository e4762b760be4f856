from array import array
from io import StringIO

import pytest
from hypothesis import given, settings
from rich.console import Console

from terminal_lego.rendering.masks import Part, TurnMask
from terminal_lego.rendering.render import Example, Span, render
from terminal_lego.report.masked_text import masked_text
from terminal_lego.report.safe_text import visible
from tests.terminal_lego.rendering.samples import TOKENIZERS, chat, chats

SMALL = TOKENIZERS["small"]


def one(*replies: str, **mask) -> Example:
    return render(chat(*replies), SMALL, id="task-1", **mask)


def printed(example: Example, **options) -> str:
    console = Console(file=StringIO(), width=1000, **options)
    console.print(masked_text(example, SMALL), soft_wrap=True)
    return console.file.getvalue()


def styled(example: Example, fragment: str) -> set[str]:
    """The styles over the first place where `fragment` is shown below the legend."""
    text = masked_text(example, SMALL)
    start = text.plain.index(fragment, text.plain.index("\n\n"))
    return {str(span.style) for span in text.spans if span.start < start + len(fragment) and start < span.end}


def test_marks_stand_in_the_text_without_any_style():
    example = one("look", "do", turns=[TurnMask(0.0), TurnMask(1.0)])
    assert printed(example).split("\n\n")[1] == (
        "<said>user go on<end><said>assistant [-look<end>-]<said>user go on<end><said>assistant {+do<end>+}\n"
    )


def test_the_legend_counts_every_token_once():
    example = one("look", "do", turns=[TurnMask(0.0), TurnMask(1.0)])
    first, second = printed(example).split("\n")[:2]
    trained = example.trained_tokens
    hidden = example.spans[1].end - example.spans[1].start
    assert first == "task-1"
    assert second == (
        f"{len(example.input_ids)} tokens: {{+trained+}} {trained}, [-hidden in replies-] {hidden}, "
        f"read {len(example.input_ids) - trained - hidden}"
    )


def test_trained_hidden_and_read_have_styles_of_their_own_and_neighbours_differ():
    example = one("abcde", "vwxyz", turns=[TurnMask(0.0), TurnMask(1.0)])
    assert styled(example, "go on") == {"dim"}
    assert styled(example, "abcde") == {"yellow", "bright_yellow"}
    assert styled(example, "vwxyz") == {"bold green", "bold bright_green"}
    assert styled(example, "<said>") == {"dim reverse"}
    assert "\x1b[" in printed(example, force_terminal=True, color_system="standard")


def test_without_colour_the_attributes_stay():
    out = printed(one("look"), force_terminal=True, no_color=True)
    assert "\x1b[2m" in out and "\x1b[1m" in out and "\x1b[32m" not in out


def test_a_hidden_part_of_a_reply_is_marked_where_it_is():
    example = one("aa ls bb", turns=[TurnMask(1.0, (Part(3, 5, "observation", 0.0),))])
    assert "{+aa +}[-ls-]{+ bb<end>+}" in printed(example)


def test_another_weight_is_written_before_what_it_holds_for():
    example = one("aa ls bb", turns=[TurnMask(1.0, (Part(3, 5, "observation", 0.25),))])
    assert "{+aa +}{+0.25 ls+}{+ bb<end>+}" in printed(example)


def test_control_characters_never_reach_the_terminal():
    out = printed(one("a\x1b[2Jb\x07\u202ec"), force_terminal=True, no_color=True, color_system=None)
    assert "\x1b[2J" not in out and "\x07" not in out and "\u202e" not in out
    assert "^[" in masked_text(one("a\x1b[2Jb"), SMALL).plain


def test_markup_in_the_text_is_text():
    assert "[bold]no[/bold]" in printed(one("[bold]no[/bold]"))


def test_a_character_that_is_cut_off_is_shown_as_what_is_left():
    ids = SMALL.encode("ok🦜")[:-1]
    example = Example(
        "x", array("i", ids), array("f", [1.0] * len(ids)), (Span("assistant", 0, 0, len(ids)),)
    )
    assert masked_text(example, SMALL).plain.split("\n\n")[1] == "{+ok\ufffd+}"


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(messages=chats())
@settings(deadline=None, max_examples=60)
def test_every_token_is_shown(kind, messages):
    tokenizer = TOKENIZERS[kind]
    example = render(messages, tokenizer)
    expected = ""
    for span in example.spans:
        text = tokenizer.decode(example.input_ids[span.start : span.end])
        expected += f"{{+{text}+}}" if span.role == "assistant" else text
    shown = masked_text(example, tokenizer).plain.split("\n\n", 1)[1]
    assert shown.replace("^M\n", "\n") == visible(expected).replace("^M\n", "\n")
