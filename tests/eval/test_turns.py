import json
import math

from eval import turns
from eval.turns import count_turns
from terminal_lego.trajectory import Turn
from tests.eval.job_folders import VALID, write_trial

XML = "<response><analysis>a</analysis><plan>p</plan><commands></commands></response>"


def test_replies_that_cannot_be_parsed_are_counted_over_all_trials(tmp_path):
    one = write_trial(tmp_path / "one", "a", 1.0, replies=[VALID, "Sorry, no."])
    two = write_trial(tmp_path / "two", "b", 0.0, replies=["{", VALID])
    found = count_turns([one, two])
    assert (found.count, found.invalid_format) == (4, 0.5)
    assert math.isnan(found.cut_by_length)


def test_a_trial_without_a_conversation_adds_nothing(tmp_path):
    empty = write_trial(tmp_path / "one", "a", 1.0)
    broken = write_trial(tmp_path / "two", "a", 1.0, replies=[VALID])
    (broken / "agent/trajectory.json").write_text("{")
    found = count_turns([empty, broken, tmp_path / "nowhere"])
    assert found.count == 0 and math.isnan(found.invalid_format)


def test_replies_are_read_in_the_format_of_their_trial(tmp_path):
    folder = write_trial(tmp_path / "one", "a", 1.0, replies=[XML])
    file = folder / "agent/trajectory.json"
    assert count_turns([folder]).invalid_format == 1
    document = json.loads(file.read_text().replace('"parser": "json"', '"parser": "xml"'))
    document["extra"] = json.loads(json.dumps(document["extra"]))
    for own in document["extra"].values():
        own.setdefault("extra", {})["parser"] = "xml"
    file.write_text(json.dumps(document))
    assert count_turns([folder]).invalid_format == 0


def test_a_cut_reply_is_not_also_an_invalid_one(monkeypatch, tmp_path):
    ended = [("{", "length"), ("{", "stop"), (VALID, "stop"), (VALID, None)]
    replies = [Turn(reply, finish_reason=reason) for reply, reason in ended]
    monkeypatch.setattr(turns, "_turns", lambda trials: iter(replies))
    found = count_turns([tmp_path])
    assert (found.count, found.invalid_format, found.cut_by_length) == (4, 0.25, 1 / 3)
