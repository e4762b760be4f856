from dataclasses import replace

import pytest

from terminal_lego.errors import ConfigError
from terminal_lego.harness.profile import Profile
from terminal_lego.trajectory import Trajectory, Turn
from train.wording import check, wordings

NATIVE = Profile.native().initial("Do it.", "screen")
ONE = Trajectory("one", "task", "teacher", NATIVE, (Turn("{}"),))


def test_the_wording_of_what_is_trained_is_counted():
    other = replace(ONE, id="two", prompt="Please do it.")
    left_out = replace(ONE, id="three")
    split = ["one@0", "one@1", "two"]
    assert wordings([ONE, other, left_out], split) == {"native-json": 1, "unknown": 1}


def test_a_student_is_not_evaluated_in_a_wording_it_does_not_know():
    assert check({"native-json": 1, "harbor-B-json": 9}, is_evaluated=True) is None
    assert check({"harbor-B-json": 9}, is_evaluated=False) is None
    assert "words it has not seen" in check({"unknown": 9}, is_evaluated=True)
    with pytest.raises(ConfigError, match=r"recorded as harbor-B-json, .* native-json: set evaluation=skip"):
        check({"harbor-B-json": 9}, is_evaluated=True)
