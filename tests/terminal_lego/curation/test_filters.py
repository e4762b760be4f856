from terminal_lego.curation.filters import error_free
from terminal_lego.trajectory import Turn


def failures(observation):
    return [line for line in observation.splitlines() if line.startswith("no such")]


def test_any_screen_with_an_error_counts_and_the_first_kind_is_named(make, reasons):
    def shown(*observations):
        return tuple(Turn("{}", observation) for observation in observations)

    given = [
        make("clean", turns=shown("fine", "fine")),
        make("first", turns=shown("no such file\nno such module", "no such command")),
        make("last", turns=shown("fine", "no such command")),
    ]
    assert reasons(error_free(failures), given) == {
        "first": "error on the screen: no such file",
        "last": "error on the screen: no such command",
    }


def test_errors_are_recognised_on_a_real_screen(make, kept):
    bad = "root@host:/app# cat a.txt\ncat: a.txt: No such file or directory\nroot@host:/app# "
    good = "root@host:/app# cat a.txt\nhello\nroot@host:/app# "
    given = [make("bad", turns=(Turn("{}", bad),)), make("good", turns=(Turn("{}", good),))]
    assert kept(error_free(), given) == ["good"]
