import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.errors import ConfigError
from terminal_lego.grounding.class_table import CLASSES, compile_table, load_table
from terminal_lego.grounding.classes import Classified, classify
from terminal_lego.grounding.event import KINDS
from terminal_lego.grounding.shell.parse import parse
from terminal_lego.grounding.shell.words import SimpleCommand, Word

PAPER = "cat ls find grep head wc diff stat"
LISTED = """
    sed tee cp mv rm mkdir rmdir touch ln chmod chown tar unzip zip gzip gunzip pip pip3 apt apt-get apk dnf
    yum npm yarn cargo make cmake gcc g++ python python3 node bash sh ruby perl java javac go git patch
    install dd truncate
"""


def command(*words: str) -> SimpleCommand:
    return SimpleCommand(tuple(Word(text, 0, 0, glob="*" in text) for text in words), (), (), None, 0, 0)


def one(typed: str, cwd: str | None = "/app", **settings: object) -> Classified:
    """The judgement on the first command of `typed`."""
    return classify(parse(typed)[0], cwd=cwd, **settings)


# The table


def test_the_table_is_rich_and_keeps_the_published_lists():
    table = load_table()
    assert len(set(map(id, table.programs.values()))) >= 200
    assert {table.programs[name].group for name in table.paper_observations} == {"observation"}
    assert table.paper_observations == set(PAPER.split())
    assert table.listed == set(LISTED.split())
    assert table.listed <= set(table.programs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[observation]\ncat = { read = 'all' }", "observation: cat: 'read' is no field"),
        ("[observation]\ncat = { reads = 'some' }", "reads='some' is none of none, all"),
        ("[observation]\n'cat tac' = {}\n[edit]\ncat = {}", "names 'cat' twice"),
        ("[observation]\nls = { when = [{ flag = '-x' }] }", "'flag' is no field"),
        ("[edit.git.sub]\nrm = { class = 'bad' }", "class='bad' is none of observation, edit"),
        ("[edits]\nrm = {}", "has a table 'edits'"),
    ],
)
def test_a_table_that_breaks_its_rules_is_refused(text, message):
    with pytest.raises(ConfigError, match=r"classes\.toml") as caught:
        compile_table(text)
    assert message in str(caught.value)


# Asking for a version or help


def test_asking_any_program_for_help_changes_nothing():
    for program, entry in load_table().programs.items():
        found = classify(command(program, "--help"), cwd="/app")
        assert found.kind == ("other" if CLASSES[entry.group] == "other" else "observation"), program
        assert (found.edits, found.writes) == (False, ()), program


@pytest.mark.parametrize(
    "typed", ["gcc --version", "rm --help", "ssh -V", "java -version", "node -v", "./x --help"]
)
def test_questions(typed):
    assert one(typed).kind == "observation"


@pytest.mark.parametrize(
    "typed", ["pytest -v", "mv -v a b", "psql -h db", "rm -h x", "grep --help > usage.txt"]
)
def test_what_only_resembles_a_question(typed):
    assert one(typed).kind != "observation"


# Redirections


@pytest.mark.parametrize("operator", [">", ">>", ">|", "&>", "&>>", "2>", ">&", "<>"])
def test_a_redirection_into_a_file_is_an_edit(operator):
    found = one(f"cat a {operator} b")
    assert (found.kind, found.edits, found.listed) == ("action", True, True)
    assert (found.reads, found.writes) == (("/app/a",), ("/app/b",))


@pytest.mark.parametrize(
    "redirection",
    [
        "2>&1",
        ">/dev/null",
        "&>/dev/null",
        "2> /dev/null",
        "> /dev/stderr",
        ">&2",
        "2>&-",
        "> /dev/tcp/db/5432",
        "<b",
    ],
)
def test_other_redirections_are_not(redirection):
    found = one(f"cat a {redirection}")
    assert (found.kind, found.edits, found.listed, found.writes) == ("observation", False, False, ())


def test_a_verification_that_saves_its_report_stays_one():
    found = one("pytest > report.txt")
    assert (found.kind, found.edits, found.writes) == ("verification", True, ("/app/report.txt",))


# State that is given


def test_running_what_was_just_written_is_a_verification():
    for typed in (
        "python3 x.py",
        "./x.py",
        "bash x.py",
        "uv run x.py",
        "source x.py",
        "/usr/bin/python3 -u x.py",
    ):
        assert one(typed).kind == "action"
        assert one(typed, written={"/app/x.py"}).kind == "verification"
    for typed in ("rm x.py", "python3 y.py > x.py", "python3 -c 'import x'"):
        assert one(typed, written={"/app/x.py"}).kind == "action"
    assert one("cat x.py", written={"/app/x.py"}).kind == "observation"


