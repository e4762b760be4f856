"""The reference to compare with: its wheel, fetched and checked by hash, and parts of it, executed."""

import ast
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from terminal_lego.harness.harbor_wheel import PACKAGE, WHEEL_VARIABLE

WHEELS = {
    "0.25.0": "51923ac567fc57b03279e93468b105f689628bcac2cd3d541d4e44aa5c0ec309",
    "0.1.28": "33500f2d6d556287f794f3c8ca69641619db4b7617f8aadec25dd4f156e19824",
}


def wheel(version: str) -> Path:
    """The one the variable names, if it is this one, else from the package index; skips without either."""
    name, digest = f"harbor-{version}-py3-none-any.whl", WHEELS[version]
    folder = Path(tempfile.gettempdir()) / f"terminal-lego-wheels-{os.getuid()}"
    for known in (Path(os.environ.get(WHEEL_VARIABLE, "")), folder / name):
        if known.is_file() and sha256(known) == digest:
            return known
    with tempfile.TemporaryDirectory() as fetched:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--retries", "1", "--timeout", "10"]
        target = ["--no-deps", "--python-version", "3.12", "--only-binary", ":all:", "--dest", fetched]
        try:
            subprocess.run(
                [*pip, *target, f"harbor=={version}"], check=True, capture_output=True, timeout=120
            )
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(
                f"{WHEEL_VARIABLE} names no wheel of harbor {version} and pip could not get it: {error}"
            )
        assert sha256(Path(fetched, name)) == digest
        folder.mkdir(mode=0o700, exist_ok=True)
        return Path(fetched, name).replace(folder / name)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def source(path: Path, name: str) -> str:
    return zipfile.ZipFile(path).read(f"{PACKAGE}/{name}").decode()


class Ordered(dict):
    """Stands for `set` in the reference, which names what it found in the order of a set."""

    def __init__(self, items: Iterable = ()) -> None:
        super().__init__(dict.fromkeys(items))

    def add(self, item: object) -> None:
        self[item] = None

    def __sub__(self, other: Iterable) -> "Ordered":
        return Ordered(item for item in self if item not in other)


def parser(path: Path, kind: str) -> object:
    """An instance of the reference's parser, "json" or "xml"."""
    module = ModuleType(f"harbor_{kind}_parser")
    module.set = Ordered
    sys.modules[module.__name__] = module
    exec(source(path, f"terminus_{kind}_plain_parser.py"), module.__dict__)
    return getattr(module, f"Terminus{kind.upper()}PlainParser")()


class Agent:
    """Functions and f-strings of the reference's agent module, run on stand-ins for what they need."""

    def __init__(self, path: Path, kind: str) -> None:
        self._functions = {
            node.name: node
            for node in ast.walk(ast.parse(source(path, "terminus_2.py")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self.stub = SimpleNamespace(options=SimpleNamespace(parser_name=kind), _parser_name=kind)
        self.stub._get_error_response_type = lambda: self.call("_get_error_response_type")
        self.stub._limit_output_length = lambda text: text

    def call(self, function: str, *arguments: object) -> str:
        """Run a method without its annotations."""
        node = self._functions[function]
        names = [argument.arg for argument in node.args.args]
        plain = ast.parse(f"def {function}({', '.join(names)}): ...").body[0]
        plain.body, plain.args.defaults = node.body, node.args.defaults
        scope: dict = {}
        exec(compile(ast.fix_missing_locations(ast.Module([plain], [])), "reference", "exec"), scope)
        return scope[function](self.stub, *arguments)

    def texts(self, function: str, variable: str, **names: object) -> list[str]:
        """What is assigned or appended to a variable, of the expressions that need no other names."""
        found = []
        for node in ast.walk(self._functions[function]):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            is_wanted = isinstance(node, ast.Assign | ast.AugAssign) and ast.unparse(targets[0]) == variable
            if not is_wanted or any(isinstance(inner, ast.Await) for inner in ast.walk(node)):
                continue
            try:
                found.append(eval(ast.unparse(node.value), {"self": self.stub, **names}))
            except (NameError, AttributeError):
                continue
        return [text for text in found if isinstance(text, str)]

    def arguments(self, function: str, called: str) -> list[str]:
        """Constant texts given by name to a call."""
        return [
            keyword.value.value
            for node in ast.walk(self._functions[function])
            if isinstance(node, ast.Call) and ast.unparse(node.func) == called
            for keyword in node.keywords
            if isinstance(keyword.value, ast.Constant)
        ]
