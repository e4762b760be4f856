"""Runs in LLaMA-Factory's environment: `python -m bench.llama_factory_run FOLDER WARM_UP`.

FOLDER holds settings.json; told.json comes into it.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.clock import make_clock


def main(folder: Path, warm_up: int) -> None:
    from llamafactory.train.tuner import run_exp

    clock = make_clock(warm_up)
    run_exp(json.loads((folder / "settings.json").read_text()), callbacks=[clock])
    told = {"took": asdict(clock.took), "history": clock.history}
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
