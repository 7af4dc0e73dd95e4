"""Where an operator's private keys are, and their passphrases: in a file, in a variable, or asked on the terminal.

FEDREC_KEYS              the folder of private keys; left out: fedrec/keys under $XDG_CONFIG_HOME or ~/.config
FEDREC_PASSPHRASE_FILE   a file whose first line is the passphrase
FEDREC_PASSPHRASE        the passphrase itself
"""

from __future__ import annotations

import os
import sys
from functools import partial
from getpass import getpass
from pathlib import Path

from fedrec.errors import FedrecError, UsageError
from unlearning.operators.keyring import Keyring

FOLDER, FILE, TEXT = "FEDREC_KEYS", "FEDREC_PASSPHRASE_FILE", "FEDREC_PASSPHRASE"


def own_keyring(folder: Path | None = None, passphrase_file: Path | None = None) -> Keyring:
    """The keys of whoever runs this program.

    Args:
        folder, passphrase_file: None: as the environment says.
    """
    return Keyring(folder or _own_folder(), partial(_passphrase, passphrase_file))


def _own_folder() -> Path:
    if named := os.environ.get(FOLDER):
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "fedrec" / "keys"
    except RuntimeError:
        raise UsageError(f"no home folder for your keys: name one by --keys or {FOLDER}") from None


def _passphrase(file: Path | None, key: Path, new: bool) -> str:
    """
    Raises:
        FedrecError: there is no way to get it.
    """
    if file is None and (named := os.environ.get(FILE)):
        file = Path(named)
    if file is not None:
        return _first_line(file)
    if text := os.environ.get(TEXT):
        return text
    if not _on_a_terminal():
        way = f"give it by `fedrec forget --passphrase-file FILE …`, {FILE} or {TEXT}"
        if new:
            raise FedrecError(f"{key}: a new key wants a passphrase: {way} (or `keys --create NAME --no-passphrase`)")
        raise FedrecError(f"{key}: it is under a passphrase: {way}")
    if not new:
        return getpass(f"Passphrase of {key}: ")
    chosen = getpass(f"Choose a passphrase for {key}: ")
    if getpass("Once more: ") != chosen:
        raise FedrecError("the two passphrases differ; nothing was made")
    return chosen


def _on_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise UsageError(f"--passphrase-file {path}: cannot be read ({why})") from None
    if not lines or not lines[0]:
        raise UsageError(f"--passphrase-file {path}: its first line is empty")
    return lines[0]
