"""Keys and certificates of the sandbox's Kubernetes APIs and issuers: a CA made at start, and leaves of it.

The private keys exist in memory and, for an instant, in a file that only this user can read: Python's ssl
takes them from nowhere else.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import ssl
import tempfile
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """A CA. Clients have to trust `pem`."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("irsa sandbox CA")
        self.pem = _pem(_certificate(self._name, self._name, self._key, self._key, names=None))

    def context(self, *hosts: str) -> ssl.SSLContext:
        """A server's context, for 127.0.0.1, localhost and these hosts."""
        key = ec.generate_private_key(ec.SECP256R1())
        local = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        names = [*local, *(x509.DNSName(host) for host in hosts)]
        return _context(_certificate(_name("irsa sandbox"), self._name, key, self._key, names=names), key)


def make_tls() -> tuple[ssl.SSLContext, str]:
    """A server's context, and the CA (PEM) that its clients have to trust."""
    authority = Authority()
    return authority.context(), authority.pem


@functools.cache
def strangers_tls() -> ssl.SSLContext:
    """A server's context with the certificate of a CA that nobody trusts."""
    return make_tls()[0]


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    names: list[x509.GeneralName] | None,
) -> x509.Certificate:
    """A certificate for these names; a CA's where there are none."""
    ca = names is None
    now = datetime.now(timezone.utc)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(_usage(ca=ca), critical=True)
    )
    if names is not None:
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(server, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _usage(*, ca: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    no = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **no)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _context(leaf: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    handle, path = tempfile.mkstemp(prefix="irsa-sandbox-", suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(private + _pem(leaf).encode())
        context.load_cert_chain(path)
    finally:
        os.unlink(path)
    return context


_KEYS: list[rsa.RSAPrivateKey] = []


def signing_key(number: int) -> rsa.RSAPrivateKey:
    """A key for the cluster with this number. Made once in a process: it takes a tenth of a second."""
    while len(_KEYS) <= number:
        _KEYS.append(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return _KEYS[number]
