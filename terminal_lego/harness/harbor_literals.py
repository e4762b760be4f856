"""Messages of the reference's agent module as `str.format` templates.

They stand there as f-strings inside functions. The module is parsed and never executed: each message is
the one string assigned to a known variable of a known function with known expressions in it.
"""

import ast
from collections.abc import Iterator, Mapping

from terminal_lego.errors import ConfigError

_TASK, _SCREEN = {"original_instruction": "{instruction}"}, {"limited_screen": "{screen}"}
# message: function, variable, what the string's expressions stand for.
_ASSIGNED: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "warning": (
        "_run_agent_loop",
        "observation",
        {"feedback": "{feedback}", "self._limit_output_length(terminal_output)": "{observation}"},
    ),
    "length_warnings": ("_query_llm", "warnings_text", {"parse_result.warning": "{warnings}"}),
    "handover": ("_summarize", "summary_prompt", _TASK),
    "questions": (
        "_summarize",
        "question_prompt",
        _TASK | {"summary_response.content": "{summary}", "current_screen": "{terminal_state}"},
    ),
    "answers": ("_summarize", "answer_request_prompt", {"model_questions": "{questions}"}),
    "resume": ("_summarize", "handoff_prompt", {"answers_response.content": "{answers}"}),
    "brief": ("_query_llm", "short_prompt", _TASK | _SCREEN),
    "briefed": ("_query_llm", "summary_prompt", _TASK | {"short_llm_response.content": "{summary}"}),
    "bare": ("_query_llm", "summary_prompt", _TASK | _SCREEN),
}
_SERVERS: Mapping[str, Mapping[str, str]] = {
    "mcp": {},
    "mcp_stdio": {"s.name": "{name}", "s.command": "{command}", "args_str": "{arguments}"},
    "mcp_url": {"s.name": "{name}", "s.transport": "{transport}", "s.url": "{url}"},
}


def read_messages(source: str, parser: str) -> dict[str, str]:
    """All messages but the initial one, for the reply format `parser`.

    Raises:
        ConfigError: a message is not where it was in the known versions.
    """
    tree = ast.parse(source)
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, _FUNCTION)}
    find = _Finder(functions)
    messages = {name: find.assigned(name, *where) for name, where in _ASSIGNED.items()}
    messages["confirm"] = find.returned(
        "confirm", "_get_completion_confirmation_message", parser, {"terminal_output": "{observation}"}
    )
    kind = find.returned("error", "_get_error_response_type", parser, {})
    known = {"feedback": "{feedback}", "self._get_error_response_type()": kind}
    messages["error"] = find.assigned("error", "_run_agent_loop", "prompt", known)
    messages |= _length(find)
    messages["apology"] = find.argument("apology", "_query_llm", "LLMResponse", "content")
    # Early versions do not tell the model of a task's servers.
    has_servers = "mcp_info" in source
    for name, known in _SERVERS.items():
        messages[name] = find.assigned(name, "run", "mcp_info", known) if has_servers else ""
    return messages


def _length(find: "_Finder") -> dict[str, str]:
    """Early versions name a fixed limit."""
    if not find.strings("_query_llm", "limit_str"):
        fixed = find.assigned("length", "_query_llm", "error_msg", {})
        return {"length": fixed, "length_unknown": fixed}
    limits = {
        "length": find.assigned("length", "_query_llm", "limit_str", {"output_limit": "{limit}"}),
        "length_unknown": find.assigned("length_unknown", "_query_llm", "limit_str", {}),
    }
    return {
        name: find.assigned(name, "_query_llm", "error_msg", {"limit_str": limit})
        for name, limit in limits.items()
    }


_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


class _Finder:
    def __init__(self, functions: Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef]) -> None:
        self._functions = functions

    def assigned(self, message: str, function: str, variable: str, known: Mapping[str, str]) -> str:
        """The one string of exactly these expressions that a function assigns to a variable."""
        fitting = [node for node in self.strings(function, variable) if set(_expressions(node)) == set(known)]
        if len(fitting) != 1:
            raise _missing(message, f"{len(fitting)} strings for {variable} in {function}")
        return _template(fitting[0], known)

    def strings(self, function: str, variable: str) -> list[ast.expr]:
        """All strings that a function assigns, or appends, to a variable."""
        return [
            node.value
            for node in self._walk(function)
            if isinstance(node, ast.Assign | ast.AugAssign)
            and [ast.unparse(target) for target in _targets(node)] == [variable]
            and _is_text(node.value)
        ]

    def returned(self, message: str, function: str, parser: str, known: Mapping[str, str]) -> str:
        """What a function returns where it compares the parser's name with `parser`."""
        for node in self._walk(function):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Compare):
                (compared, *_), (first, *_) = node.test.comparators, node.body
                if (
                    isinstance(compared, ast.Constant)
                    and compared.value == parser
                    and isinstance(first, ast.Return)
                    and first.value is not None
                    and _is_text(first.value)
                    and set(_expressions(first.value)) == set(known)
                ):
                    return _template(first.value, known)
        raise _missing(message, f"no text returned for {parser} in {function}")

    def argument(self, message: str, function: str, called: str, keyword: str) -> str:
        """The constant that a function gives to a call."""
        for node in self._walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == called:
                for argument in node.keywords:
                    if argument.arg == keyword and isinstance(argument.value, ast.Constant):
                        return _template(argument.value, {})
        raise _missing(message, f"no {called}({keyword}=…) in {function}")

    def _walk(self, function: str) -> Iterator[ast.AST]:
        return ast.walk(self._functions[function]) if function in self._functions else iter(())


def _missing(message: str, what: str) -> ConfigError:
    return ConfigError(f"the message {message!r} is not where known versions have it: {what}.")


def _targets(node: ast.Assign | ast.AugAssign) -> list[ast.expr]:
    return [node.target] if isinstance(node, ast.AugAssign) else node.targets


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and (_is_text(node.left) or _is_text(node.right))
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != ""
    )


def _pieces(node: ast.expr) -> Iterator[str | ast.expr]:
    """Constant text and expressions, in order."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            for value in values:
                yield from _pieces(value)
        case ast.BinOp(left=left, right=right):
            yield from _pieces(left)
            yield from _pieces(right)
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            yield value
        case _:
            yield node


def _expressions(node: ast.expr) -> Iterator[str]:
    return (ast.unparse(piece) for piece in _pieces(node) if not isinstance(piece, str))


def _template(node: ast.expr, known: Mapping[str, str]) -> str:
    return "".join(
        piece.replace("{", "{{").replace("}", "}}") if isinstance(piece, str) else known[ast.unparse(piece)]
        for piece in _pieces(node)
    )
