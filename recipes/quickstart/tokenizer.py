"""The tokenizer of the tiny student.

Byte-level BPE with Qwen's chat tokens. What the harness and the world say in the same words every time
is one token each (that is the student's "vocabulary of phrases"); a name is always the same syllable
tokens, wherever it stands, and a number is single digits, so that a name seen on the screen can be
copied token by token.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.quickstart.families import FAMILIES, Family
from recipes.quickstart.names import SYLLABLES
from recipes.quickstart.teachers import TEACHERS, reply
from terminal_lego.harness.profile import Profile
from terminal_lego.reply import Reply, parse_reply

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = Path(__file__).parents[2] / "train" / "templates" / "chatml.jinja"

# Stand-ins for names and values while phrases are collected; no fixed text contains them.
_STAND_INS = {"folder": "Φ", "subject": "Σ", "output": "Ω", "file": "Δ", "value": "9999"}
_GAP = re.compile("[ΦΣΩΔ]|9999")
_SCREEN = (
    "\nroot@terminal:/app# ",
    "root@terminal:/app# ",
    "root@terminal:/app#",
    "Current Terminal Screen:\n",
    "New Terminal Output:\n",
    ": No such file or directory\n",
    "': No such file or directory\n",
    "grep: /app/",
    "mv: cannot stat '/app/",
    "cp: cannot stat '/app/",
    "rm: cannot remove '/app/",
    "chmod: cannot access '/app/",
    "/app/",
)


def build_tokenizer() -> "PreTrainedTokenizerFast":
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    # Letters two by two where they form a syllable, line breaks in runs, everything else alone.
    pieces = Regex("[bdfghklmnprstvz][aeiou]|\n+|[\\s\\S]")
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pieces, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    runs = ["\n" * 2**power for power in range(1, 6)]
    core.train_from_iterator(
        [*SYLLABLES, *runs] * 2,
        trainers.BpeTrainer(
            vocab_size=len(SPECIALS) + 256 + len(SYLLABLES) + len(runs),
            min_frequency=1,
            special_tokens=list(SPECIALS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    # A phrase that is one word must not match inside a name ("run" in "runi").
    core.add_tokens(
        [AddedToken(phrase, normalized=False, single_word=phrase.isalpha()) for phrase in phrases()]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=TEMPLATE.read_text(),
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def name_tokens(tokenizer: "PreTrainedTokenizerFast") -> list[int]:
    """Ids of the pieces that names and values are made of."""
    return [tokenizer.convert_tokens_to_ids(piece) for piece in (*SYLLABLES, *"0123456789")]


def phrases() -> list[str]:
    """The fixed texts of the harness and of both teachers, cut where a name or a value stands."""
    texts = [*_SCREEN, *_harness_texts(), *_scaffold()]
    for family in FAMILIES:
        templates = (family.instruction, family.look, family.act, family.verify, family.guess)
        said = [*(template.format_map(_STAND_INS) for template in templates), *_said(family)]
        # The usual file is cut out like any other name, so that both are written with the same pieces.
        texts += [text.replace(family.usual, "Δ" + family.suffix) for text in said]
        texts += [family.usual.removesuffix(family.suffix), family.suffix]
    pieces = {piece for text in texts for piece in _GAP.split(text)}
    return sorted(piece for piece in pieces if len(piece) > 1 and piece.strip())


def _scaffold() -> list[str]:
    """The JSON of a reply with no, one and two commands."""
    return [reply("Φ", "Φ", ["Φ"] * count, done) for count in range(3) for done in (False, True)]


def _said(family: Family) -> list[str]:
    """What both teachers write about one task of a family, on every path they can take."""
    instruction = family.instruction.format_map(_STAND_INS)
    file = _STAND_INS["file"] + family.suffix
    found = f"{file}\n/app/Φ/{file}\n/app/Φ/{file}: 9999\n"
    texts = []
    for teacher in TEACHERS.values():
        for first_screen in (found, f"No such file or directory\n{found}"):
            chat = [{"role": "user", "content": instruction}]
            for screen in (first_screen, found, found):
                written = teacher(chat)
                chat.append({"role": "assistant", "content": written})
                chat.append({"role": "user", "content": screen})
                parsed = parse_reply(written)
                texts += [parsed.analysis, parsed.plan, *(each.keystrokes for each in parsed.commands)]
    return texts


def _harness_texts() -> list[str]:
    profile = Profile.native()
    unreadable, doubtful = Reply(error="Φ"), Reply(warning="Φ")
    return [
        profile.initial("Φ", "Σ"),
        profile.confirm("Σ"),
        profile.error(unreadable),
        profile.warning(doubtful, "Σ"),
    ]
