"""A server that answers as badly as it is told to, with or without TLS, and certificates for it."""
import os
import socket
import ssl
import subprocess
import threading

CA_CONFIG = """[ca]
default_ca = main
[main]
database = index
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
organizationName = optional
"""


class Certificates:
    """An authority in a folder, and what it signs: NAME.crt and NAME.key."""

    def __init__(self, folder, name="test-ca"):
        self.dir, self.name = os.path.join(folder, name), name
        os.mkdir(self.dir)
        for file, text in (("ca.cnf", CA_CONFIG), ("index", ""), ("serial", "01\n")):
            with open(os.path.join(self.dir, file), "w") as f:
                f.write(text)
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.crt",
                 "-days", "30", "-subj", f"/CN={name}")
        self.ca = os.path.join(self.dir, "ca.crt")

    def run(self, *args):
        subprocess.run(["openssl", *args], cwd=self.dir, check=True, capture_output=True)

    def make(self, name, alt="IP:127.0.0.1", start="20250101000000Z", end="20490101000000Z"):
        with open(os.path.join(self.dir, "ext"), "w") as f:
            f.write(f"subjectAltName={alt}\n")
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                 "-subj", f"/CN={name}")
        self.run("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-in", f"{name}.csr", "-out",
                 f"{name}.crt", "-notext", "-startdate", start, "-enddate", end, "-extfile", "ext")
        return os.path.join(self.dir, f"{name}.crt"), os.path.join(self.dir, f"{name}.key")


def answer(status, body=b"", headers="", reason="x"):
    if isinstance(body, str):
        body = body.encode()
    return (f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n").encode() + body


def read_request(connection):
    """Head and body of one request as (method, target, head text, body), None when there is no more."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    text = head.decode("latin-1") + "\r\n"
    length = 0
    for line in text.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            length = int(value)
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    method, target, *_ = text.split(" ", 2)
    return method, target, text, body


class RawServer:
    """handle(connection, n) is called in a thread of its own for the n-th connection, from 0; the connection is closed after it."""

    def __init__(self, handle, cert=None, client_ca=None, port=0):
        self.handle, self.context, self.connections = handle, None, 0
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*cert)
            self.context.set_alpn_protocols(["http/1.1"])
            if client_ca:
                self.context.verify_mode = ssl.CERT_REQUIRED
                self.context.load_verify_locations(client_ca)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port, self.open, self.closing = self.listener.getsockname()[1], set(), False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            n, self.connections = self.connections, self.connections + 1
            threading.Thread(target=self.serve, args=(connection, n), daemon=True).start()

    def serve(self, connection, n):
        raw = connection.dup()
        self.open.add(raw)
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                connection.do_handshake()
            self.handle(connection, n)
            self.finish(raw)
        except (OSError, ValueError):
            self.finish(raw)
        finally:
            connection.close()
            raw.close()
            self.open.discard(raw)

    @staticmethod
    def finish(raw):
        """What was sent arrives only if what is still unread does not reset the connection."""
        try:
            raw.settimeout(5)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65536):
                pass
        except OSError:
            pass

    def close(self):
        if self.closing:
            return
        self.closing = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def as_http_server(connection, n):
    """What an HTTP server makes of a TLS handshake."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def says(data):
    """A handler that gives every request the same bytes."""
    def handle(connection, n):
        while read_request(connection):
            connection.sendall(data)
    return handle


def says_once(data):
    """As says(), then closes the connection."""
    def handle(connection, n):
        if read_request(connection):
            connection.sendall(data)
    return handle
