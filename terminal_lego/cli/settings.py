"""`--select` and `--mask`: the settings of a recipe's `selection:` and `mask:`, given as KEY=VALUE."""

import argparse
from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar

from terminal_lego.errors import ConfigError

T = TypeVar("T")


def add_settings(parser: argparse.ArgumentParser, option: str, text: str) -> None:
    parser.add_argument(option, nargs="+", default=[], metavar="KEY=VALUE", help=text)


def settings(kind: type[T], pairs: Sequence[str], option: str) -> T:
    """An instance of the dataclass `kind`; values are read and checked as on a recipe's command line.

    Raises:
        ConfigError: a pair without `=`, an unknown key, a value of another type or one the class refuses.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    known = {field.name for field in fields(kind)}
    for pair in pairs:
        key, equals, _ = pair.partition("=")
        if not equals or key not in known:
            raise ConfigError(f"{option} {pair}: give KEY=VALUE with a KEY of {', '.join(sorted(known))}.")
    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), OmegaConf.from_dotlist(pairs)))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{option} {' '.join(pairs)}: {str(error).splitlines()[0].rstrip('.')}.") from None
