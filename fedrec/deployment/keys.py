"""Keys of a deployed federation: the server by X.509 (RFC 5280), each client by a registered ECDSA key.

DIR/ca/              ca.key, ca.pem: who signs the server's certificate; keep the folder offline
DIR/server/          ca.pem, server.key, server.pem, server.toml; clients/NAME.pub: the clients that are registered
DIR/clients/NAME/    ca.pem, client.key, deploy.toml: for that client's machine, and no other
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fedrec.errors import FedrecError, UsageError
from fedrec.file_owner import for_owner_only
from fedrec.files import make_folder, write_bytes

NAME = re.compile(r"[\w][\w.-]{0,63}")
_CA_DAYS, _SERVER_DAYS = 3650, 825  # no longer than clients in general take a server's certificate for
_ALWAYS = ("localhost", "127.0.0.1")  # the server reaches itself there


def make_keys(folder: Path, clients: Sequence[str], hosts: Sequence[str], port: int) -> None:
    """A CA, the server's certificate, and a key for each client, in a new folder.

    Args:
        hosts: names and addresses by which clients reach the server; the first one is put into their deploy.toml.

    Raises:
        UsageError: something is there already, or a name cannot be one.
    """
    for_owner_only()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty, and keys are never overwritten: name a new folder")
    _check_names(clients)
    _check_hosts(hosts)
    key = ec.generate_private_key(ec.SECP384R1())
    _private(folder / "ca" / "ca.key", key)
    _certificate(folder / "ca" / "ca.pem", _ca_certificate(key))
    renew_server(folder, hosts)
    write_bytes(folder / "server" / "server.toml", _SERVER.format(port=port).encode())
    for name in clients:
        add_client(folder, name, hosts[0], port)


def renew_server(folder: Path, hosts: Sequence[str]) -> None:
    """A new key and certificate for the server, by the CA that is there; clients need nothing new.

    Raises:
        FedrecError: the CA is not there.
    """
    _check_hosts(hosts)
    ca, ca_key = _ca(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    _private(folder / "server" / "server.key", key)
    _certificate(folder / "server" / "server.pem", _server_certificate(key, hosts, ca, ca_key))
    _certificate(folder / "server" / "ca.pem", ca)


def add_client(folder: Path, name: str, host: str, port: int) -> None:
    """A key for one more client, and its public half among those that are registered.

    Raises:
        UsageError: a client of that name is there already.
    """
    for_owner_only()
    _check_names([name])
    public, own = folder / "server" / "clients" / f"{name}.pub", folder / "clients" / name
    if public.exists() or own.exists():
        raise UsageError(f"{folder}: client {name} has a key already, and keys are never overwritten")
    ca, _ = _ca(folder)
    key = ec.generate_private_key(ec.SECP384R1())
    openssh = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    write_bytes(own / "client.key", openssh)
    _certificate(own / "ca.pem", ca)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    write_bytes(own / "deploy.toml", _CLIENT.format(server=address).encode())
    line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    write_bytes(public, line + f" {name}\n".encode())


def registered_keys(folder: Path) -> dict[str, bytes]:
    """By client's name, the public key (PEM, SubjectPublicKeyInfo) of each NAME.pub in a folder.

    Raises:
        FedrecError: a file is no OpenSSH ECDSA key, or two clients have one key.
    """
    found: dict[str, bytes] = {}
    for path in sorted(folder.glob("*.pub")):
        try:
            key = serialization.load_ssh_public_key(path.read_bytes())
        except ValueError:
            key = None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not NAME.fullmatch(path.stem):
            raise FedrecError(f"{path}: no OpenSSH ECDSA public key; `ssh-keygen -t ecdsa -b 384` makes one")
        written = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        if twins := [name for name, other in found.items() if other == written]:
            raise FedrecError(f"{path}: this is the key of client {twins[0]}; each client has one of its own")
        found[path.stem] = written
    return found


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not NAME.fullmatch(name):
            raise UsageError(f"client {name!r}: a name is letters, digits and . _ -")
    if len({*names}) < len(names):
        raise UsageError("two clients have one name")


def _check_hosts(hosts: Sequence[str]) -> None:
    if bad := [host for host in hosts if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", host)]:
        raise UsageError(f"--host {bad[0]}: write a host's name or address, without a port")


def _ca(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca" / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca" / "ca.key").read_bytes(), None)
    except (OSError, ValueError) as error:
        raise FedrecError(f"{folder / 'ca'}: the CA cannot be read ({error}); put it back from its backup") from None
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return certificate, key


def _ca_certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _named("fedrec CA")
    return (
        _begun(name, name, key.public_key(), _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA384())
    )


def _server_certificate(
    key: ec.EllipticCurvePrivateKey, hosts: Sequence[str], ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    names = x509.SubjectAlternativeName([_general(host) for host in dict.fromkeys((*hosts, *_ALWAYS))])
    return (
        _begun(_named("fedrec server"), ca.subject, key.public_key(), _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA384())
    )


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    make_folder(path.parent)
    form = serialization.PrivateFormat.PKCS8
    write_bytes(path, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def _certificate(path: Path, certificate: x509.Certificate) -> None:
    write_bytes(path, certificate.public_bytes(serialization.Encoding.PEM))


_SERVER = """\
# `fedrec deploy server server.toml`; paths are taken from this file's folder
host = "0.0.0.0"  # clients come in here, and nobody else finds anything
port = {port}
control = 9444  # on 127.0.0.1 alone: who may use this machine may submit runs there
ca = "ca.pem"
certificate = "server.pem"
key = "server.key"
clients = "clients"  # NAME.pub of each client that is registered; adding and removing takes effect at once
state = "state"  # Flower's database, logs, and the runs
patience = 60  # seconds that an erasure waits for a client that is not connected
# catalogue = "titles.csv"  # public list of item and title; of all that clients hold nothing else is known here
"""
_CLIENT = """\
# `fedrec deploy client --home HOME deploy.toml`; paths are taken from this file's folder
server = "{server}"
ca = "ca.pem"
key = "client.key"
port = 9094  # on 127.0.0.1 alone; each client of one machine has its own
poll = 1.0  # seconds until it looks for messages again
lease = 86400  # seconds that it answers for without the server's word on what is withdrawn
"""
