import io

from rich.console import Console

from terminal_lego.curation.losses import Loss, difficulty, loss_table, losses
from terminal_lego.curation.steps import Dropped


def lines(table):
    console = Console(file=io.StringIO(), width=120)
    console.print(table)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in console.file.getvalue().splitlines()]
    return [row for row in rows if row]


def test_difficulty_is_found_where_sources_put_it(make):
    assert difficulty(make(difficulty="hard")) == "hard"
    assert difficulty(make(metadata={"difficulty": "easy"})) == "easy"
    assert (
        difficulty(make(metadata="none")) == difficulty(make(difficulty=3)) == difficulty(make()) == "unknown"
    )


def test_drops_are_counted_by_teacher_and_difficulty(make):
    hard = [make(str(n), "ann", difficulty="hard") for n in range(3)]
    easy = [make("e", "bob", difficulty="easy")]
    assert losses("length", hard + easy, [Dropped(hard[0], "long"), Dropped(hard[2], "long")]) == [
        Loss("length", "ann", "hard", 3, 2),
        Loss("length", "bob", "easy", 1, 0),
    ]
    assert losses("length", hard, []) == []
    assert losses("length", [make(model="")], [Dropped(make(model=""), "long")]) == [
        Loss("length", "unknown", "unknown", 1, 1)
    ]


def test_the_table_shows_teachers_below_and_difficulties_beside_each_other():
    rows = [
        Loss("length", "ann", "very hard", 5, 1),
        Loss("length", "ann", "hard", 2000, 1500),
        Loss("length", "ann", "easy", 4, 0),
        Loss("length", "bob [b]", "unknown", 1, 1),
    ]
    assert lines(loss_table(rows)) == [
        ["length", "ann", "0 of 4", "1,500 of 2,000", "1 of 5", ""],
        ["length", "bob [b]", "", "", "", "1 of 1"],
    ]
    headers = [str(column.header) for column in loss_table(rows).columns]
    assert headers == ["step", "teacher", "easy", "hard", "very hard", "unknown"]


def test_no_table_for_one_teacher_and_one_difficulty():
    assert loss_table([]) is None
    assert loss_table([Loss("length", "ann", "unknown", 2, 1), Loss("limit", "ann", "unknown", 1, 1)]) is None
    assert loss_table([Loss("length", "ann", "easy", 2, 1), Loss("length", "ann", "hard", 2, 0)])
