"""JSON files of any size, value by value: lines, one big list, or one document."""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.loading import MAX_ROW, TOO_LARGE, open_regular

_CHUNK = 2**20
# Decoding may have failed only because the text so far ends, when it failed as near to the end as this.
_LONGEST_TOKEN = 32
_SPACE = re.compile(r"[ \t\n\r]*")
_decode = json.JSONDecoder().raw_decode

Row = tuple[str, Any]


class _MoreFollows(TrajectoryError):
    """A whole JSON value with something after it."""


def json_rows(file: Path) -> Iterator[Row]:
    """Where in the file (":7", or "" for all of it) and the value there.

    Lines come as bytes, to be parsed one by one; one that is too large as a TrajectoryError. A list is
    read twice: its items are yielded only when all of it is valid, and never held together.

    Raises:
        TrajectoryError: the file, or a list in it, is not valid JSON to its end.
    """
    if file.suffix != ".jsonl":
        try:
            yield from _list_or_document(file)
            return
        except _MoreFollows:
            pass
    yield from _lines(file)


def first_row(file: Path) -> Any:
    """The first value of the file, whatever comes after it; a line as bytes."""
    if file.suffix == ".jsonl":
        return next((line for _, line in _lines(file)), None)
    with open_regular(file) as stream:
        reader = _Reader(stream)
        if reader.peek() == "[":
            reader.take()
        return reader.value()


def _list_or_document(file: Path) -> Iterator[Row]:
    with open_regular(file) as stream:
        reader = _Reader(stream)
        if reader.peek() != "[":
            value = reader.value()
            reader.expect_end()
            yield "", value
            return
    for _ in _items(file):
        pass
    yield from _items(file)


def _items(file: Path) -> Iterator[Row]:
    with open_regular(file) as stream:
        reader = _Reader(stream)
        reader.peek()
        reader.take()
        number = 0
        if reader.peek() != "]":
            while True:
                number += 1
                yield f":{number}", reader.value()
                if reader.peek() != ",":
                    break
                reader.take()
        if reader.peek() != "]":
            raise TrajectoryError(f"not valid JSON: the list breaks off after item {number}")
        reader.take()
        reader.expect_end()


def _lines(file: Path) -> Iterator[Row]:
    """The lines that are not blank, counted from 1; only a newline ends a line."""
    with open_regular(file) as stream:
        if stream.read(3) != codecs.BOM_UTF8:
            stream.seek(0)
        number = 0
        while line := stream.readline(MAX_ROW + 1):
            number += 1
            if len(line) > MAX_ROW:
                while line and not line.endswith(b"\n"):
                    line = stream.readline(_CHUNK)
                yield f":{number}", TrajectoryError(TOO_LARGE)
            elif line := line.strip():
                yield f":{number}", line


class _Reader:
    """The text of a file from where reading stands; grows when more is asked for, forgets what was read."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at = "", 0
        self._forgotten = 0
        if self._more() and self._text.startswith("\ufeff"):
            self._at = 1

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self) -> None:
        self._at += 1

    def expect_end(self) -> None:
        if self.peek():
            raise _MoreFollows("more than one JSON value")

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except RecursionError:
                raise TrajectoryError("JSON nested too deeply") from None
            except json.JSONDecodeError as error:
                torn = error.pos > len(self._text) - _LONGEST_TOKEN or error.msg.startswith("Unterminated")
                if not (torn and self._more()):
                    place = self._forgotten + error.pos
                    raise TrajectoryError(f"not valid JSON: {error.msg} (character {place})") from None
            except ValueError as error:
                raise TrajectoryError(f"not valid JSON: {error}") from None
            else:
                # Only a number can go on after what already is one.
                whole = isinstance(value, dict | list | str) or end < len(self._text) - _LONGEST_TOKEN
                if whole or not self._more():
                    self._at = end
                    return value

    def _more(self) -> bool:
        """Read on, each time as much again as is kept, so that a large value is not decoded too often."""
        kept = len(self._text) - self._at
        if kept > MAX_ROW:
            raise TrajectoryError(f"not readable: the value at character {self._forgotten} is {TOO_LARGE}")
        data = self._stream.read(min(max(_CHUNK, kept), MAX_ROW + 1 - kept))
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            place = self._stream.tell() - len(data)
            raise TrajectoryError(f"not UTF-8 text (near byte {place + error.start})") from None
        if not data:
            return False
        self._forgotten += self._at
        self._text, self._at = self._text[self._at :] + text, 0
        return True
