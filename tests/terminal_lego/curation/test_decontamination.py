import io
import json
from dataclasses import asdict

import pytest
from rich.console import Console

from terminal_lego.curation.benchmark import GramIndex, digest, read_benchmark, words
from terminal_lego.curation.decontamination import Decontamination, contamination_table
from terminal_lego.errors import ContaminationError, TaskError
from terminal_lego.json_files import write_json
from terminal_lego.task import TaskConfig, write_task
from terminal_lego.trajectory import Turn

LOGS = (
    "Read every log file below /var/log/shop, count the requests of each customer, and write the ten "
    "customers with the most requests to /app/top.csv, the busiest first, with a header line of your choice."
)
KEYS = "Generate an ed25519 key pair without a passphrase and store it as /app/key and /app/key.pub."
OTHER = "Build the small web server in /srv from source and make it answer on port eighty with a greeting."
TEST = "def test_top_customers():\n    pass\n\nclass TestIt:\n    async def test_header_line(self): ...\n"


@pytest.fixture
def benchmark(tmp_path):
    def write(name, instruction, **files):
        config = TaskConfig.model_validate(
            {"task": {"name": f"bench/{name}"}, "environment": {"docker_image": f"example/{name}:1"}}
        )
        files = {f"tests/{file.replace('__', '.')}": text for file, text in files.items()}
        write_task(tmp_path / "bench" / f"{name}-v2", config, instruction, {"tests/test.sh": "true", **files})

    write("logs", f"<!-- canary -->\n{LOGS}", test_outputs__py=TEST, expected_top__csv="a")
    write("keys", KEYS, test_outputs__py="def test_key(): ...\ndef test_shared(): ...")
    write("tiny", "Say hello.", test_outputs__py="def test_shared(): ...")
    return tmp_path / "bench"


def by_text(trajectory):
    return trajectory.prompt.partition("Description:\n")[2].partition("\n\n\n")[0]


@pytest.fixture
def check(benchmark):
    def check(given, drop=True):
        step = Decontamination(benchmark, drop, by_text)
        kept, dropped = step(given)
        return kept, dropped, step.report

    return check


def test_a_copy_under_another_name_ends_the_run_by_its_instruction(check, make):
    copy = make("1", task="task_00017", text=f"  {LOGS.upper().replace(' ', '  ')}\n")
    with pytest.raises(ContaminationError) as caught:
        check([make("2", text=OTHER), copy], drop=False)
    message = str(caught.value)
    assert message.startswith("1 of 2 tasks of the training data are tasks of ")
    assert "task_00017 (same instruction as bench/logs); set selection.drop_contaminated=true" in message


@pytest.mark.parametrize("name", ["bench/logs", "logs", "elsewhere/logs"])
def test_a_name_ends_the_run_whatever_the_text(name, check, make):
    with pytest.raises(ContaminationError, match=rf"{name} \(same name\)"):
        check([make(task=name, text=OTHER)], drop=False)
    with pytest.raises(ContaminationError, match="same name"):
        check([make(task="", text=OTHER, metadata={"task_name": name})], drop=False)


def test_many_copies_are_counted_and_some_are_named(check, make):
    given = [make(str(n), task=f"copy {n}", text=LOGS) for n in range(8)]
    with pytest.raises(ContaminationError, match=r"8 of 8 tasks .*copy 4 \(same.*\) and 3 more; set"):
        check(given, drop=False)


def test_exact_hits_are_dropped_where_that_is_asked_for(check, make):
    given = [
        make("a", task="x", text=LOGS),
        make("b", task="y", text=OTHER),
        make("c", task="keys", text=OTHER),
    ]
    kept, dropped, report = check(given)
    assert [trajectory.id for trajectory in kept] == ["b"]
    assert [(drop.trajectory.id, drop.reason) for drop in dropped] == [
        ("a", "its instruction is that of a benchmark task"),
        ("c", "its name is that of a benchmark task"),
    ]
    assert {row.task: (row.exact, row.hits) for row in report.rows} == {
        "x": ("instruction", ()),
        "keys": ("name", ("name of bench/keys",)),
        "y": ("", ()),
    }


