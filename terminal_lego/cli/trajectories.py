"""`terminal-lego trajectories stats|convert|inspect|card SOURCE…`."""

import argparse

from terminal_lego.cli import card, convert, inspect, stats


def add(rooms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    names = "stats, convert, inspect, card"
    parser = rooms.add_parser("trajectories", help=f"trajectories in any readable format: {names}")
    actions = parser.add_subparsers(required=True, metavar="action")
    for action in (stats, convert, inspect, card):
        action.add(actions)
