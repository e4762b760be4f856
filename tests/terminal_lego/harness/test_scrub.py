import json

from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.harness.scrub import scrub, scrub_folder, secrets_of


def test_what_counts_as_a_secret(make_task, monkeypatch):
    for name, value in {
        "SOME_API_KEY": "a-secret-value",
        "USE_AUTH_TOKEN": "true",
        "MAX_TOKENS": "100000000",
        "SSH_AUTH_SOCK": "/tmp/a-long-path",
        "OTHER": "nothing-secret",
    }.items():
        monkeypatch.setenv(name, value)
    found = secrets_of(make_task(verifier={"env": {"PASSWORD": "${OTHER}", "SECRET": "${MISSING}"}}))
    names = ("SOME_API_KEY", "USE_AUTH_TOKEN", "MAX_TOKENS", "SSH_AUTH_SOCK")
    assert [name for name in names if name in found.values()] == ["SOME_API_KEY"]


def test_tables_of_the_task_count(make_task):
    assert secrets_of(make_task(verifier={"env": {"PASSWORD": "hidden-word"}}))["hidden-word"] == "PASSWORD"


@given(st.text(min_size=8), st.text())
def test_no_secret_is_left_as_text_or_as_json(secret, around):
    secrets = {secret: "N"}
    text = f"{around}{secret}{around}"
    assert secret not in scrub(text, secrets).replace("[N]", "")
    assert json.dumps(secret)[1:-1] not in scrub(json.dumps(text), secrets).replace("[N]", "")


def test_only_text_is_rewritten(tmp_path):
    files = {"a/b.log": b"the secret-word \xff", "c.bin": b"\0secret-word", "d": b"nothing"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    outside = tmp_path / "outside"
    outside.write_text("secret-word")
    (tmp_path / "a" / "link").symlink_to(outside)
    scrub_folder(tmp_path / "a", {"secret-word": "WORD"})
    scrub_folder(tmp_path / "c.bin", {"secret-word": "WORD"})
    assert (tmp_path / "a" / "b.log").read_bytes() == b"the [WORD] \xff"
    assert outside.read_text() == "secret-word"
    scrub_folder(tmp_path, {"secret-word": "WORD"})
    assert (tmp_path / "c.bin").read_bytes() == files["c.bin"]
