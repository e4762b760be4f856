import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.report.safe_text import script_json, visible, visible_everywhere

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_script_json_keeps_the_value_and_holds_nothing_html_reads(value):
    text = script_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set(text) & set("<>&'")


@pytest.mark.parametrize("hostile", ["</script>", "<!--<script>", "\u2028", "a\u2029b"])
def test_script_json_escapes_what_could_end_the_script(hostile):
    assert hostile not in script_json([hostile])
    assert json.loads(script_json([hostile])) == [hostile]


def test_script_json_refuses_numbers_json_does_not_have():
    with pytest.raises(ValueError):
        script_json(float("nan"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "^[[31mred^[[0m"),
        ("\x00\x07\x7f", "^@^G^?"),
        ("a\tb\r\nc\n", "a\tb\nc\n"),
        ("50%\r100%", "50%^M100%"),
        ("evil\u202etxt.exe", "evil<U+202E>txt.exe"),
        ("\ud800", "<U+D800>"),
        ("é 漢字 🙂", "é 漢字 🙂"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown


@given(st.text())
def test_visible_text_has_nothing_invisible_left(text):
    shown = visible(text)
    assert visible(shown) == shown
    assert all(mark.isprintable() or mark in "\t\n" or ord(mark) > 0x9F for mark in shown)


def test_visible_everywhere_reaches_into_lists_and_dicts():
    assert visible_everywhere({"a": ["\x1b", {"b": "\x00"}], "n": 1}) == {"a": ["^[", {"b": "^@"}], "n": 1}
