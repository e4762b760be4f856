"""Data sets on the Hugging Face hub, named `org/name` or `org/name@revision`."""

import re
from pathlib import Path

from terminal_lego.errors import TrajectoryError

_NAME = re.compile(r"(?P<name>[\w.-]*\w[\w.-]*/[\w.-]*\w[\w.-]*)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
_DATA = (".json", ".jsonl", ".parquet")
# Rows, and what of a Harbor trial is not JSON: the raw replies and the outcome.
_PATTERNS = [*(f"*{suffix}" for suffix in _DATA), "*/response.txt", "*/reward.txt", "*/exception.txt"]


def is_hub_name(source: str) -> bool:
    """Whether this can name a data set; a file's name cannot."""
    return bool(_NAME.fullmatch(source)) and not source.endswith(_DATA)


def download(source: str) -> Path:
    """The folder with the data set's JSON, JSON Lines and Parquet files, from the cache what is there.

    Raises:
        TrajectoryError: no such data set or revision, no access, no network, no file to read.
    """
    from huggingface_hub import errors, snapshot_download

    name, revision = _NAME.fullmatch(source).group("name", "revision")
    try:
        folder = snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=_PATTERNS)
        if Path(folder).is_dir():
            return Path(folder)
        reason = "holds no .json, .jsonl or .parquet file"
    # The library's own messages are not passed on: they run over many lines and may quote the request.
    except errors.GatedRepoError:
        reason = "asks for permission; request it on its page on the hub, then log in with `hf auth login`"
    except errors.RepositoryNotFoundError:
        reason = (
            "is neither a path here nor a data set on the hub that you may see; "
            "if it is private, log in with `hf auth login`"
        )
    except errors.RevisionNotFoundError:
        reason = f"has no revision {revision}; name a branch, a tag or a commit"
    except errors.HFValidationError:
        reason = "is no path here and cannot be the name of a data set; write org/name or org/name@revision"
    except errors.LocalEntryNotFoundError:
        reason = (
            "is no path here, and the hub cannot be reached; "
            "give a local path, or see to the network (HF_ENDPOINT, HF_HUB_OFFLINE)"
        )
    except Exception as error:
        reason = (
            f"could not be fetched from the hub ({type(error).__name__}); try again, or give a local path"
        )
    raise TrajectoryError(f"{source} {reason}.")
