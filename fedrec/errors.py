"""The one kind of error a user sees: a single line that names the wrong value and the mend."""

import shlex
from collections.abc import Iterable
from difflib import get_close_matches


class FedrecError(Exception):
    """Something outside the program is wrong (a file, a value, a model): one line, and the command's exit code."""

    exit_code = 1


def os_fault(error: OSError) -> str:
    """What the system refuses, and where."""
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


class UsageError(FedrecError):
    """The command or configuration itself is wrong."""

    exit_code = 2


class UnknownSigner(FedrecError):
    """What was to be verified is whole, but nobody knows who signed it: neither a success nor a failure."""

    exit_code = 3


class Interrupted(FedrecError):
    """The user stopped the work; the message says how to continue it."""

    exit_code = 130


def stopped(mend: str, stop: KeyboardInterrupt) -> Interrupted:
    """Work that the user stopped: how it goes on, and what begins again then, which is what `stop` says."""
    return Interrupted(f"stopped; {mend}{f' ({stop})' if stop.args else ''}")


class DataError(FedrecError):
    """A data set broke its contract: the message names file, line number, value and mend."""


def command(words: str, *named: object) -> str:
    """A command to suggest, as a shell takes it: words, and then what has to be named exactly, as a run's folder."""
    return f"`fedrec {' '.join([words, *(shlex.quote(str(each)) for each in named)])}`"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean …?)`, of what is known and spelled nearly like it; nothing where nothing is."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""
