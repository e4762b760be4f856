"""A tokenizer as large models have them: byte-level BPE with 32,000 tokens, trained on the corpus itself."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bench.corpus import Corpus
from terminal_lego.formats import SetAside, iter_trajectories
from terminal_lego.trajectory import Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

VOCABULARY = 32_000
TRAINED_ON = 800
TEMPLATE = Path(__file__).parent.parent / "train" / "templates" / "chatml.jinja"
END, START, TEXT_END = "<|im_end|>", "<|im_start|>", "<|endoftext|>"

# What counts as one word before merging, as in GPT-4 and Qwen: short endings, letters with one sign before
# them, single digits, signs with the line breaks after them, white space.
_ENDINGS = r"(?i:'(?:s|t|d|m|re|ve|ll))"
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"


def load(corpus: Corpus) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(corpus.folder / "tokenizer")


def make(corpus: Corpus) -> None:
    """Trains it, unless it lies beside the corpus already."""
    folder = corpus.folder / "tokenizer"
    if (folder / "tokenizer.json").exists():
        return
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex("|".join((_ENDINGS, _WORDS, _SIGNS, _SPACES))), behavior="isolated")
    in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([words, in_bytes])
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[TEXT_END, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_texts(corpus), trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=END,
        pad_token=TEXT_END,
        chat_template=TEMPLATE.read_text(encoding="utf-8"),
    ).save_pretrained(folder)


def spread(corpus: Corpus, count: int) -> list[Trajectory]:
    """As many from each quarter of the corpus, which is ordered by teacher."""
    every = max(1, corpus.trajectories // count)
    found = (item for item in iter_trajectories(corpus.parquet) if not isinstance(item, SetAside))
    return list(islice(islice(found, 0, None, every), count))


def _texts(corpus: Corpus) -> Iterator[str]:
    for trajectory in spread(corpus, TRAINED_ON):
        for message in trajectory.messages():
            yield message["content"]
