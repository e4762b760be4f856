"""Tokenizers and chats for the tests of this room."""

from pathlib import Path

from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

ROOT = Path(__file__).parents[3]
QUICKSTART = ROOT / "recipes" / "quickstart" / "base"


def small_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE that merges spaces and line breaks with what follows, another template, no padding."""
    core = Tokenizer(models.BPE())
    splitting = pre_tokenizers.Split(Regex(r" ?\w+|\s+|[^\s\w]+"), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([splitting, byte_level])
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<end>", "<said>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(["user assistant\n\n\n  the terminal\n\n said so"] * 9, trainer)
    core.add_tokens([AddedToken("the terminal", normalized=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<end>",
        chat_template="{% for m in messages %}<said>{{ m.role }} {{ m.content }}<end>{% endfor %}"
        "{% if add_generation_prompt %}<said>assistant {% endif %}",
    )


TOKENIZERS = {
    "quickstart": AutoTokenizer.from_pretrained(QUICKSTART),
    "small": small_tokenizer(),
}
SPECIALS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<end>", "<said>")
# A property generator draws constants from the code under test, these among them.
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.sampled_from('\n\r\t {}"\\</|>imend_é🦜\u0301')),
    st.sampled_from(["", "\n", "\n\n{}", " \n", "<|im_end", "the terminal", "Current Terminal Screen:\n"]),
).filter(lambda text: not any(special in text for special in SPECIALS))


@st.composite
def chats(draw) -> list[dict[str, str]]:
    system = [{"role": "system", "content": draw(TEXTS)}] if draw(st.booleans()) else []
    turns = draw(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
    return system + [
        {"role": role, "content": text}
        for turn in turns
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]


def chat(*replies: str) -> list[dict[str, str]]:
    said = [({"role": "user", "content": "go on"}, {"role": "assistant", "content": r}) for r in replies]
    return [message for pair in said for message in pair]
