"""`terminal-lego engine up|status|down`."""

import argparse


def add(rooms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = rooms.add_parser("engine", help="the Docker engine that trials run on: up, status, down")
    parser.add_argument("action", choices=("up", "status", "down"))
    parser.set_defaults(run=_run)


def _run(chosen: argparse.Namespace) -> int:
    from terminal_lego.harness import engine

    return engine.main([chosen.action])
