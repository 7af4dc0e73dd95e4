"""The settings of each side of a deployed federation, one small TOML a side. Paths in it are taken from its folder."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field

from fedrec.errors import UsageError
from fedrec.settings import Section, validated
from fedrec.text import read_text

Port = Annotated[int, Field(ge=1, le=65_535)]


class ServerSettings(Section):
    """Of the server."""

    host: str = Field("0.0.0.0", description="address on which clients come in")
    port: Port = Field(9443, description="port on which clients come in")
    control: Port = Field(9444, description="port on 127.0.0.1 for whoever submits runs")
    ca: Path = Field(Path("ca.pem"), description="certificate of the CA")
    certificate: Path = Field(Path("server.pem"), description="the server's certificate")
    key: Path = Field(Path("server.key"), description="the server's private key")
    clients: Path = Field(Path("clients"), description="folder with NAME.pub of each registered client")
    state: Path = Field(Path("state"), description="folder of Flower's database, logs and the runs")
    catalogue: Path | None = Field(None, description="public list of items and their titles")
    patience: float = Field(60.0, ge=0, description="seconds that an erasure waits for a client that is not connected")


class ClientSettings(Section):
    """Of a client, beside its home's client.toml, which says what may leave it."""

    server: str = Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$", description="HOST:PORT")
    ca: Path = Field(Path("ca.pem"), description="certificate of the CA")
    key: Path = Field(Path("client.key"), description="the client's private key")
    port: Port = Field(9094, description="port on 127.0.0.1 between SuperNode and what trains")
    poll: float = Field(1.0, ge=0.05, le=60, description="seconds until it looks for messages again")
    lease: float = Field(86_400.0, ge=60, description="seconds that it answers for without the server's word")


Side = TypeVar("Side", ServerSettings, ClientSettings)
_PRIVATE = 0o077


def read_settings(path: Path, side: type[Side]) -> Side:
    """The settings in a TOML file, its paths absolute.

    Raises:
        UsageError: in one line, every wrong key and value, or file that is not there or that others may read.
    """
    try:
        said = validated(side, tomllib.loads(read_text(path)))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; `fedrec deploy keys` writes one") from None
    except (UsageError, tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path}: {str(error).removeprefix('configuration: ')}") from None
    folder = path.resolve().parent
    found = {name: folder / value for name, value in said if isinstance(value, Path)}
    if faults := [fault for name, place in found.items() if name != "state" and (fault := _fault(name, place))]:
        raise UsageError(f"{path}: {'; '.join(faults)}")
    return said.model_copy(update=found)


def _fault(name: str, place: Path) -> str | None:
    if not place.exists():
        return f"{name} = {place}: no such file or folder"
    if name == "key" and place.stat().st_mode & _PRIVATE:
        return f"{name} = {place}: others may read it; chmod 600 {place}"
    return None
