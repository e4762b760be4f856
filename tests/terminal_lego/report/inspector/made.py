"""Trajectories made by hand for the inspector's tests: mixed turns, repairs, errors, several scripts."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from terminal_lego.grounding.event import ACTION, OBSERVATION, OTHER, VERIFICATION, Event
from terminal_lego.report.inspector import Entry, ReplyTokens
from terminal_lego.trajectory import Trajectory, Turn

PROMPT = """You are solving a command-line task in a Linux terminal. Answer with JSON.

Task:
The service in /app refuses to start since port 8080 was taken. Make it listen on 9090, keep every other
setting, and leave a note of what you changed in /app/NOTES.md.

Current terminal state:
root@8f2c1a:/app# """
CONF = "/app/conf/server.toml"
SED = f"sed -i 's/^port = 8080$/port = 9090/' {CONF}"
NOTE = "printf 'Port: 8080 → 9090 (8080 was taken)\\n' > /app/NOTES.md"
LISTING = """total 20
drwxr-xr-x 3 root root 4096 Mar  2 10:00 .
drwxr-xr-x 2 root root 4096 Mar  2 10:00 conf
-rw-r--r-- 1 root root  812 Mar  2 10:00 run.py
"""
SETTINGS = '[server]\nhost = "0.0.0.0"\nport = 8080\nworkers = 4\n'
ATTACK = "document.title='owned'"
HOSTILE = (
    f'</script><script>{ATTACK}</script><img src=x onerror="{ATTACK}"><!--\u2028\x1b[31m\x00\u202e\ud800'
    f"<a href=javascript:{ATTACK}>x</a>{{{{7*7}}}}"
)
RETRIES = "".join(f"10:{n // 60:02}:{n % 60:02} app[112]: retry {n}: address in use\n" for n in range(90))


def reply(analysis: str, plan: str, *commands: str, complete: bool = False, indent: int | None = 2) -> str:
    typed = [{"keystrokes": keys, "duration": 0.1} for keys in commands]
    fields = {"analysis": analysis, "plan": plan, "commands": typed}
    if complete:
        fields["task_complete"] = True
    return json.dumps(fields, indent=indent, ensure_ascii=False)


def screen(*shown: tuple[str, str], prompt: str = "root@8f2c1a:/app# ") -> str:
    return "".join(f"{prompt}{command}\n{output}" for command, output in shown) + prompt


def event(
    trajectory: Trajectory, turn: int, text: str, kind: str, reads: str = "", writes: str = "", **fields
) -> Event:
    """The first place in that turn's commands where `text` is typed."""
    commands = trajectory.turns[turn].commands
    found = ((index, command.keystrokes.find(text)) for index, command in enumerate(commands))
    index, start = next(hit for hit in found if hit[1] >= 0)
    known = {"program": text.split()[0], "line": 0, "edits": bool(writes), "listed": kind == ACTION}
    known |= {"reads": tuple(reads.split()), "writes": tuple(writes.split())}
    return Event(turn=turn, command=index, start=start, end=start + len(text), kind=kind, **known | fields)


def tokenized(text: str, masked: Sequence[str] = ()) -> ReplyTokens:
    """Words and marks as tokens; those of the phrases in `masked` have no weight."""
    ends = [hit.end() for hit in re.finditer(r" ?\w{1,6}|\s+|[^\w\s]+", text)]
    tokens = list(zip([0, *ends], ends, strict=False))
    hidden = [(text.index(phrase), text.index(phrase) + len(phrase)) for phrase in masked]
    weights = [0.0 if any(a < end and start < b for start, end in hidden) else 1.0 for a, b in tokens]
    return ReplyTokens([b - a for a, b in tokens], weights)


def port_change() -> Entry:
    """Looks, edits, checks; one action has nothing to stand on."""
    chatter = "I have changed the port, now I start it.\n"
    turns = (
        Turn(
            reply(
                "The service does not start. I do not know yet where its port is set.",
                "Look at the folder and the configuration first.",
                "ls -la /app\n",
                f"cat {CONF} && tail -n 90 /var/log/app.log\n",
            ),
            screen(
                ("ls -la /app", LISTING), (f"cat {CONF} && tail -n 90 /var/log/app.log", SETTINGS + RETRIES)
            ),
        ),
        Turn(
            reply(
                "The port is in conf/server.toml. run.py reads it, so only that line has to change.",
                "Change the line, write the note, and look at the result.",
                f"{SED}\n",
                f"{NOTE}\n",
                f"grep -n port {CONF}\n",
            ),
            screen((SED, ""), (NOTE, ""), (f"grep -n port {CONF}", "3:port = 9090\n")),
        ),
        Turn(
            chatter
            + reply(
                "Line 3 says 9090.",
                "Start it and ask for its health.",
                "python3 run.py --daemon\n",
                "curl -s 127.0.0.1:9090/health || echo 'not up'\n",
            ),
            screen(
                ("python3 run.py --daemon", "listening on 0.0.0.0:9090\n"),
                ("curl -s 127.0.0.1:9090/health || echo 'not up'", '{"status": "ok", "workers": 4}\n'),
            ),
        ),
        Turn(
            reply("It answers on 9090 with four workers.", "Nothing is left to do.", complete=True),
            "Are you sure?",
        ),
    )
    trajectory = Trajectory(
        "job-07/port-change__k2M9xQe",
        "port-change",
        "deepseek-v3.2",
        PROMPT,
        turns,
        reward=1.0,
        source="job-07/port-change__k2M9xQe/agent/trajectory.json",
        agent_version="2.0.1",
        extra={"difficulty": "easy", "seed": 7},
    )
    events = [
        event(trajectory, 0, "ls -la /app", OBSERVATION, "/app"),
        event(trajectory, 0, f"cat {CONF}", OBSERVATION, CONF),
        event(trajectory, 0, "tail -n 90 /var/log/app.log", OBSERVATION, "/var/log/app.log"),
        event(trajectory, 1, SED, ACTION, "", CONF),
        event(trajectory, 1, NOTE, ACTION, "", "/app/NOTES.md"),
        event(trajectory, 1, f"grep -n port {CONF}", OBSERVATION, CONF),
        event(trajectory, 2, "python3 run.py --daemon", ACTION, "/app/run.py", "/app/run.py", edits=False),
        event(trajectory, 2, "curl -s 127.0.0.1:9090/health", VERIFICATION),
        event(trajectory, 2, "echo 'not up'", OTHER),
    ]
    masked = [["ls -la /app", "tail -n 90 /var/log/app.log"], [], [chatter], []]
    replies = [tokenized(turn.reply, phrases) for turn, phrases in zip(turns, masked, strict=True)]
    return Entry(trajectory, events, {3: 1, 6: 0}, 2 / 3, 3127, replies)


