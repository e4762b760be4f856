"""Both parsers against the reference's own, read from its wheel: at least 20,000 replies in all."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal_lego.reply import Reply, parse_reply
from terminal_lego.reply_xml import parse_xml_reply, salvage_xml_reply
from tests.terminal_lego import reference
from tests.terminal_lego.damaged import json_replies, xml_replies

# What the reference cannot read at all ends its trial; here it is an error like any other.
CRASHES = (RecursionError, IndexError, OverflowError)


def assert_same(parser: object, read: Callable[[str], Reply], text: str) -> None:
    parsed = read(text)
    try:
        expected = parser.parse_response(text)
    except CRASHES:
        return
    commands = [(command.keystrokes, repr(command.duration)) for command in parsed.commands]
    assert commands == [(command.keystrokes, repr(command.duration)) for command in expected.commands]
    assert (parsed.error, parsed.warning) == (expected.error, expected.warning)
    assert parsed.task_complete == bool(expected.is_task_complete)
    if expected.error:
        return
    for mine, theirs in ((parsed.analysis, expected.analysis), (parsed.plan, expected.plan)):
        assert mine == (theirs if isinstance(theirs, str) else "")


def crashes(parser: object, text: str | None) -> bool:
    try:
        parser.parse_response(text or "")
    except CRASHES:
        return True
    return False


@pytest.fixture(scope="module")
def json_parser(harbor_wheel: Path) -> object:
    return reference.parser(harbor_wheel, "json")


@pytest.fixture(scope="module")
def xml_parser(harbor_wheel: Path) -> object:
    return reference.parser(harbor_wheel, "xml")


@pytest.fixture(scope="module")
def old_json_parser(old_harbor_wheel: Path) -> object:
    return reference.parser(old_harbor_wheel, "json")


@given(json_replies)
@settings(max_examples=10_000, database=None)
def test_json_replies_are_read_as_the_reference_reads_them(json_parser: object, text: str):
    assert_same(json_parser, parse_reply, text)


@given(xml_replies)
@settings(max_examples=9_000, database=None)
def test_xml_replies_are_read_as_the_reference_reads_them(xml_parser: object, text: str):
    assert_same(xml_parser, parse_xml_reply, text)
    salvaged = salvage_xml_reply(text)
    if not crashes(xml_parser, salvaged):
        assert salvaged == xml_parser.salvage_truncated_response(text)[0]


@given(json_replies)
@settings(max_examples=1_000, database=None)
def test_waits_are_warned_of_as_the_early_reference_did(old_json_parser: object, text: str):
    assert_same(old_json_parser, lambda reply: parse_reply(reply, warn_of_waits=True), text)


@given(st.text())
def test_any_text_is_read_as_the_reference_reads_it(json_parser: object, xml_parser: object, text: str):
    assert_same(json_parser, parse_reply, text)
    assert_same(xml_parser, parse_xml_reply, text)
