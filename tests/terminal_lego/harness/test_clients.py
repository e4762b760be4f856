import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from terminal_lego.errors import ConfigError, ContextLengthExceededError, ModelUnavailableError
from terminal_lego.harness.clients.openai_compatible import PAUSES, OpenAICompatibleClient
from terminal_lego.harness.clients.scripted import ScriptedClient

ASK = [{"role": "user", "content": "hé"}]
KEY = "sk-do-not-show"


def answer(content: str | None = "hi", finish_reason: str = "stop", **message: object) -> tuple[int, dict]:
    return 200, {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


def refusal(status: int, message: str, code: str | None = None) -> tuple[int, dict]:
    return status, {"error": {"message": message, "type": "x", "code": code}}


class ModelServer(HTTPServer):
    """Plays a list of (status, JSON) answers, the last one for ever; keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, object]] = [answer()]
        self.models: object = None
        self.requests: list[dict] = []
        self.authorization: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({"path": self.path, **asked})
        self.server.authorization.append(self.headers["Authorization"])
        status, content = self.server.answers[0]
        if len(self.server.answers) > 1:
            del self.server.answers[0]
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.server.requests.append({"path": self.path})
        body = json.dumps(self.server.models).encode()
        self.send_response(200 if self.server.models else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(server: ModelServer, pauses: list[float]) -> OpenAICompatibleClient:
    return OpenAICompatibleClient("m", server.url, sleep=pauses.append)


def test_an_answer_comes_back_whole(server: ModelServer, client: OpenAICompatibleClient):
    server.answers = [answer(" hé\n", reasoning_content="hm")]
    completion = client.complete(ASK)
    assert (completion.text, completion.finish_reason, completion.reasoning) == (" hé\n", "stop", "hm")
    assert (completion.prompt_tokens, completion.completion_tokens) == (7, 3)


def test_nothing_is_sent_that_was_not_asked_for(server: ModelServer, client: OpenAICompatibleClient):
    client.complete(ASK)
    assert server.requests == [{"path": "/v1/chat/completions", "model": "m", "messages": ASK}]


def test_sampling_and_extra_fields_are_sent_when_set(server: ModelServer):
    client = OpenAICompatibleClient(
        "m",
        server.url,
        temperature=0.0,
        max_tokens=64,
        extra_body={"chat_template_kwargs": {"thinking": False}},
    )
    client.complete(ASK)
    (asked,) = server.requests
    assert (asked["temperature"], asked["max_tokens"]) == (0.0, 64)
    assert asked["chat_template_kwargs"] == {"thinking": False}


def test_a_cut_answer_says_so(server: ModelServer, client: OpenAICompatibleClient):
    server.answers = [answer("{", finish_reason="length")]
    assert client.complete(ASK).finish_reason == "length"


def test_an_empty_answer_is_text(server: ModelServer, client: OpenAICompatibleClient):
    server.answers = [answer(None)]
    assert client.complete(ASK).text == ""


def test_half_a_surrogate_pair_is_replaced(server: ModelServer, client: OpenAICompatibleClient):
    server.answers = [answer("a\ud800b")]
    assert client.complete(ASK).text == "a?b"


def test_a_reasoning_server_leaves_line_breaks_that_stay(server: ModelServer, client: OpenAICompatibleClient):
    server.answers = [answer("\n\n{}", reasoning_content="hm")]
    assert client.complete(ASK).text == "\n\n{}"


def with_details() -> tuple[int, dict]:
    """As vLLM sends them."""
    status, body = answer()
    token = {"token": "hi", "bytes": None, "top_logprobs": []}
    body["choices"][0] |= {"token_ids": [8], "logprobs": {"content": [{**token, "logprob": -0.25}]}}
    body["usage"]["prompt_tokens_details"] = {"cached_tokens": 4}
    return status, body | {"prompt_token_ids": [5, 6, 7]}


def test_token_ids_and_log_probabilities_come_back_when_asked_for(server: ModelServer):
    server.answers = [with_details()]
    body = {"chat_template_kwargs": {}}
    completion = OpenAICompatibleClient("m", server.url, token_details=True, extra_body=body).complete(ASK)
    (asked,) = server.requests
    assert (asked["logprobs"], asked["return_token_ids"], asked["chat_template_kwargs"]) == (True, True, {})
    assert completion.prompt_token_ids == (5, 6, 7)
    assert (completion.completion_token_ids, completion.logprobs) == ((8,), (-0.25,))
    assert completion.cached_tokens == 4


def test_a_refused_detail_is_not_asked_for_again(server: ModelServer, pauses: list[float]):
    client = OpenAICompatibleClient("m", server.url, token_details=True, sleep=pauses.append)
    server.answers = [refusal(400, "Unrecognized request argument supplied: return_token_ids"), answer()]
    assert client.complete(ASK).text == "hi"
    client.complete(ASK)
    asked = [("return_token_ids" in request, "logprobs" in request) for request in server.requests]
    assert asked == [(True, True), (False, True), (False, True)]
    assert pauses == []


@pytest.mark.parametrize(
    ("models", "context"),
    [
        ({"data": [{"id": "x", "max_model_len": 1}, {"id": "m", "max_model_len": 4096}]}, 4032),
        ({"data": [{"id": "m"}]}, None),
        ({"data": [{"id": "m", "max_model_len": "4096"}]}, None),
        ({"data": {"id": "m"}}, None),
        ([], None),
    ],
)
def test_the_context_is_what_the_server_says_less_the_reply(
    server: ModelServer, models: object, context: int | None
):
    server.models = models
    client = OpenAICompatibleClient("m", server.url, max_tokens=64)
    assert [client.context, client.context] == [context, context]
    assert server.requests == [{"path": "/v1/models"}] or models == []
    assert client.output_limit == 64


def test_a_given_context_is_not_asked_for(server: ModelServer):
    assert OpenAICompatibleClient("m", server.url, max_input_tokens=99).context == 99
    assert server.requests == []


def test_tokens_are_counted_at_the_rate_of_the_last_answer(
    server: ModelServer, client: OpenAICompatibleClient
):
    before = client.count(ASK * 100)
    client.complete(ASK)
    assert client.count(ASK) == 7
    assert client.count(ASK * 100) == 700 > before > 0


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_asked_again(
    server: ModelServer, client: OpenAICompatibleClient, pauses: list[float], status: int
):
    server.answers = [refusal(status, "busy"), refusal(status, "busy"), answer()]
    assert client.complete(ASK).text == "hi"
    assert pauses == list(PAUSES[:2])


def test_a_server_that_is_down_for_a_minute_costs_no_trial(
    server: ModelServer, client: OpenAICompatibleClient, pauses: list[float]
):
    def down_until_a_minute_has_passed(seconds: float) -> None:
        pauses.append(seconds)
        if sum(pauses) >= 60:
            server.answers = [answer()]

    client._sleep = down_until_a_minute_has_passed
    server.answers = [refusal(503, "starting")]
    assert client.complete(ASK).text == "hi"
    assert sum(pauses) >= 60


def test_it_gives_up_after_the_last_pause(
    server: ModelServer, client: OpenAICompatibleClient, pauses: list[float]
):
    server.answers = [refusal(503, "overloaded")]
    with pytest.raises(ModelUnavailableError, match=r"HTTP 503.*overloaded"):
        client.complete(ASK)
    assert pauses == list(PAUSES)
    assert len(server.requests) == len(PAUSES) + 1


def test_a_pause_that_would_outlast_the_timeout_is_not_begun(
    server: ModelServer, client: OpenAICompatibleClient, pauses: list[float]
):
    server.answers = [refusal(503, "overloaded")]
    with pytest.raises(ModelUnavailableError):
        client.complete(ASK, timeout=PAUSES[0] - 1)
    assert pauses == []


def test_without_time_nothing_is_asked(server: ModelServer, client: OpenAICompatibleClient):
    with pytest.raises(ModelUnavailableError, match="no time"):
        client.complete(ASK, timeout=0)
    assert server.requests == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_for_good_is_not_repeated(
    server: ModelServer, client: OpenAICompatibleClient, pauses: list[float], status: int
):
    server.answers = [refusal(status, "no such thing")]
    with pytest.raises(ModelUnavailableError, match=f"HTTP {status}"):
        client.complete(ASK)
    assert pauses == []


def test_a_server_that_is_not_there_is_named(pauses: list[float]):
    client = OpenAICompatibleClient("m", "http://127.0.0.1:1/v1", sleep=pauses.append)
    with pytest.raises(ModelUnavailableError, match=r"m at http://127\.0\.0\.1:1/v1"):
        client.complete(ASK)
    assert pauses == list(PAUSES)


@pytest.mark.parametrize("content", [{}, {"choices": []}, {"choices": [{}]}, "text", [1]])
def test_an_answer_in_another_protocol_is_an_error(
    server: ModelServer, client: OpenAICompatibleClient, content: object
):
    server.answers = [(200, content)]
    with pytest.raises(ModelUnavailableError, match="not a chat completion"):
        client.complete(ASK)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("too much", "context_length_exceeded"),
        ("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens", None),
        ("The decoder prompt (length 9) is longer than the maximum model length of 8.", None),
        ("Input length (5000) exceeds model's maximum context length (4096).", None),
        ("the request exceeds the available context size", None),
        ("The input (9 tokens) is longer than the model's context length (8 tokens).", None),
        ("prompt is too long: 9 tokens > 8 maximum", None),
        ("Input is too long for requested model.", None),
        ("`inputs` tokens + `max_new_tokens` must be <= 8. Given: 9", None),
    ],
)
def test_context_overflow_is_told_apart(
    server: ModelServer, client: OpenAICompatibleClient, message: str, code: str | None
):
    server.answers = [refusal(400, message, code)]
    with pytest.raises(ContextLengthExceededError):
        client.complete(ASK)
    assert len(server.requests) == 1


def test_the_key_is_used_and_never_shown(server: ModelServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEST_MODEL_KEY", KEY)
    client = OpenAICompatibleClient("m", server.url, api_key_env="TEST_MODEL_KEY")
    server.answers = [refusal(401, f"Incorrect API key provided: {KEY}")]
    with pytest.raises(ModelUnavailableError) as caught:
        client.complete(ASK)
    assert server.authorization == [f"Bearer {KEY}"]
    assert KEY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_missing_key_is_named(server: ModelServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TEST_MODEL_KEY", raising=False)
    with pytest.raises(ConfigError, match="TEST_MODEL_KEY is not set"):
        OpenAICompatibleClient("m", server.url, api_key_env="TEST_MODEL_KEY")


def test_a_scripted_client_answers_by_its_policy():
    client = ScriptedClient(lambda messages: messages[-1]["content"].upper(), model="echo")
    assert client.complete(ASK).text == "HÉ"
    assert client.model == "echo"
    assert (client.context, client.output_limit, client.count(ASK)) == (None, None, 2)
