"""A list of titles by itself, where no interactions are: what a server that has nobody's rows knows of the items."""

from __future__ import annotations

import json
from pathlib import Path

from fedrec.data.dataset import Catalogue
from fedrec.data.readers.catalogue import catalogue_of_file
from fedrec.data.readers.generic import items_of
from fedrec.data.readers.names import normal_ids
from fedrec.data_settings import DataConfig
from fedrec.errors import DataError
from fedrec.text import read_text


def read_titles(path: Path) -> Catalogue:
    """The items of a file with the columns item and title, or of a run's catalogue.json, in their order.

    Raises:
        DataError: it is none; what is wrong with which line.
    """
    if path.suffix == ".json":
        try:
            told = json.loads(read_text(path))
            return Catalogue(tuple(map(str, told["ids"])), tuple(map(str, told["titles"])))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: no catalogue.json of a run ({error})") from None
    return catalogue_of_file(normal_ids(items_of(path, DataConfig())), skip=False)[0]
