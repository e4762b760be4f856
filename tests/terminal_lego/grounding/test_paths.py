from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.errors import ConfigError
from terminal_lego.grounding.paths import absolute, aligned, before_glob


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.txt", "/app/a.txt"),
        (".", "/app"),
        ("..", "/"),
        ("../../..", "/"),
        ("./a//b/../c/", "/app/a/c"),
        ("/", "/"),
        ("//etc/hosts", "/etc/hosts"),
        ("/etc/", "/etc"),
        ("~", "/root"),
        ("~/.ssh/config", "/root/.ssh/config"),
        ("a b", "/app/a b"),
        ("~other/x", None),
        ("$HOME/x", None),
        ("`pwd`/x", None),
        ("", None),
    ],
)
def test_absolute(text, path):
    assert absolute(text, "/app") == path


def test_without_a_working_directory_only_relative_paths_are_unknown():
    assert [absolute(text, None) for text in ("a", ".", "/a", "~/a")] == [None, None, "/a", "/root/a"]


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("*.py", "."),
        ("src/*.py", "src/"),
        ("src/a?/x", "src/"),
        ("/var/log/[ab]*/x*", "/var/log/"),
        ("/*", "/"),
    ],
)
def test_before_glob(pattern, folder):
    assert before_glob(pattern) == folder


@pytest.mark.parametrize(
    ("observed", "target", "holds"),
    [
        ("/app/src/x.py", "/app/src/x.py", {"exact", "strict", "loose"}),
        ("/app/src", "/app/src/x.py", {"strict", "loose"}),
        ("/app", "/app/src/deep/x.py", {"strict", "loose"}),
        ("/", "/app/x.py", {"strict", "loose"}),
        ("/app/src/x.py", "/app/src", {"loose"}),
        ("/app/src/x.py", "/", {"loose"}),
        ("/tmp/x.py", "/app/src/x.py", {"loose"}),
        ("/tmp", "/app/src/x.py", set()),
        ("/app/src", "/app/src2/x.py", set()),
        ("/app/src/y.py", "/app/src/x.py", set()),
    ],
)
def test_aligned(observed, target, holds):
    assert {align for align in ("exact", "strict", "loose") if aligned(observed, target, align)} == holds


def test_an_unknown_alignment_is_refused():
    with pytest.raises(ConfigError, match="'near' is none of exact, strict, loose"):
        aligned("/a", "/a", "near")


PATHS = st.lists(st.sampled_from(["a", "b", "a.py"]), max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(PATHS, PATHS)
def test_alignments_widen_and_follow_the_tree(observed, target):
    exact, strict, loose = (aligned(observed, target, align) for align in ("exact", "strict", "loose"))
    assert exact <= strict <= loose
    assert strict == PurePosixPath(target).is_relative_to(observed)
    assert loose == aligned(target, observed, "loose")


@given(st.text(max_size=20), st.sampled_from([None, "/", "/app/x"]))
def test_absolute_paths_are_normal_and_stay_what_they_are(text, cwd):
    path = absolute(text, cwd)
    if path is not None:
        assert path.startswith("/") and not path.startswith("//")
        assert not {"", ".", ".."} & set(path.split("/")[1:]) or path == "/"
        assert absolute(path, None) == path
