"""Readers: files of many formats become one `Dataset`, or one line that names the fault."""

from __future__ import annotations

from pathlib import Path

from fedrec.config import DataConfig
from fedrec.data.dataset import Dataset
from fedrec.data.readers.assemble import assemble
from fedrec.data.readers.formats import FORMATS, read_source

__all__ = ["FORMATS", "read"]


def read(config: DataConfig) -> Dataset:
    """The data set at `config.path`, which must be given; all rows are train where the source has no split column.

    Raises:
        DataError: what is wrong with which line of which file, and the mend.
        UsageError: an unknown format or column role.
    """
    if config.path is None:
        raise ValueError("data.path is not set")
    source = read_source(Path(config.path), config)
    return assemble(source, config)
