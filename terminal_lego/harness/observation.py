"""What of the terminal an agent is shown: pure functions from captured text to observation."""

MAX_BYTES = 10_000


def delta(previous: str | None, full: str, visible: str, *, relative_offset: bool = False) -> str:
    """Label and cut a capture as Terminus-2 does.

    Args:
        previous: the last capture with scrollback; None before the first.
        full: this capture with scrollback.
        visible: the screen alone.
        relative_offset: the quirk of that name: what comes before the old text in `full` is not counted.

    Returns:
        What is new since `previous`, starting at the end of that capture's last line but one (with one
        line: at its beginning), or the whole screen when the old text is not found in the new (cleared,
        full-screen program, scrollback overflow).
    """
    known = None if previous is None else previous.strip()
    if known is not None and known in full:
        last_line = known.rfind("\n")
        start = 0 if relative_offset and last_line >= 0 else full.index(known)
        start += max(last_line, 0)
        if full[start:].strip():
            return f"New Terminal Output:\n{full[start:]}"
    return f"Current Terminal Screen:\n{visible}"


def limit(text: str, max_bytes: int = MAX_BYTES) -> str:
    """Keep the first and last half of what is longer than `max_bytes` in UTF-8.

    Characters cut in two are dropped. The marker comes on top of the limit, so a limited text is
    itself over it; a second pass replaces the marker by one that counts the first.
    """
    data = text.encode()
    if len(data) <= max_bytes:
        return text
    half = max_bytes // 2
    head = data[:half].decode(errors="ignore")
    tail = data[-half:].decode(errors="ignore")
    omitted = len(data) - len(head.encode()) - len(tail.encode())
    return f"{head}\n[... output limited to {max_bytes} bytes; {omitted} interior bytes omitted ...]\n{tail}"
