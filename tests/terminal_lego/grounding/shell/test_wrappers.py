import pytest

from terminal_lego.grounding.shell.parse import parse
from terminal_lego.grounding.shell.words import SimpleCommand
from terminal_lego.grounding.shell.wrappers import unwrap


def inner(text: str) -> list[SimpleCommand]:
    return [found for command in parse(text) for found in unwrap(command)]


def argv(text: str) -> list[list[str]]:
    return [[word.text for word in command.words] for command in inner(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ls -la", ["ls -la"]),
        ("sudo ls", ["ls"]),
        ("sudo -u www -E ls", ["ls"]),
        ("sudo -uwww ls", ["ls"]),
        ("sudo --user www --preserve-env ls", ["ls"]),
        ("sudo --user=www -- ls -l", ["ls -l"]),
        ("sudo A=1 ls", ["ls"]),
        ("/usr/bin/sudo ls", ["ls"]),
        ("sudo -l", ["sudo -l"]),
        ("sudo", ["sudo"]),
        ("doas -u www ls", ["ls"]),
        ("env", ["env"]),
        ("env A=1", ["env A=1"]),
        ("env -i -u HOME A=1 B=2 make all", ["make all"]),
        ("env - PATH=/bin ls", ["ls"]),
        ("timeout 5 ls", ["ls"]),
        ("timeout -k 5 10s ls", ["ls"]),
        ("timeout --signal=KILL 5 ls", ["ls"]),
        ("timeout --signal KILL 5 ls", ["ls"]),
        ("timeout 5", ["timeout 5"]),
        ("nohup ./serve -p 80 &", ["./serve -p 80"]),
        ("nice make", ["make"]),
        ("nice -n 10 make", ["make"]),
        ("nice -10 make", ["make"]),
        ("time make", ["make"]),
        ("time -p make", ["make"]),
        ("time", ["time"]),
        ("xargs", ["xargs"]),
        ("xargs -0 -I{} cp {} /tmp", ["cp {} /tmp"]),
        ("xargs -0 -I {} -n 1 cp {} /tmp", ["cp {} /tmp"]),
        ("xargs -r --max-procs 4 rm -f", ["rm -f"]),
        ("exec ls", ["ls"]),
        ("exec -a name ls", ["ls"]),
        ("exec", ["exec"]),
        ("command ls -l", ["ls -l"]),
        ("command -v ls", ["command -v ls"]),
        ("builtin cd /x", ["cd /x"]),
        ("stdbuf -oL -e 0 make", ["make"]),
        ("setsid -f ./serve", ["./serve"]),
        ("ionice -c 3 make", ["make"]),
        ("ionice -p 12", ["ionice -p 12"]),
        ("chroot /mnt ls", ["chroot /mnt ls"]),
        ("bash run.sh -c x", ["bash run.sh -c x"]),
        ("bash", ["bash"]),
        ("bash -c", ["bash -c"]),
        ("bash -c ''", ["bash -c "]),
        ("bash -c 'ls -l'", ["ls -l"]),
        ("bash -lc 'ls; pwd'", ["ls", "pwd"]),
        ("bash -o pipefail -xc 'ls | wc' name", ["ls", "wc"]),
        ("/bin/sh -c 'ls'", ["ls"]),
        ("su - www -c 'ls'", ["ls"]),
        ("su -", ["su -"]),
        ("eval ls -l", ["ls -l"]),
        ("eval 'cd /x;' ls", ["cd /x", "ls"]),
        ("eval", ["eval"]),
        ("bash <<'E'\nls\ncat f\nE\n", ["ls", "cat f"]),
        ("sudo bash -s x <<E\nls\nE\n", ["ls"]),
        ("bash run.sh <<E\nls\nE\n", ["bash run.sh"]),
        ("sudo -u www env A=1 timeout -k 5 10s nohup bash -c 'cd /x && cat y' ", ["cd /x", "cat y"]),
        ("bash -c \"sh -c 'eval ls' && pwd\"", ["ls", "pwd"]),
        ("find . | xargs -I{} bash -c 'wc {} | sort'", ["find .", "wc {}", "sort"]),
    ],
)
def test_what_runs(text, expected):
    assert [" ".join(words) for words in argv(text)] == expected


def test_assignments_and_redirections_stay_with_what_runs():
    (command,) = inner("A=1 sudo B='x y' env C=3 make > log 2>&1 < in")
    assert command.assignments == (("A", "1"), ("B", "x y"), ("C", "3"))
    assert [redirection.operator for redirection in command.redirections] == [">", ">&", "<"]


def test_redirections_of_a_script_go_to_its_ends():
    first, second = inner("bash -c 'read x; echo $x > f' < in > out")
    assert [item.target.text for item in first.redirections] == ["in"]
    assert [item.target.text for item in second.redirections] == ["f", "out"]
    first, second = inner("bash -c 'cat > f; ls' <<E\nbody\nE\n")
    assert (first.heredoc, second.heredoc) == ("body\n", None)
    (command,) = inner("bash <<E > log\nls\nE\n")
    assert (command.heredoc, [item.operator for item in command.redirections]) == (None, [">"])


def test_a_script_without_escapes_keeps_its_places():
    text = "é; sudo bash -c 'cd /x && cat \"y z\" > f'"
    commands = inner(text)
    assert [text[command.start : command.end] for command in commands] == ["é", "cd /x", 'cat "y z" > f']
    assert [text[word.start : word.end] for word in commands[2].words] == ["cat", '"y z"']
    target = commands[2].redirections[0].target
    assert text[target.start : target.end] == "f"


@pytest.mark.parametrize(
    "script",
    [r'bash -c "ls \"a b\"; pwd"', "bash -c 'ls'\"; pwd\"", "eval ls ';' pwd", "bash <<E\nls\npwd\nE"],
)
def test_other_scripts_have_the_place_of_the_whole_command(script):
    text = f"a && {script}"
    commands = inner(text)[1:]
    assert [command.name for command in commands] == ["ls", "pwd"]
    assert {(command.start, command.end) for command in commands} == {(5, len(text))}


def test_line_operator_and_depth():
    commands = inner("ls\ncat x | sudo sh -c 'a; (b)' && eval 'c || d'")
    assert [(c.name, c.line, c.operator, c.depth) for c in commands] == [
        ("ls", 0, "", 0),
        ("cat", 1, "\n", 0),
        ("a", 1, "|", 1),
        ("b", 1, ";", 2),
        ("c", 1, "&&", 0),
        ("d", 1, "||", 0),
    ]


def test_wrappers_without_end_end():
    assert argv("sudo " * 3000 + "ls") == [["ls"]]
    assert argv("eval " * 3000 + "ls")[0][-1] == "ls"
