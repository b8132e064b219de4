"""WSGI applications of the tests on loopback, over HTTP or TLS, in threads of the test process."""

import datetime
import ipaddress
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Certificate(NamedTuple):
    """A self-signed certificate for 127.0.0.1 and its key, as PEM."""

    certificate: str
    key: str


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 (werkzeug's name)
        """Stay silent: tests look at answers."""


def make_certificate() -> Certificate:
    """Create a certificate that clients can use as its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "irsa tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certificate(pem.decode(), private.decode())


@contextmanager
def serve(app: "WSGIApplication", certificate: Certificate | None = None) -> Iterator[str]:
    """Serve `app` on a free port until the block ends; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="irsa-tls-") as folder:
        files = None
        if certificate is not None:
            files = (f"{folder}/tls.crt", f"{folder}/tls.key")
            Path(files[0]).write_text(certificate.certificate)
            Path(files[1]).write_text(certificate.key)
        server = make_server(
            "127.0.0.1", 0, app, threaded=True, request_handler=_QuietHandler, ssl_context=files
        )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
