"""The student's tokenizer, with the chat template that its conversations are rendered through."""

from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.errors import StudentError
from terminal_lego.rendering.thinking import pinned

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_tokenizer(
    name_or_path: str, chat_template: str | None = None, thinking: str | None = None
) -> "PreTrainedTokenizerBase":
    """Loads a tokenizer.

    Args:
        name_or_path: a model folder, or a name on a hub.
        chat_template: a .jinja file to use instead of the template that comes with the tokenizer.
        thinking: the student's policy; a template that can switch thoughts on and off is set to it. None
            leaves it as it is, for a student that was trained before.

    Raises:
        StudentError: there is no tokenizer, it cannot tell tokens' places in a text, or it has no template.
    """
    from transformers import AutoTokenizer

    named = f"student.name_or_path={name_or_path}"
    try:
        tokenizer = AutoTokenizer.from_pretrained(name_or_path)
    except Exception as error:  # a folder can be broken in many ways
        raise StudentError(
            f"{named} has no tokenizer that can be loaded ({_first_line(error)}); "
            "give a folder, or a name on a hub that can be reached."
        ) from error
    if not tokenizer.is_fast:
        raise StudentError(f"{named} has a tokenizer without tokenizer.json; masks need one, convert it.")
    if chat_template:
        try:
            tokenizer.chat_template = Path(chat_template).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise StudentError(
                f"student.chat_template={chat_template} cannot be read ({_first_line(error)}); "
                "name a .jinja file."
            ) from error
    if not tokenizer.chat_template:
        raise StudentError(f"{named} has no chat template; set student.chat_template.")
    if thinking is not None:
        tokenizer.chat_template = pinned(tokenizer.get_chat_template(), thinking)
    return tokenizer


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
