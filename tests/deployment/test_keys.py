"""Keys of a deployment: who signs whom, who may read what, and that nothing is overwritten."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store

from fedrec.deployment.keys import add_client, make_keys, registered_keys, renew_server
from fedrec.deployment.settings import ClientSettings, ServerSettings, read_settings
from fedrec.errors import FedrecError, UsageError
from tests.cli import here


@pytest.fixture
def made(tmp_path: Path) -> Path:
    make_keys(tmp_path / "keys", ["anna", "bob"], ["fed.example.org", "10.1.2.3"], 9443)
    return tmp_path / "keys"


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_ca_signs_the_server_for_every_name_it_is_reached_by(made: Path) -> None:
    ca, server = (
        x509.load_pem_x509_certificate((made / name).read_bytes()) for name in ("ca/ca.pem", "server/server.pem")
    )
    trust = PolicyBuilder().store(Store([ca]))
    trust.build_server_verifier(x509.DNSName("fed.example.org")).verify(server, [])
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["fed.example.org", "localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.1.2.3", "127.0.0.1"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made / "server" / "server.pem", made / "server" / "server.key")


def test_every_file_is_its_owners_only(made: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in content(made)} == {0o600}


def test_each_side_is_handed_what_it_needs_and_no_key_of_another(made: Path) -> None:
    private = {str(path.relative_to(made)) for path, data in content(made).items() if b"PRIVATE KEY" in data}
    assert private == {"ca/ca.key", "server/server.key", "clients/anna/client.key", "clients/bob/client.key"}
    assert (made / "server" / "ca.pem").read_bytes() == (made / "clients" / "bob" / "ca.pem").read_bytes()
    mine = serialization.load_ssh_private_key((made / "clients" / "bob" / "client.key").read_bytes(), None)
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    assert registered_keys(made / "server" / "clients")["bob"] == mine.public_key().public_bytes(*form)


def test_nothing_is_overwritten(made: Path) -> None:
    before = content(made)
    with pytest.raises(UsageError, match="not empty"):
        make_keys(made, ["anna"], ["localhost"], 9443)
    with pytest.raises(UsageError, match="anna has a key already"):
        add_client(made, "anna", "localhost", 9443)
    assert content(made) == before


def test_a_renewed_server_is_still_the_one_that_clients_trust(made: Path) -> None:
    before = content(made)
    renew_server(made, ["fed.example.org"])
    assert {path.name for path, data in content(made).items() if data != before[path]} == {"server.key", "server.pem"}


def test_a_client_added_later_is_registered(made: Path) -> None:
    add_client(made, "carol", "::1", 9443)
    assert list(registered_keys(made / "server" / "clients")) == ["anna", "bob", "carol"]
    assert read_settings(made / "clients" / "carol" / "deploy.toml", ClientSettings).server == "[::1]:9443"


@pytest.mark.parametrize("name", ["../x", "", "a b", "-x"])
def test_a_name_is_no_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a name is letters"):
        make_keys(tmp_path / "keys", [name], ["localhost"], 9443)
    assert not (tmp_path / "keys").exists()


def test_what_is_no_key_or_registered_twice_is_named(made: Path) -> None:
    clients = made / "server" / "clients"
    (clients / "carol.pub").write_bytes((clients / "bob.pub").read_bytes())
    with pytest.raises(FedrecError, match=r"carol\.pub: this is the key of client bob"):
        registered_keys(clients)
    (clients / "carol.pub").write_text("ssh-rsa AAAA")
    with pytest.raises(FedrecError, match=r"carol\.pub: no OpenSSH ECDSA public key"):
        registered_keys(clients)


def test_every_fault_of_a_settings_file_is_in_one_line(made: Path) -> None:
    path = made / "server" / "server.toml"
    assert read_settings(path, ServerSettings).key == made / "server" / "server.key"
    (made / "server" / "server.key").chmod(0o640)
    (made / "server" / "server.pem").unlink()
    with pytest.raises(UsageError) as fault:
        read_settings(path, ServerSettings)
    assert "others may read it; chmod 600" in str(fault.value)
    assert "server.pem: no such file" in str(fault.value)
    path.write_text("prot = 3\nport = 70000\n")
    with pytest.raises(UsageError, match=r"server\.toml: port = 70000.*; prot is not a setting .did you mean port"):
        read_settings(path, ServerSettings)


def test_from_the_command_line(tmp_path: Path) -> None:
    said = here("deploy", "keys", tmp_path / "keys", "--clients", 2, "--host", "fed.example.org", "--port", 4443)
    assert "2 clients; hand server/ to the server" in said
    settings = read_settings(tmp_path / "keys" / "clients" / "client-1" / "deploy.toml", ClientSettings)
    assert settings.server == "fed.example.org:4443"
    assert read_settings(tmp_path / "keys" / "server" / "server.toml", ServerSettings).port == 4443
