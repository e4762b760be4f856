"""Getting text and JSON off the disk; whatever is wrong becomes a one-sentence TrajectoryError."""

import json
import math
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from terminal_lego.errors import TrajectoryError
from terminal_lego.trajectory import Trajectory

# The largest row, line or one-document file that is read, in bytes: more is no conversation.
MAX_ROW = 64 * 2**20
TOO_LARGE = f"larger than {MAX_ROW // 2**20} MiB, the most that one row may be"


def open_regular(file: Path) -> BinaryIO:
    """Open a file, never a pipe or a device, which may have no end."""
    try:
        if file.exists() and not file.is_file():
            raise TrajectoryError("not a regular file")
        return file.open("rb")
    except OSError as error:
        raise TrajectoryError(f"cannot be read: {error.strerror or error}") from None


def load_bytes(file: Path) -> bytes:
    try:
        with open_regular(file) as stream:
            data = stream.read(MAX_ROW + 1)
    except OSError as error:
        raise TrajectoryError(f"cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_ROW:
        raise TrajectoryError(TOO_LARGE)
    return data


def load_text(file: Path) -> str:
    """The file's text, line ends untouched."""
    return decode(load_bytes(file))


def decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TrajectoryError(f"not UTF-8 text (byte {error.start})") from None


def load_json(file: Path) -> Any:
    return parse_json(load_text(file).removeprefix("\ufeff"))


def parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise TrajectoryError("JSON nested too deeply") from None
    except ValueError as error:
        raise TrajectoryError(f"not valid JSON: {error}") from None


def dig(data: Any, *keys: str) -> Any:
    """`data[key][key]…`, None as soon as something on the way is missing or not an object."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def text_or(value: Any, default: str) -> str:
    return value if isinstance(value, str) and value else default


def number(value: Any) -> float | None:
    """A finite number (true is 1), else None."""
    try:
        return float(value) if isinstance(value, bool | int | float) and math.isfinite(value) else None
    except OverflowError:
        return None


def is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def one_sentence(error: ValidationError) -> str:
    """The first of pydantic's complaints, as `field: rule`."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else first["msg"]


def check_text(trajectory: Trajectory) -> Trajectory:
    """Half a surrogate pair survives in JSON but is no text: no tokenizer or Parquet file can hold it.

    Raises:
        TrajectoryError: there is one, or `extra` is more than Parquet and ATIF can keep.
    """
    try:
        extra = json.dumps(trajectory.extra, ensure_ascii=False)
        for text in (extra, *_texts(trajectory)):
            # Asking is free, encoding is not, and most of what a terminal says is ASCII.
            if not text.isascii():
                text.encode("utf-8")
    except UnicodeEncodeError:
        raise TrajectoryError("holds half a surrogate pair, which is not valid text") from None
    except RecursionError:
        raise TrajectoryError("extra is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise TrajectoryError(f"extra holds more than JSON values: {error}") from None
    return trajectory


def _texts(trajectory: Trajectory) -> list[str]:
    texts = [trajectory.id, trajectory.task, trajectory.model, trajectory.prompt, trajectory.source]
    texts += [trajectory.agent, trajectory.agent_version, trajectory.exception or ""]
    for turn in trajectory.turns:
        texts += (turn.reply, turn.observation, turn.reasoning or "")
    return texts
