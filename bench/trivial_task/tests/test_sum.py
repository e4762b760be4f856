from pathlib import Path


def test_sum():
    numbers = Path("/app/numbers.txt").read_text().split()
    assert int(Path("/app/sum.txt").read_text()) == sum(map(int, numbers))
