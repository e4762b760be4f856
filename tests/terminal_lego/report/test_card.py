import gc
import math
import weakref
from collections import Counter
from dataclasses import replace

import pytest
import yaml

from terminal_lego.curation import DecontaminationReport, FunnelRow, Loss
from terminal_lego.curation.decontamination import ContaminationRow
from terminal_lego.errors import TrajectoryError
from terminal_lego.grounding.summary import Estimate
from terminal_lego.rendering.render import render_trajectory
from terminal_lego.report.card import CardFacts, card, gather, shortened
from terminal_lego.trajectory import Trajectory, Turn
from tests.terminal_lego.rendering.samples import TOKENIZERS

PROMPT = "Answer with JSON.\n\nTask Description:\n{}\n\n\nCurrent terminal state:\nroot@host:/app# "


def made(
    id: str = "1", *, model: str = "teacher", text: str = "Do it.", turns: int = 2, **given
) -> Trajectory:
    replies = tuple(Turn("{}", f"screen {number}") for number in range(turns))
    prompt = PROMPT.format(text)
    return Trajectory(
        id, "task", model, prompt, replies, **{"reward": 1.0, "agent_version": "2.0.0", **given}
    )


def several() -> list[Trajectory]:
    return [
        made("1", text="One."),
        made("2", text="One.", turns=5, reward=0.0),
        made("3", text="Two.", turns=5, reward=0.5, exception="AgentTimeoutError"),
        made("4", text="Two.", model="other", turns=1, reward=None),
        made("5", text="Three.", model="other", reward=None, agent="own", agent_version=""),
    ]


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """The first table under a heading: its cells by the first of each row."""
    lines = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")
    ]
    return {first: rest for first, *rest in cells}


def front(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def said(text: str) -> str:
    return " ".join(text.split())


def test_counts():
    counts = rows(card(gather(several(), "data")), "Counts")
    assert {what: number for what, (number,) in counts.items() if "-" not in what} == {
        "what": "how many",
        "trajectories": "5",
        "tasks": "3",
        "turns (replies)": "15",
        "turns per trajectory, median": "2",
        "trajectories that passed (reward of 1 or more)": "1",
        "trajectories that failed (reward below 1)": "2",
        "trajectories without a reward": "2",
        "trajectories ended early by an exception": "1",
    }


def test_teachers_and_harness():
    text = card(gather(several(), "data"))
    teachers = rows(text, "Teachers")
    assert teachers["teacher"] == ["3", "2", "1 of 3 (33.3 %)", "5"]
    assert teachers["other"] == ["2", "2", "unknown", "1.5"]
    assert "was not measured" in text
    harness = rows(text, "Harness")
    assert harness["own"][0] == "unknown"
    assert harness["own"][1] == harness["terminus-2"][1]
    assert [harness[name][2] for name in ("terminus-2", "own")] == ["4", "1"]


def test_what_is_not_known_is_said():
    text = said(card(gather([replace(made(model="", agent="", agent_version=""), prompt="Do it.")], "data")))
    assert front(card(gather([made()], "data")))["license"] == "unknown"
    for sentence in (
        "| unknown | 1 | 1 |",
        "could not be read is unknown",
        "No filter was applied here. What was left out before the data came into the sources is unknown.",
        "| unknown | unknown | not recognised |",
        "No tokenizer was given: the length in tokens is unknown",
        "Not compared with any benchmark",
        "No licence stated",
        "Where the trajectories come from is unknown.",
        "Unknown: the sources are not one Parquet file with a stored digest.",
        "The command is unknown.",
    ):
        assert sentence in text


@pytest.fixture
def described() -> CardFacts:
    return gather(several(), "data", set_aside=Counter(), sources=["/srv/anna/jobs/first", "org/name"])


def test_what_is_known_is_said(described):
    described.command = "terminal-lego trajectories card data"
    described.digest, described.data_file = "ab" * 32, "rows.parquet"
    described.set_aside = Counter({"torn [row]": 3})
    text = card(described)
    assert front(text)["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "rows.parquet"}]}
    ]
    assert "- jobs/first\n- org/name\n" in text
    assert rows(text, "Filters")[r"torn \[row\]"] == ["3"]
    for line in ("ab" * 32, described.command, "python -m train data.path=rows.parquet"):
        assert f"\n{line}\n```" in text
    assert 'load_dataset("parquet", data_files="rows.parquet", split="train")' in text
    assert "unknown" not in text.partition("## Data digest")[2]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (["MIT", "MIT"], {"license": "mit"}),
        (["Apache-2.0"], {"license": "apache-2.0"}),
        (["Our own terms"], {"license": "other", "license_name": "Our own terms"}),
        (["MIT", None], {"license": "unknown"}),
        (["MIT", "BSD"], {"license": "unknown"}),
        ([""], {"license": "unknown"}),
    ],
)
def test_licences(stated, expected):
    extras = [{} if name is None else {"license": name} for name in stated]
    text = card(gather([made(extra=extra) for extra in extras], "data"))
    assert {key: value for key, value in front(text).items() if key.startswith("license")} == expected
    licences = rows(text, "Licences and sources")
    if any(stated):
        counted = Counter(name or "not stated" for name in stated)
        assert {name: licences[name] for name in counted} == {name: [str(n)] for name, n in counted.items()}


