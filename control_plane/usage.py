"""How commands are called wrongly, and what is said then: the usage of what was called, the mistake, and where to read more."""

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn, cast

from control_plane import __version__

CALLED_WRONGLY = 2


class Parser(argparse.ArgumentParser):
    """A command's parser: what is wrong is said beside that command's own usage."""

    def error(self, message: str) -> NoReturn:
        """Ends with status 2."""
        self.print_usage(sys.stderr)
        self.exit(CALLED_WRONGLY, f"{self.prog}: {message}\n`{self.prog} --help` says more.\n")


class Program(Parser):
    """The program's parser: a first word, which names a command, and the rest, which that command's parser reads."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.add_argument("--version", action="version", version=f"safereel {__version__}", help="print the version")
        self._commands = self.add_subparsers(
            title="commands", required=True, metavar="COMMAND", dest="command", parser_class=Parser
        )

    def add(self, name: str, words: str) -> argparse.ArgumentParser:
        """Adds a command; its help is `words`."""
        return cast(
            "argparse.ArgumentParser", self._commands.add_parser(name, help=words, description=_sentence(words))
        )

    @property
    def names(self) -> Sequence[str]:
        """The commands there are."""
        return list(self._commands.choices)

    def read(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """What was called. Ends with status 2 where that is nothing there is, with the nearest that there is."""
        given = list(sys.argv[1:] if argv is None else argv)
        if given and not given[0].startswith("-") and given[0] not in self.names:
            self.error(f"there is no command “{given[0]}”{_nearest(given[0], self.names)}")
        arguments, unknown = self.parse_known_args(given)
        if unknown:
            self._commands.choices[arguments.command].error(f"unrecognized arguments: {' '.join(unknown)}")
        return arguments


def _nearest(word: str, names: Sequence[str]) -> str:
    found = get_close_matches(word, names, n=1)
    return f": do you mean “{found[0]}”?" if found else ""


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
