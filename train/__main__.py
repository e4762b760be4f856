"""`python -m train recipe=<name> [key=value ...]`."""

import os
import signal
import sys
import traceback
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from terminal_lego.errors import TerminalLegoError

if TYPE_CHECKING:
    from omegaconf import DictConfig


class Terminated(BaseException):
    """SIGTERM arrived; unwinds like Ctrl-C does."""


def main() -> None:
    signal.signal(signal.SIGTERM, _terminate)
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors on instead of printing them itself
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from train import compose

    def job(composed: "DictConfig") -> None:
        try:
            _run(composed)
        except TerminalLegoError as error:
            if wants_traceback:
                raise
            _fail(str(error))
        except Exception:  # a fault of ours, not of the configuration: shown without Hydra's frames
            traceback.print_exc()
            raise SystemExit(1) from None

    try:
        compose.register()
        hydra.main(config_path=str(compose.CONF), config_name="config", version_base=None)(job)()
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        if wants_traceback:
            raise
        _fail(str(error) if isinstance(error, TerminalLegoError) else compose.explain(error))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Terminated:
        raise SystemExit(143) from None


def _run(composed: "DictConfig") -> None:
    from train import compose, run_directory

    config = compose.build(composed)
    config.run_dir = str(run_directory.reserve(config))
    try:
        from train.pipeline import run

        run(config)
    except (KeyboardInterrupt, Terminated):
        print(f"\nStopped. To continue: {run_directory.command_to_continue(config.run_dir)}", file=sys.stderr)
        raise


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _fail(sentence: str) -> NoReturn:
    print(f"error: {sentence}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