@pytest.mark.parametrize(
    ("count", "size"), [(999, "n<1K"), (1_000, "1K<n<10K"), (10_000, "10K<n<100K"), (2_000_000, "1M<n<10M")]
)
def test_size(count, size):
    facts = gather([made()], "data")
    facts.everything.turns[2] = count
    assert front(card(facts))["size_categories"] == [size]


def test_filters(described):
    described.funnel = [FunnelRow("outcome: passed", 3, {"failed": 2})]
    described.losses = [
        Loss("outcome: passed", "a", "easy", 3, 0),
        Loss("outcome: passed", "b", "easy", 2, 2),
    ]
    described.set_aside = Counter({"torn": 4})
    text = card(described)
    assert rows(text, "Filters")["outcome: passed"] == ["b", "2 of 2"]  # of the second table
    assert "| read            |     9 |    5 |       4 | 4: torn   |" in text
    assert "| outcome: passed |     5 |    3 |       2 | 2: failed |" in text
    assert "No filter" not in text


def test_tor():
    nan = math.nan
    given = {
        "teacher": Estimate(0.5, 0.25, 0.75),
        "other": Estimate(1.0, nan, nan),
        "b": Estimate(nan, nan, nan),
    }
    text = card(gather([*several(), made(model="b"), made(model="c")], "data", tor=given))
    teachers = rows(text, "Teachers")
    assert {name: teachers[name][-1] for name in ("teacher", "other", "b", "c")} == {
        "teacher": r"50.0 % \[25.0, 75.0\]",
        "other": "100.0 % (no interval)",
        "b": "no action",
        "c": "unknown",
    }
    assert "list, strict, previous, command" in text


def test_lengths_in_characters():
    trajectory = made(turns=1)
    facts = gather([trajectory] * 3, "data")
    assert facts.lengths == {len(trajectory.prompt) + len("{}"): 3}
    assert "Characters of all messages" in card(facts)


def test_lengths_in_tokens():
    small, quickstart = TOKENIZERS["small"], TOKENIZERS["quickstart"]
    trajectory = made()
    facts = gather([trajectory, trajectory], "data", tokenizer=small, tokenizer_name="/models/base/small")
    assert facts.lengths == {len(render_trajectory(trajectory, small).input_ids): 2}
    text = card(facts)
    assert "by the tokenizer base/small" in text
    assert f"fingerprint {facts.template}" in said(text)
    assert facts.template != gather([], "data", tokenizer=quickstart).template


def test_what_cannot_become_tokens_is_counted():
    special = replace(made(), turns=(Turn("<end>"),))
    given = {"tokenizer": TOKENIZERS["small"], "tokenizer_name": "small"}
    text = card(gather([special, made(), made(turns=0)], "data", **given))
    lengths = text.partition("## Lengths")[2].partition("## Decontamination")[0]
    assert "| no replies                                |            1 |" in lengths
    assert "| a reply holds the text of a special token |            1 |" in lengths
    assert lengths.count("█ 1\n") >= 2
    assert "Cannot become tokens" in card(gather([special], "data", **given))


def test_decontamination(described):
    row = ContaminationRow("sort-logs", 2, "sorting", 0.25, "sorting", 0.5, "", ("image of sorting",))
    described.decontamination = DecontaminationReport("/srv/anna/benches/tb", 89, (row,))
    text = card(described)
    assert "Compared with the 89 tasks of benches/tb: none of the 1 tasks here has" in text
    assert rows(text, "Decontamination")["sort-logs"] == [
        "2",
        "sorting",
        "0.25",
        "sorting",
        "50%",
        "image of sorting",
    ]
    exact = replace(row, exact="name")
    described.decontamination = DecontaminationReport("tb", 89, (exact, row))
    assert "1 of 2 tasks here have the name or the instruction of one of them. What" in said(card(described))
    described.drops_contaminated = True
    assert "1 of 2 tasks had the name or the instruction of one; they were left out." in said(card(described))


def test_text_from_the_data_is_only_text():
    model = "m|<script>alert(1)</script>\n\n# heading `x` [a](https://b.c)"
    text = card(gather([made(model=model, agent="<b>", extra={"license": "<i>|"})], "![x](y)\n# t"))
    assert "<script>" not in text
    assert "<b>" not in text
    assert "<i>" not in text.partition("---\n\n")[2]
    assert r"m\|&lt;script&gt;alert(1)&lt;/script&gt;; \# heading \`x\` \[a\](https\://b.c)" in text
    assert "\n# \\!\\[x\\](y) # t\n" in text
    assert front(text)["license_name"] == "<i>|"


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("/srv/anna/data/rows.parquet", "data/rows.parquet"),
        ("org/name@main", "org/name@main"),
        ("../../x/y/z", "y/z"),
        ("../rows.jsonl", "rows.jsonl"),
        ("~/jobs", "jobs"),
        (".", "."),
        ("/", "."),
    ],
)
def test_paths_are_told_by_their_last_two_parts(path, short):
    assert shortened(path) == short


def test_no_trajectory_is_an_error():
    with pytest.raises(TrajectoryError, match="data: no trajectory is left to describe; loosen --select"):
        card(gather([], "data"))


def test_trajectories_are_not_kept():
    given: list[weakref.ref[Trajectory]] = []

    def passing():
        for number in range(20):
            gc.collect()
            assert sum(reference() is not None for reference in given) <= 1
            trajectory = made(str(number))
            given.append(weakref.ref(trajectory))
            yield trajectory
            del trajectory

    assert gather(passing(), "data").everything.trajectories == 20
