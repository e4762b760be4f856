import pytest

from terminal_lego.errors import StudentError
from terminal_lego.rendering.tokenizer import load_tokenizer
from tests.terminal_lego.rendering.samples import QUICKSTART


def test_a_template_file_replaces_the_tokenizers_own(tmp_path):
    file = tmp_path / "é.jinja"
    file.write_text("{{ messages }} é", encoding="utf-8")
    assert load_tokenizer(str(QUICKSTART), str(file)).chat_template == "{{ messages }} é"
    assert "<|im_start|>" in load_tokenizer(str(QUICKSTART)).chat_template


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_template_file_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "chat.jinja"
    if content:
        file.write_bytes(content)
    with pytest.raises(StudentError, match=r"student\.chat_template=.*chat\.jinja cannot be read") as caught:
        load_tokenizer(str(QUICKSTART), str(file))
    assert "\n" not in str(caught.value)


def test_a_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(StudentError, match="has no tokenizer that can be loaded") as caught:
        load_tokenizer(str(tmp_path))
    assert f"student.name_or_path={tmp_path}" in str(caught.value)


def test_a_tokenizer_without_offsets_is_refused(monkeypatch):
    kind = type(load_tokenizer(str(QUICKSTART)))
    monkeypatch.setattr(kind, "is_fast", False)
    with pytest.raises(StudentError, match=r"without tokenizer\.json"):
        load_tokenizer(str(QUICKSTART))
