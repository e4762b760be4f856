"""A student on the Hugging Face hub."""

import re
from pathlib import Path

from terminal_lego.errors import ConfigError, StudentError
from terminal_lego.student.card import NAME, write_card
from terminal_lego.student.names import hub_name
from terminal_lego.student.run import OUTCOME, read_run

_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_STAYS = ["checkpoints/*", OUTCOME]
"""Of a run's student: what only a training needs."""
_GOES = ["*.safetensors", "*.safetensors.index.json", "adapter_config.json"]
"""On the hub: what an earlier student may have left, and a server would load with this one."""
_WAY_OUT = {
    401: "does not know the token; log in with `hf auth login`, or set HF_TOKEN",
    403: "does not let this token write there; take a token that may write, or another name",
    404: "has no such place, or hides it from this token; name an organisation you belong to",
    429: "is asked too often; wait and push again",
}


def push(place: str | Path, name: str, *, private: bool = False) -> str:
    """Uploads a folder that `export` made, or the student of a run as it is, with its card.

    The token is that of HF_TOKEN or `hf auth login`.

    Args:
        name: org/name; made when there is none.

    Returns:
        The address of the model.

    Raises:
        ConfigError: no model in `place`, or a name that cannot be one.
        StudentError: the hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        name_is_good = False
    else:
        name_is_good = _NAME.fullmatch(name) is not None
    if not name_is_good:
        raise ConfigError(f"{name} cannot be the name of a model on the hub: write org/name.")
    folder = _folder(Path(place))
    if not get_token():
        raise StudentError("there is no token for the hub: log in with `hf auth login`, or set HF_TOKEN.")
    api = HfApi()
    try:
        url = str(api.create_repo(name, private=private or None, exist_ok=True))
        if private and not api.model_info(name).private:
            raise StudentError(
                f"{name} is there already and public: make it private in its settings on the hub, "
                "or leave --private out."
            )
        api.upload_folder(
            repo_id=name,
            folder_path=folder,
            ignore_patterns=_STAYS,
            delete_patterns=_GOES,
            commit_message="Student of terminal-lego",
        )
    except StudentError:
        raise
    except Exception as error:
        raise StudentError(f"{name} was not pushed: {_why(error)}.") from None
    return url


def _folder(place: Path) -> Path:
    """The folder to upload; of a run the one of its student, which gets its card."""
    if (place / "config.yaml").is_file():
        run = read_run(place)
        if run.has_adapters and not hub_name(run.base):
            raise ConfigError(
                f"{place} has adapters for {run.base}, which others do not have: "
                f"`terminal-lego student export {place} --out FOLDER` merges them, push FOLDER."
            )
        write_card(run)
        return run.student
    has_model = any((place / name).is_file() for name in ("config.json", "adapter_config.json"))
    if not has_model or not any(place.glob("*.safetensors")):
        raise ConfigError(
            f"{place} holds neither a run nor a model: name a run directory, or a folder that "
            "`terminal-lego student export` made."
        )
    if not (place / NAME).is_file():
        raise ConfigError(
            f"{place} has no card ({NAME}): push what `terminal-lego student export` made, or write one."
        )
    return place


def _why(error: BaseException) -> str:
    """In own words: the library's run over many lines and may quote the request."""
    from huggingface_hub.errors import HfHubHTTPError

    while not isinstance(error, HfHubHTTPError) and (cause := error.__cause__):
        error = cause
    if not isinstance(error, HfHubHTTPError):
        return (
            f"the hub cannot be reached, or the connection broke ({type(error).__name__}); see to the "
            "network (HF_ENDPOINT, HF_HUB_OFFLINE) and push again"
        )
    status = error.response.status_code
    return f"the hub {_WAY_OUT.get(status, f'answered with {status}; push again later')}"
