"""In which wording the trained conversations were recorded: a student knows no other."""

from collections import Counter
from collections.abc import Collection, Iterable

from terminal_lego.errors import ConfigError
from terminal_lego.trajectory import Trajectory


def wordings(trajectories: Iterable[Trajectory], trained: Iterable[str]) -> Counter[str]:
    """How many of the trained conversations were recorded in which wording.

    Args:
        trained: ids of examples; what stands behind an @ is the part of a conversation.
    """
    from terminal_lego.harness.fingerprint import fingerprint_of

    ids = {part for id in trained for part in (id, id.partition("@")[0])}
    return fingerprint_of(trajectory for trajectory in trajectories if trajectory.id in ids)


def check(found: Collection[str], *, is_evaluated: bool) -> str | None:
    """A warning when the run's own evaluation may speak otherwise than the data do, or None.

    Raises ConfigError when it certainly does.
    """
    from terminal_lego.harness.fingerprint import UNKNOWN, identify
    from terminal_lego.harness.profile import Profile

    spoken = identify(Profile.native().head)
    if not is_evaluated or not found or spoken in found:
        return None
    if UNKNOWN in found:
        return (
            f"Nothing here was recorded in the wording that this run evaluates in ({spoken}): the student "
            "will be asked in words it has not seen."
        )
    raise ConfigError(
        f"the conversations were recorded as {', '.join(sorted(found))}, and this run evaluates in {spoken}: "
        "set evaluation=skip, and after training python -m eval with harness.profile=harbor."
    )
