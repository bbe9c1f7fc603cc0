"""TLS in front of a server that has none, with a certificate made for the test."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for `localhost`, signed by itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return certificate, key


@contextmanager
def tls_proxy(port: int, certificate: Path, key: Path) -> Iterator[int]:
    """The port of localhost at which a server at another port of it can be spoken to by TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("localhost", 0))
    threading.Thread(target=_accept, args=(listener, context, port), daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, context, port), daemon=True).start()


def _serve(client: socket.socket, context: ssl.SSLContext, port: int) -> None:
    # A TLS object must not be used by two threads, so one thread polls both directions.
    with (
        suppress(OSError),
        client,
        context.wrap_socket(client, server_side=True) as inner,
        socket.create_connection(("127.0.0.1", port)) as outer,
    ):
        inner.settimeout(0.005)
        outer.settimeout(0.005)
        while _pump(inner, outer) and _pump(outer, inner):
            pass


def _pump(source: socket.socket, target: socket.socket) -> bool:
    """Pass on what is there; False at the end of the stream."""
    try:
        data = source.recv(1 << 16)
    except TimeoutError:
        return True
    target.settimeout(10)
    target.sendall(data)
    target.settimeout(0.005)
    return bool(data)