def count_rows() -> Entry:
    """A parse error, a repair, fields in the wrong order, a copied turn; no tokenizer."""
    whole = reply("Unzip the archive.", "unzip, then list", "unzip -o data.zip -d data\n", indent=None)
    swapped = (
        '{"plan": "count", "analysis": "it is there", "commands": [{"keystrokes": "wc -l data/rows.csv\\n"}]}'
    )
    answer = "echo 18020 > /srv/answer.txt"
    prompt = "root@1b:/srv# "
    turns = (
        Turn(
            "Sure! I will unpack the archive and count its rows. Let me know if that is fine.",
            "Previous response had parsing errors:\nERROR: No valid JSON found in response",
        ),
        Turn(
            whole[:-1], screen(("unzip -o data.zip -d data", "  inflating: data/rows.csv\n"), prompt=prompt)
        ),
        Turn(
            swapped,
            screen(("wc -l data/rows.csv", "18021 data/rows.csv\n"), prompt=prompt),
            reasoning="The header is one line, so there are 18,020 rows.",
        ),
        Turn(reply("18,020 rows.", "Write it down.", f"{answer}\n", indent=None), prompt, is_copied=True),
    )
    trajectory = Trajectory(
        "sharegpt.jsonl:412",
        "count-rows",
        "qwen3.5-plus",
        PROMPT,
        turns,
        reward=0.0,
        exception="AgentTimeoutError",
        source="sharegpt.jsonl",
    )
    events = [
        event(trajectory, 1, "unzip -o data.zip -d data", ACTION, "/srv/data.zip", "/srv/data", failed=True),
        event(trajectory, 2, "wc -l data/rows.csv", OBSERVATION, "/srv/data/rows.csv"),
        event(trajectory, 3, answer, ACTION, "", "/srv/answer.txt"),
    ]
    return Entry(trajectory, events, tor=0.0, dropped="reward below 1")


def rename_unicode() -> Entry:
    """Several scripts, tokens that end inside a character, a command inside another, odd weights."""
    rename = "mv 'données/🦊 été.txt' \"$(basename 'fox summer.txt')\""
    turns = (
        Turn(
            reply("文件名里有空格和表情 🦊🦊.", "Regarder, puis renommer.", "ls -1 'données/🦊 été.txt'\n"),
            "données/🦊 été.txt\n$ ",
        ),
        Turn(reply("שלום — it is there.", "Rename it.", f"{rename}\n", complete=True, indent=None), "$ "),
    )
    trajectory = Trajectory("unicode/rename__01", "rename-unicode", "glm-5", "Rename the file.\n$ ", turns)
    events = [
        event(trajectory, 0, "ls -1 'données/🦊 été.txt'", OBSERVATION, "/x/🦊.txt"),
        event(trajectory, 1, rename, ACTION, "", "/x/🦊.txt"),
        event(trajectory, 1, "basename 'fox summer.txt'", OTHER),
    ]
    return Entry(trajectory, events, {1: 0}, 1.0, 412, [_by_character(turn.reply) for turn in turns])


def _by_character(text: str) -> ReplyTokens:
    """One token per character, two for those outside the basic plane; every fourth weighs a half."""
    lengths = [length for mark in text for length in ((1, 0) if ord(mark) > 0xFFFF else (1,))]
    return ReplyTokens(lengths, [0.5 if index % 4 == 3 else 1.0 for index in range(len(lengths))])


def selection() -> list[Entry]:
    return [port_change(), count_rows(), rename_unicode()]


def attacked() -> Entry:
    """Every text is `HOSTILE`."""
    typed = f"echo {HOSTILE}"
    turns = (Turn(reply(HOSTILE, HOSTILE, f"{typed}\n"), HOSTILE, reasoning=HOSTILE), Turn(HOSTILE, HOSTILE))
    extra = {HOSTILE: HOSTILE}
    trajectory = Trajectory(
        HOSTILE, HOSTILE, HOSTILE, HOSTILE, turns, 0.0, HOSTILE, HOSTILE, HOSTILE, HOSTILE, extra
    )
    events = [event(trajectory, 0, typed, ACTION, "", "/x", program=HOSTILE)]
    events[0] = replace(events[0], writes=(HOSTILE,), reads=(HOSTILE,))
    return Entry(trajectory, events, {}, 0.5, 9, [tokenized(turn.reply) for turn in turns], dropped=HOSTILE)