def test_an_edited_copy_stays_and_leads_the_report(check, make):
    edited = LOGS.replace("shop", "store")
    kept, dropped, report = check(
        [make("1", task="x", text=OTHER), make("2", task="y", text=edited)], drop=False
    )
    assert (len(kept), dropped) == (2, [])
    first, second = report.rows
    assert (first.task, first.nearest, first.exact) == ("y", "bench/logs", "")
    assert 0.8 < first.similarity < 1
    assert 0.5 < first.overlap < 1
    assert second.similarity < 0.2
    assert second.overlap == 0


def test_a_benchmark_task_inside_a_longer_instruction_shows_by_overlap(check, make):
    _, _, report = check(
        [make(text=f"{OTHER} {OTHER} {KEYS} {OTHER}"), make("2", task="b", text="Hm. Say hello!")]
    )
    longer, short = sorted(report.rows, key=lambda row: row.task, reverse=True)
    assert (longer.overlapping, longer.overlap) == ("bench/keys", 1.0)
    assert longer.similarity < 0.5
    assert (short.overlapping, short.overlap) == ("bench/tiny", 1.0)


def test_weak_traces_are_listed(check, make):
    turns = (
        Turn(
            '{"keystrokes": "pytest -k\\ntest_header_line\\ncat tests/test.sh"}',
            "test_shared expected_top.csv:1",
        ),
    )
    given = [
        make("1", task="x", text=OTHER, turns=(*turns, Turn("{}", ""))),
        make("2", task="x", text=OTHER, docker_image="example/keys:1"),
    ]
    _, _, report = check(given, drop=False)
    (row,) = report.rows
    assert row.trajectories == 2
    assert row.hits == (
        "expected_top.csv of bench/logs",
        "image of bench/keys",
        "test_header_line of bench/logs",
    )


def test_a_trajectory_without_an_instruction_is_no_copy(check, make):
    kept, _, report = check([make(task="", text="...")], drop=False)
    assert len(kept) == 1
    assert (report.rows[0].task, report.rows[0].nearest, report.rows[0].similarity) == ("1", "", 0.0)


def test_the_report_is_json_and_a_table(check, make, tmp_path):
    given = [make(f"{n:02}", task=f"task [{n:02}]", text=OTHER) for n in range(12)]
    _, _, report = check([*given, make("x", task="copy", text=LOGS)])
    write_json(tmp_path / "report.json", asdict(report))
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["benchmark_tasks"] == 3
    assert stored["rows"][0]["nearest"] == "bench/logs"
    console = Console(file=io.StringIO(), width=160)
    console.print(contamination_table(report))
    lines = console.file.getvalue().splitlines()
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert cells[0] == ["copy", "1", "bench/logs", "1.00", "bench/logs", "100%", "same instruction"]
    assert [row[0] for row in cells[1:]] == [f"task [{n:02}]" for n in range(9)]


def test_a_folder_without_tasks_is_refused(tmp_path, make):
    with pytest.raises(TaskError, match="holds no task"):
        Decontamination(tmp_path, True, by_text)([make(text=LOGS)])


def test_what_is_known_of_a_benchmark(benchmark):
    tasks = {task.name: task for task in read_benchmark(benchmark)}
    assert tasks["bench/logs"].names == {"bench/logs", "logs", "logs-v2"}
    assert tasks["bench/logs"].words[:3] == ("read", "every", "log")
    assert tasks["bench/logs"].tests == {"test_top_customers", "test_header_line", "expected_top.csv"}
    assert tasks["bench/keys"].tests == {"test_key"}, "a name that two tasks share tells nothing"
    assert read_benchmark(benchmark / "tiny-v2")[0].tests == {"test_shared"}, "every task has a test.sh"
    assert tasks["bench/keys"].image == "example/keys:1"


def test_digests_see_words_only():
    assert digest(words("Say, HELLO!\n")) == digest(words("say hello")) != digest(words("say hello you"))
    assert digest(words("--")) == ""
    assert words("Cafe\u0301") == words("caf\u00e9")


def test_gram_index():
    index = GramIndex([("a", "b", "c", "d"), ("a", "b"), ()], 3)
    assert index.containment(("x", "a", "b", "c")) == {0: 0.5, 1: 1.0}
    assert index.jaccard(("x", "a", "b", "c")) == {0: 1 / 3, 1: 1 / 2}
    assert index.jaccard(("a",)) == {}
    assert index.containment(()) == {}
