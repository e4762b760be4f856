from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from terminal_lego.errors import ModelUnavailableError
from terminal_lego.harness.clients.openai_compatible import PAUSES
from terminal_lego.harness.metered import MeteredClient, retry_after
from terminal_lego.harness.spending import Spending
from tests.terminal_lego.harness.teacher_server import TeacherServer, teacher_server

ASK = [{"role": "user", "content": "hi"}]


@pytest.fixture
def server() -> Iterator[TeacherServer]:
    with teacher_server(lambda messages: "yes") as server:
        yield server


@pytest.fixture
def spending(tmp_path: Path) -> Spending:
    return Spending(tmp_path / "calls.log")


def client(server: TeacherServer, spending: Spending, pauses: list[float]) -> MeteredClient:
    return MeteredClient("m", server.url, spending=spending, sleep=pauses.append, clock=lambda: 0.0)


def test_a_rate_limit_is_waited_for_and_is_no_failed_attempt(server, spending):
    pauses: list[float] = []
    server.refusals = [(429, {"Retry-After": "7"})] * (len(PAUSES) + 3)
    assert client(server, spending, pauses).complete(ASK, timeout=60).text == "yes"
    assert pauses == [7.0] * (len(PAUSES) + 3)
    assert spending.calls == 1


def test_the_limit_holds_for_every_conversation(server, spending):
    pauses: list[float] = []
    asked = client(server, spending, pauses)
    server.refusals = [(429, {"Retry-After": "7"})]
    asked.complete(ASK, timeout=60)
    asked.complete(ASK, timeout=60)
    assert pauses == [7.0, 7.0]


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}, {"Retry-After": "3600"}])
def test_a_limit_without_a_usable_time_is_left_to_the_retries(server, spending, headers):
    pauses: list[float] = []
    server.refusals = [(429, headers)] * (len(PAUSES) + 1)
    with pytest.raises(ModelUnavailableError, match="429"):
        client(server, spending, pauses).complete(ASK, timeout=600)
    assert pauses == list(PAUSES)


def test_retry_after_is_seconds_or_a_date():
    assert retry_after("1.5") == 1.5
    assert retry_after("-3") == 0.0
    assert retry_after(None) is retry_after("") is retry_after("nan") is retry_after("soon") is None
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3_000 < retry_after(date) <= 3_600


def test_a_call_costs_what_the_server_says(server, spending):
    server.usage |= {"cost": 0.25}
    client(server, spending, []).complete(ASK)
    assert (spending.cost, spending.prompt_tokens, spending.completion_tokens) == (0.25, 1_000, 100)
    assert str(spending) == "1,000 tokens in, 100 out, cost 0.25"


def test_an_answer_that_tells_nothing_is_counted_as_a_call_without_a_price(server, spending):
    server.usage = None
    client(server, spending, []).complete(ASK)
    assert (spending.calls, spending.unpriced, spending.cost) == (1, 1, 0.0)


def test_prices_given_go_before_the_servers(tmp_path):
    spending = Spending(tmp_path / "calls.log", prices=(2.0, 10.0))
    spending.add(1_000_000, 100_000, 99.0)
    assert spending.cost == 3.0


def test_what_was_spent_before_counts(tmp_path):
    Spending(tmp_path / "calls.log").add(1, 2, 0.5)
    with (tmp_path / "calls.log").open("a") as log:
        log.write('{"prompt_tokens": 1')  # a crash in the middle of a line
    again = Spending(tmp_path / "calls.log", cap=0.75)
    assert again.enough is None
    again.add(1, 2, 0.25)
    assert Spending(tmp_path / "calls.log", cap=0.75).enough.startswith(
        "max_cost=0.75 is reached with 0.75 spent"
    )


def test_a_cap_without_prices_ends_at_the_first_call(tmp_path):
    spending = Spending(tmp_path / "calls.log", cap=5.0)
    spending.add(1, 2, None)
    assert "give price_in and price_out" in spending.enough
    assert Spending(tmp_path / "calls.log").enough is None
