"""Checks that settings share; each names the key, the value and the way out."""

from terminal_lego.errors import ConfigError


def one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{key}={value} is not known: choose one of {', '.join(allowed)}.")


def at_least(key: str, value: float | None, least: float) -> None:
    if value is not None and value < least:
        raise ConfigError(f"{key}={value} is too small: give at least {least}.")


def above_zero(key: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise ConfigError(f"{key}={value} must be above 0.")


def share(key: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ConfigError(f"{key}={value} is out of range: give at least 0 and less than 1.")
