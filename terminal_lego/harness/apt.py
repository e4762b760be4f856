"""Debian packages, where root may install them."""

import os
import subprocess

from terminal_lego.errors import EngineUnavailableError


def apt_install(*packages: str) -> None:
    """Raises EngineUnavailableError with the end of apt-get's own message."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-q", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise EngineUnavailableError(f"apt-get could not install {' '.join(packages)}:\n{tail}")
