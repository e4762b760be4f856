"""What an agent is told beyond the task's own instruction: the MCP servers and the skills it has."""

import base64
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import yaml

from terminal_lego.harness.profile import Profile
from terminal_lego.harness.session import Shell

if TYPE_CHECKING:
    from terminal_lego.task import Task

SKILLS_SECONDS = 10.0

_LIST_SKILLS = Path(__file__).parent / "scripts" / "list_skills.sh"
_FRONT_MATTER = re.compile(r"^---\n(.*?)\n---", re.DOTALL)


def augmented(task: "Task", sandbox: Shell, profile: Profile) -> str:
    """The instruction, followed by what the task's environment offers; unchanged where that is nothing.

    Raises:
        SandboxError: the skills could not be listed.
        CommandTimeoutError: within 10 seconds.
    """
    environment = task.config.environment
    text = task.instruction + profile.servers(environment.mcp_servers)
    if environment.skills_dir is None:
        return text
    return text + _skills(environment.skills_dir, sandbox, task.config.agent.user)


def _skills(folder: str, sandbox: Shell, user: str | int | None) -> str:
    """Every `<folder>/*/SKILL.md` with a name and a description in its front matter, as XML."""
    script = f"skills={shlex.quote(folder)}\n{_LIST_SKILLS.read_text()}"
    lines = sandbox.exec(script, user=user, timeout=SKILLS_SECONDS).output.splitlines()
    root = Element("available_skills")
    for file, content in zip(lines[::2], lines[1::2], strict=False):
        matter = _front_matter(base64.b64decode(content).decode(errors="replace"))
        if {"name", "description"} <= matter.keys():
            skill = SubElement(root, "skill")
            SubElement(skill, "name").text = str(matter["name"])
            SubElement(skill, "description").text = str(matter["description"])
            SubElement(skill, "location").text = file
    if not len(root):
        return ""
    indent(root, space="  ")
    return "\n" + tostring(root, encoding="unicode")


def _front_matter(text: str) -> dict[str, object]:
    found = _FRONT_MATTER.match(text)
    try:
        matter = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError:
        matter = None
    return matter if isinstance(matter, dict) else {}
