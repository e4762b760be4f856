import pytest

from terminal_lego.harness.verifier_output import verifier_trouble

APT = """\
Hit:1 http://deb.debian.org/debian bookworm InRelease
Err:2 http://deb.debian.org/debian bookworm-updates InRelease
  Temporary failure resolving 'deb.debian.org'
E: Failed to fetch http://deb.debian.org/debian/pool/main/c/curl/curl_7.88.deb  Temporary failure resolving
E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?
/tests/test.sh: line 6: curl: command not found
/tests/test.sh: line 8: /root/.local/bin/env: No such file or directory
"""
UV = """\
Downloading uv 0.9.5 x86_64-unknown-linux-gnu
error: Request failed after 3 retries
  Caused by: Failed to fetch: `https://pypi.org/simple/pytest/`
"""
PIP = """\
WARNING: Retrying (Retry(total=0, connect=None, read=None)) after connection broken
ERROR: Could not find a version that satisfies the requirement pytest==8.4.1 (from versions: none)
ERROR: No matching distribution found for pytest==8.4.1
"""
FAILED = """\
============================= test session starts ==============================
collected 3 items
tests/test_outputs.py::test_file FAILED                                  [ 33%]
FAILED ../tests/test_outputs.py::test_file - AssertionError: missing
========================= 1 failed, 2 passed in 0.12s ==========================
"""


@pytest.mark.parametrize(
    ("stdout", "tool"),
    [
        (APT, "apt"),
        (PIP, "pip"),
        (UV, "uv"),
        ("curl: (6) Could not resolve host: astral.sh\n", "download"),
        ("bash: uvx: command not found\n", "uv"),
        ("/tests/test.sh: line 9: uvx: command not found\n", "uv"),
        ("fatal: unable to access 'https://github.com/a/b/': Could not resolve host\n", "download"),
        ("E: Unable to locate package tmux\n", "apt"),
    ],
)
def test_a_download_that_kept_the_tests_from_running_is_named(stdout, tool):
    assert verifier_trouble(stdout) == tool


@pytest.mark.parametrize(
    "ran",
    [
        FAILED,
        "1 passed in 0.10s\n",
        "=== 1 failed, 2 passed, 1 warning in 61.20s (0:01:01) ===\n",
        "Ran 4 tests in 0.002s\n\nFAILED (failures=1)\n",
        "ok 1 - builds\nnot ok 2 - runs\n",
        "PASSED ../tests/test_outputs.py::test_a\n",
    ],
)
def test_once_a_test_ran_its_verdict_counts(ran):
    assert verifier_trouble(APT + UV + ran) is None


@pytest.mark.parametrize(
    "stdout",
    [
        "",
        "cat: /app/out.txt: No such file or directory\n",
        "Traceback (most recent call last):\nImportError: cannot import name 'solve'\n",
        "the student wrote: curl failed\n",
        "E   AssertionError: expected 5\n",
    ],
)
def test_a_verifier_that_merely_failed_is_no_trouble(stdout):
    assert verifier_trouble(stdout) is None


def test_a_session_that_collected_nothing_after_a_failed_download_is_trouble():
    assert verifier_trouble(PIP + "collected 0 items\n\n==== no tests ran in 0.01s ====\n") == "pip"


def test_patterns_read_long_output_in_linear_time():
    assert verifier_trouble("E: W: = 1 a, a\n" * 20_000) is None
