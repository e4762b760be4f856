from hypothesis import given
from hypothesis import strategies as st

from train.order import Order, steps_per_epoch

SIZES = {"examples": st.integers(1, 40), "per_step": st.integers(1, 12), "seed": st.integers(0, 99)}


@given(**SIZES, epochs=st.integers(1, 3))
def test_an_epoch_has_every_example_once_and_fills_up_its_last_step(examples, per_step, seed, epochs):
    steps = steps_per_epoch(examples, per_step)
    order = list(Order(examples, per_step, steps * epochs, seed))
    for epoch in range(epochs):
        seen = order[epoch * steps * per_step : (epoch + 1) * steps * per_step]
        assert sorted(seen[:examples]) == list(range(examples))
        assert seen[examples:] == [examples] * (steps * per_step - examples)


@given(**SIZES, steps=st.integers(1, 30), data=st.data())
def test_a_later_start_sees_what_was_left(examples, per_step, seed, steps, data):
    start = data.draw(st.integers(0, steps))
    whole, rest = Order(examples, per_step, steps, seed), Order(examples, per_step, steps, seed, start)
    assert list(rest) == list(whole)[start * per_step :]
    assert len(rest) == len(whole) == len(list(whole))


def test_epochs_and_seeds_differ():
    first, second = (list(Order(50, 50, 2, 0))[half * 50 : half * 50 + 50] for half in range(2))
    assert first != second
    assert first != list(Order(50, 50, 1, 1))
