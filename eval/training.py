"""What a student's folder says about its training, held against the harness that will evaluate it."""

import json
from pathlib import Path
from typing import Any

from terminal_lego.errors import ConfigError
from terminal_lego.harness.fingerprint import identify
from terminal_lego.harness.profile import Profile
from terminal_lego.student.names import TRAINING


def takes_thoughts(student: str | None) -> bool:
    """Whether the student was trained to read no earlier thoughts, and so wants a reasoning parser."""
    return _noted(student).get("thinking") == "last_turn"


def refuse_other_wording(student: str | None, profile: Profile) -> None:
    """Refuse a profile that is none of those in the training set.

    `training.json` in the student's folder holds `profiles`, the ids of the wordings its trajectories
    used; a folder without it, or a name at a server, says nothing and passes.

    Raises:
        ConfigError: the wording was not trained on.
    """
    trained = _noted(student).get("profiles")
    if trained and identify(profile.head) not in trained:
        raise ConfigError(
            f"{student} was trained on {', '.join(sorted(trained))}, harness.profile={profile.name} is "
            f"{identify(profile.head)}: evaluate it in the wording it knows, or set force=true."
        )


def _noted(student: str | None) -> dict[str, Any]:
    try:
        noted = json.loads(Path(student or "", TRAINING).read_bytes())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}
