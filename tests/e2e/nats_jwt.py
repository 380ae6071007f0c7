"""Decentralised NATS authentication (operator, accounts and users as JWTs), made with the openssl program: enough for a server
with the resolver MEMORY and a credentials file. https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt"""
import base64
import binascii
import json
import os
import subprocess
import tempfile
import time

OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3
# RFC 8410: an Ed25519 private key in PKCS #8 is this and the 32 bytes.
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


def base32(data):
    return base64.b32encode(data + binascii.crc_hqx(data, 0).to_bytes(2, "little")).rstrip(b"=").decode()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    def __init__(self, prefix):
        self.secret = os.urandom(32)
        with tempfile.NamedTemporaryFile() as f:
            f.write(PKCS8 + self.secret)
            f.flush()
            der = subprocess.run(["openssl", "pkey", "-inform", "DER", "-in", f.name, "-pubout", "-outform", "DER"],
                                 capture_output=True, check=True).stdout
        self.name = base32(bytes([prefix]) + der[-32:])
        self.seed = base32(bytes([SEED | prefix >> 5, (prefix & 31) << 3]) + self.secret)

    def sign(self, data):
        with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as text:
            key.write(PKCS8 + self.secret)
            key.flush()
            text.write(data)
            text.flush()
            return subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", key.name, "-keyform", "DER", "-rawin",
                                   "-in", text.name], capture_output=True, check=True).stdout

    def jwt(self, subject, name, **nats):
        """A token about the key `subject`, signed by this one."""
        claims = {"jti": os.urandom(16).hex(), "iat": int(time.time()), "iss": self.name, "name": name, "sub": subject.name,
                  "nats": {**nats, "version": 2}}
        head = base64url(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
        text = f"{head}.{base64url(json.dumps(claims).encode())}"
        return f"{text}.{base64url(self.sign(text.encode()))}"


class Realm:
    """An operator with one account, as a server is configured with it."""

    def __init__(self):
        self.operator, self.account = Key(OPERATOR), Key(ACCOUNT)
        self.operator_jwt = self.operator.jwt(self.operator, "op", type="operator")
        limits = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
        self.account_jwt = self.operator.jwt(self.account, "lattice", type="account", limits=limits)

    def server_config(self, port):
        return (f"listen: 127.0.0.1:{port}\noperator: {self.operator_jwt}\nresolver: MEMORY\n"
                f"resolver_preload: {{ {self.account.name}: {self.account_jwt} }}\n")

    def credentials(self):
        """The text of a .creds file of a new user of the account."""
        user = Key(USER)
        token = self.account.jwt(user, "wasm-operator", type="user", pub={}, sub={}, subs=-1, data=-1, payload=-1)
        return (f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
                f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n")
