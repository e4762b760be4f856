import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from terminal_lego.errors import ContextLengthExceededError, ModelUnavailableError, StudentError
from terminal_lego.harness.clients.local_transformers import LocalStudent

BASE = Path(__file__).parents[3] / "recipes" / "quickstart" / "base"
LONGEST, CONTEXT = 24, 1000
torch.set_num_threads(1)  # these models gain nothing from more


def ask(text: str, *more: str) -> list[dict[str, str]]:
    """A conversation: user, then assistant and user in turn."""
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": each} for i, each in enumerate((text, *more))]


QUESTIONS = [
    ask("bade fuga bade fuga ba"),
    ask("/app/" + "kilomu" * 40),
    ask("one", "two", "three"),
    ask("é🦜 \n\n <b>"),
    ask(""),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The shipped base with larger weights, so that its answers differ and one of them ends by itself."""
    folder = tmp_path_factory.mktemp("model")
    shutil.copytree(BASE, folder, dirs_exist_ok=True)
    network = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    network.config.max_position_embeddings = CONTEXT
    network.save_pretrained(folder)
    # What a served model must not inherit: sampling, penalties, other stops.
    GenerationConfig(
        do_sample=True, temperature=2.0, repetition_penalty=1.5, eos_token_id=[0, 2], pad_token_id=0
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def student(model):
    with LocalStudent(model, max_new_tokens=LONGEST) as student:
        yield student


def greedy(model: Path, messages: list[dict[str, str]]) -> tuple[list[int], int]:
    """The likeliest tokens one by one, without a cache, a batch or `generate`; and the prompt's length."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    prompt = len(ids)
    while len(ids) < prompt + LONGEST and tokenizer.eos_token_id not in ids[prompt:]:
        with torch.no_grad():
            ids.append(int(network(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[prompt:], prompt


@pytest.mark.parametrize("messages", QUESTIONS, ids=range(len(QUESTIONS)))
def test_an_answer_is_the_likeliest_text_up_to_the_end_of_the_turn(messages, model, student):
    expected, prompt = greedy(model, messages)
    tokenizer = AutoTokenizer.from_pretrained(model)
    answer = student.complete(messages)
    stopped = expected[-1] == tokenizer.eos_token_id
    assert answer.text == tokenizer.decode(expected[:-1] if stopped else expected)
    assert answer.finish_reason == ("stop" if stopped else "length")
    assert (answer.prompt_tokens, answer.completion_tokens) == (prompt, len(expected))


@pytest.mark.parametrize(
    ("written", "thought", "reply"),
    [("<think>\nhm\n</think>\n\n{}", "hm", "\n\n{}"), ("hm</think>{}", "hm", "{}"), ("{}", None, "{}")],
)
def test_thoughts_are_taken_out_for_a_student_that_reads_none(written, thought, reply, model, student):
    ids = torch.tensor([*student._tokenizer.encode(written), student._tokenizer.eos_token_id])
    kept = student._completion(ids, 1)
    assert (kept.text, kept.reasoning) == (written, None)
    with LocalStudent(model, takes_thoughts=True) as parsing:
        taken = parsing._completion(ids, 1)
    assert (taken.text, taken.reasoning) == (reply, thought)
    assert taken.completion_tokens == kept.completion_tokens


@pytest.mark.parametrize("messages", QUESTIONS, ids=range(len(QUESTIONS)))
def test_a_conversation_is_counted_as_it_is_sent(messages, student):
    assert student.count(messages) == student.complete(messages).prompt_tokens
    assert (student.context, student.output_limit) == (CONTEXT - LONGEST, LONGEST)


def test_a_conversation_that_has_not_begun_takes_no_room(student):
    assert student.count([]) == 0


def test_answers_in_one_batch_are_those_given_alone(student, monkeypatch):
    alone = [student.complete(messages) for messages in QUESTIONS]
    assert len({answer.text for answer in alone}) > 2
    assert {answer.finish_reason for answer in alone} == {"stop", "length"}
    sizes = []
    generate = student._generate

    def counted(prompts):
        sizes.append(len(prompts))
        return generate(prompts)

    monkeypatch.setattr(student, "_generate", counted)
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(student.complete, QUESTIONS * 6))
    assert together == alone * 6
    assert sum(sizes) == len(together)
    assert 1 < max(sizes) <= 16


def test_what_does_not_fit_is_refused_and_its_neighbours_are_answered(student):
    questions = [QUESTIONS[0], ask("x" * CONTEXT), QUESTIONS[1]]
    with ThreadPoolExecutor(3) as pool:
        first, long, second = [pool.submit(student.complete, messages) for messages in questions]
    with pytest.raises(ContextLengthExceededError, match=r"10\d\d prompt tokens and 24 .* exceed the 1000 "):
        long.result()
    assert first.result() == student.complete(QUESTIONS[0])
    assert second.result() == student.complete(QUESTIONS[1])


def test_a_fault_reaches_the_one_who_asked_and_the_next_is_answered(student):
    with pytest.raises(ModelUnavailableError, match=student.model):
        student.complete([{"role": "user"}, None])
    assert student.complete(QUESTIONS[0]).text


def test_no_answer_in_time(student):
    with pytest.raises(ModelUnavailableError, match="no reply within 0 s"):
        student.complete(QUESTIONS[1], timeout=0)
    assert student.complete(QUESTIONS[0], timeout=60).text


def test_closing_answers_what_waits_and_refuses_what_comes_later(model):
    student = LocalStudent(model, max_new_tokens=4, max_batch=2)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(student.complete, QUESTIONS[0]) for _ in range(8)]
        waiting[0].result()
        student.close()
        student.close()
    outcomes = [each.exception() for each in waiting]
    assert {type(error) for error in outcomes} <= {type(None), ModelUnavailableError}
    with pytest.raises(ModelUnavailableError, match="closed already"):
        student.complete(QUESTIONS[0])


BREAKAGES = {
    "no folder": lambda folder: shutil.rmtree(folder),
    "empty folder": lambda folder: [file.unlink() for file in folder.iterdir()],
    "torn configuration": lambda folder: (folder / "config.json").write_text("{"),
    "torn weights": lambda folder: (folder / "model.safetensors").write_bytes(b"torn"),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "no chat template": lambda folder: (folder / "chat_template.jinja").unlink(),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_model_that_cannot_be_used_is_refused_in_one_sentence(breakage, tmp_path):
    folder = tmp_path / "some" / "model"
    shutil.copytree(BASE, folder)
    BREAKAGES[breakage](folder)
    with pytest.raises(StudentError) as caught:
        LocalStudent(folder)
    assert str(caught.value).startswith(f"{folder}: ")
    assert "\n" not in str(caught.value)