@pytest.mark.parametrize(
    ("typed", "directory"),
    [
        ("cd src", "/app/src"),
        ("cd ..", "/"),
        ("cd -P /srv/", "/srv"),
        ("cd", "/root"),
        ("cd ~/x", "/root/x"),
        ("pushd lib", "/app/lib"),
        ("cd -", None),
        ("cd $DIR", None),
        ("pushd", None),
        ("popd", None),
        ("ls src", None),
    ],
)
def test_where_the_shell_goes(typed, directory):
    assert one(typed).changes_directory == directory
    assert one("cd src", cwd=None).changes_directory is None


# Deliberately out of reach: an answer that stays the same, not a right one


OUT_OF_REACH = {
    "code given as an argument": (
        """python3 -c 'open("a.txt", "w")'""",
        Classified("python3", "action", False, True, (), ()),
    ),
    "files that a one-liner writes": (
        "awk '{print > \"out.txt\"}' in.txt",
        Classified("awk", "observation", False, False, ("/app/in.txt",), ()),
    ),
    "sed's w": (
        "sed -n 's/a/b/w out.txt' in.txt",
        Classified("sed", "observation", False, True, ("/app/in.txt",), ()),
    ),
    "SQL": ("sqlite3 a.db 'drop table t'", Classified("sqlite3", "action", False, False, (), ("/app/a.db",))),
    "a container's files": (
        "docker exec web rm /etc/x",
        Classified("docker", "action", False, False, (), ()),
    ),
    "another host's files": ("ssh box cat /etc/x", Classified("ssh", "action", False, False, (), ())),
    "copies to another host": ("scp a box:/b", Classified("scp", "action", True, False, ("/app/a",), ())),
    "variables": ("rm $FILE", Classified("rm", "action", True, True, (), ())),
    "substitutions": ("cat $(find . -name x)", Classified("cat", "observation", False, False, (), ())),
    "braces": ("touch {a,b}.txt", Classified("touch", "action", True, True, (), ())),
    "modules": ("python3 -m app.main", Classified("python3", "action", False, True, (), ())),
    "what xargs adds": ("grep -l x", Classified("grep", "observation", False, False, (), ())),
    "names with a colon in front": ("cat a:b", Classified("cat", "observation", False, False, (), ())),
    "names with an equals sign": ("cat a=b", Classified("cat", "observation", False, False, (), ())),
    "unknown programs": ("frob in.txt", Classified("frob", "action", False, False, ("/app/in.txt",), ())),
}


@pytest.mark.parametrize("name", OUT_OF_REACH)
def test_out_of_reach(name):
    typed, answer = OUT_OF_REACH[name]
    assert one(typed) == answer


# Whatever is typed


PROGRAMS = st.sampled_from(sorted(load_table().programs))
TEXTS = st.sampled_from(
    ["a.py", "src/", "*.c", "-", "--", "-x", "-rf", "--out=b", "of=c", "-o", "d:e", "", ";", "{}", "+x"]
)


@given(PROGRAMS, st.lists(TEXTS | PROGRAMS | st.text(max_size=5), max_size=6), st.data())
def test_no_command_is_too_odd(program, texts, data):
    entry = load_table().programs[program]
    flags = sorted(
        {*entry.arity, *entry.command_flags, *entry.sub} | {f for rule in entry.when for f in rule.flags}
    )
    drawn = data.draw(st.lists(st.sampled_from(flags), max_size=4)) if flags else []
    found = classify(command(program, *drawn, *texts), cwd="/app", written={"/app/a.py"})
    assert found.kind in KINDS
    if found.kind in ("observation", "other"):
        assert not found.edits and not found.writes
    assert all(path.startswith("/") for path in found.reads + found.writes)


@pytest.mark.parametrize("words", [("npx",), ("find", "-exec"), ("python3", "-m"), ("coverage", "run")])
def test_commands_within_commands_end(words):
    assert classify(command(*words * 5000), cwd="/app").kind in KINDS


@given(st.text(alphabet="ab /.-|&;<>$'\"\n*=()", max_size=40))
def test_no_text_is_too_odd(text):
    for found in parse(text):
        assert classify(found, cwd=None).kind in KINDS
