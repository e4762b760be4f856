import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.harness.observation import delta, limit

NEW, SCREEN = "New Terminal Output:\n", "Current Terminal Screen:\n"


def test_the_first_capture_is_the_screen():
    assert delta(None, "all\n", "seen\n") == SCREEN + "seen\n"


def test_new_text_starts_at_the_last_old_line():
    assert delta("$ ls\na\n$\n\n\n", "$ ls\na\n$ pwd\n/app\n$\n", "?") == NEW + "\n$ pwd\n/app\n$\n"


def test_a_single_old_line_is_repeated_whole():
    assert delta("$\n\n\n", "$ ls\na\n$\n", "?") == NEW + "$ ls\na\n$\n"


def test_a_single_old_line_is_found_where_it_is():
    assert delta("b\n", "a b c\n", "?") == NEW + "b c\n"


def test_an_unchanged_screen_repeats_its_last_line_and_blank_rows():
    assert delta("$ ls\na\n$\n\n\n", "$ ls\na\n$\n\n\n", "?") == NEW + "\n$\n\n\n"


def test_leading_blank_text_changes_nothing():
    old = "\n\n$ ls\nabc\n$\n"
    assert delta(old, old, "?") == NEW + "\n$\n"


def test_leading_blank_text_makes_a_relative_start_too_early_by_its_length():
    old = "\n\n$ ls\nabc\n$\n"
    assert delta(old, old, "?", relative_offset=True) == NEW + "bc\n$\n"


@pytest.mark.parametrize("relative_offset", [False, True])
def test_a_relative_start_is_the_same_without_leading_blank_text(relative_offset: bool):
    new = delta("$ ls\na\n$\n", "$ ls\na\n$ pwd\n$\n", "?", relative_offset=relative_offset)
    assert new == NEW + "\n$ pwd\n$\n"
    assert delta("b\n", " b c\n", "?", relative_offset=relative_offset) == NEW + "b c\n"


def test_after_clear_the_screen_is_shown():
    assert delta("$ ls\na\n$\n", "$\n\n\n", "$\n\n\n") == SCREEN + "$\n\n\n"


def test_a_blank_old_capture_is_found_everywhere():
    assert delta("\n\n", "\n$\n", "?") == NEW + "\n$\n"


def test_nothing_but_blank_text_falls_back_to_the_screen():
    assert delta("\n\n", "\n\n\n", "\n\n\n") == SCREEN + "\n\n\n"


@pytest.mark.parametrize("size", [0, 9_999, 10_000])
def test_up_to_the_limit_nothing_changes(size: int):
    assert limit("x" * size) == "x" * size


def test_one_byte_over_the_limit():
    assert limit("a" * 5_000 + "b" + "c" * 5_000) == (
        "a" * 5_000 + "\n[... output limited to 10000 bytes; 1 interior bytes omitted ...]\n" + "c" * 5_000
    )


def test_bytes_count_not_characters():
    assert limit("é" * 5_000) == "é" * 5_000
    assert "2 interior bytes omitted" in limit("é" * 5_001)


def test_characters_cut_in_two_are_dropped_and_counted():
    text = "x" + "€" * 4_000 + "y"
    assert limit(text) == (
        "x"
        + "€" * 1_666
        + "\n[... output limited to 10000 bytes; 2004 interior bytes omitted ...]\n"
        + "€" * 1_666
        + "y"
    )


def test_the_second_pass_counts_the_marker_of_the_first():
    once = limit("x" * 1_000_000)
    assert "; 990000 interior bytes omitted" in once
    twice = limit(once)
    assert f"; {len(once) - 10_000} interior bytes omitted" in twice
    assert "990000" not in twice


@given(st.text(max_size=60), st.integers(2, 40))
def test_nothing_is_invented(text: str, max_bytes: int):
    limited = limit(text, max_bytes)
    if limited == text:
        assert len(text.encode()) <= max_bytes
        return
    marker = rf"\n\[\.\.\. output limited to {max_bytes} bytes; (\d+) interior bytes omitted \.\.\.\]\n"
    head, omitted, tail = re.split(marker, limited, maxsplit=1)
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head.encode()) + int(omitted) + len(tail.encode()) == len(text.encode())
