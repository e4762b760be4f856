"""The local base image for terminal tasks; a Debian mirror is enough where no registry answers."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.errors import SandboxBuildFailedError
from terminal_lego.harness.apt import apt_install

if TYPE_CHECKING:
    from docker import DockerClient

BASE_IMAGE = "terminal-lego/base:1"
DEBIAN_IMAGE = "debian:bookworm-slim"
CONTEXT = Path(__file__).parent / "images" / "base"

Progress = Callable[[str], None]
_DEBIAN_URL = re.compile(r"^(?:URIs:|deb\s.*?)\s*(https?://\S+/debian/?)(?:\s|$)", re.MULTILINE)
_building = threading.Lock()


def silent(line: str) -> None:
    """The default `Progress`: say nothing."""


def ensure_image(client: "DockerClient", tag: str = BASE_IMAGE, progress: Progress = silent) -> None:
    """Make the base image present. Raises SandboxBuildFailedError naming the step that failed."""
    if tag != BASE_IMAGE:
        raise SandboxBuildFailedError(f"{tag} is not an image this project builds; it builds {BASE_IMAGE}.")
    with _building:
        if _present(client, tag):
            return
        if not _present(client, DEBIAN_IMAGE) and not _pull(client, progress):
            _bootstrap(client, progress)
        _build(client, tag, progress)


def _present(client: "DockerClient", tag: str) -> bool:
    from docker.errors import ImageNotFound

    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _pull(client: "DockerClient", progress: Progress) -> bool:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    progress(f"pulling {DEBIAN_IMAGE}")
    try:
        client.images.pull(DEBIAN_IMAGE)
    except (DockerException, RequestException):
        progress("no registry answers")
        return False
    return True


def _bootstrap(client: "DockerClient", progress: Progress) -> None:
    if os.geteuid() != 0:
        raise SandboxBuildFailedError(
            f"{DEBIAN_IMAGE} cannot be pulled and only root may make it with debootstrap: "
            f"pull or load {DEBIAN_IMAGE} into the engine."
        )
    if shutil.which("debootstrap") is None:
        progress("installing debootstrap with apt-get")
        apt_install("debootstrap")
    with tempfile.TemporaryDirectory(prefix="terminal-lego-") as folder:
        root = Path(folder) / "root"
        progress("debootstrap: a minimal Debian 12 (about a minute)")
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", "bookworm", str(root), *_mirror()],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            tail = "\n".join(done.stdout.splitlines()[-5:])
            raise SandboxBuildFailedError(f"debootstrap ended with {done.returncode}:\n{tail}")
        for leftover in (*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*_*")):
            leftover.unlink()
        progress(f"importing {DEBIAN_IMAGE}")
        archive = Path(folder) / "root.tar"
        subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
        repository, tag = DEBIAN_IMAGE.split(":")
        client.api.import_image_from_file(str(archive), repository, tag, changes=['CMD ["bash"]'])


def _mirror() -> list[str]:
    """The Debian mirror of the host's own package sources; debootstrap's default when there is none."""
    for source in ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"):
        if Path(source).exists() and (found := _DEBIAN_URL.search(Path(source).read_text())):
            return [found[1]]
    return []


def _build(client: "DockerClient", tag: str, progress: Progress) -> None:
    from docker.errors import APIError, BuildError

    progress(f"building {tag}")
    try:
        client.images.build(path=str(CONTEXT), tag=tag, rm=True, forcerm=True, timeout=600)
    except (APIError, BuildError) as error:
        lines = [line.get("stream", "") for line in getattr(error, "build_log", [])]
        tail = "".join(lines).strip().splitlines()[-5:]
        raise SandboxBuildFailedError("\n".join([f"{tag} could not be built: {error}", *tail])) from error
