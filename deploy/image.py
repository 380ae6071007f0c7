#!/usr/bin/env python3
"""Builds the operator's container image without a container engine: an OCI image layout in a tar file, which `docker load`,
`podman load`, `ctr image import` and `skopeo copy oci-archive:` take. The same input gives the same image, byte by byte.

    deploy/image.py --binary build-release/wasm-operator --output wasm-operator.tar
    deploy/image.py --binary build-release/wasm-operator --push registry.example.com/team/wasm-operator:0.1.0

The image holds the program, the libraries it is linked with, the CA certificates of this machine, and nothing else: no shell.
Credentials for --push are those of ~/.docker/config.json (auths)."""
import argparse
import gzip
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request

USER = 65532
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
FILES = {
    "etc/passwd": f"nonroot:x:{USER}:{USER}::/:/sbin/nologin\n",
    "etc/group": f"nonroot:x:{USER}:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def fail(text):
    sys.exit(f"image.py: {text}")


def libraries(binary):
    """path in the image -> file here"""
    done = subprocess.run(["ldd", binary], capture_output=True, text=True)
    if done.returncode != 0:
        if "not a dynamic executable" in done.stderr + done.stdout:
            return {}
        fail(f"ldd {binary}: {done.stderr.strip()}")
    found = {}
    for line in done.stdout.splitlines():
        match = re.match(r"\s*(?:(\S+) => )?(/\S+) \(0x", line)
        if "not found" in line:
            fail(f"{binary} needs a library that is not here: {line.strip()}")
        if match:
            found[match.group(2)] = os.path.realpath(match.group(2))
    return found


def make_layer(binary, strip):
    """The layer as an uncompressed tar: sorted, without times and owners."""
    program = open(binary, "rb").read()
    if strip:
        done = subprocess.run(["strip", "-o", "/dev/stdout", binary], capture_output=True)
        if done.returncode == 0 and done.stdout:
            program = done.stdout
    entries = {"wasm-operator": (program, 0o755)}
    for path, source in libraries(binary).items():
        entries[path.lstrip("/")] = (open(source, "rb").read(), 0o755)
    if not os.path.exists(CERTIFICATES):
        fail(f"{CERTIFICATES} does not exist: install the package ca-certificates")
    entries[CERTIFICATES.lstrip("/")] = (open(CERTIFICATES, "rb").read(), 0o644)
    for path, text in FILES.items():
        entries[path] = (text.encode(), 0o644)
    folders = {"tmp": 0o1777}
    for path in entries:
        while path := os.path.dirname(path):
            folders.setdefault(path, 0o755)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted([*folders, *entries]):
            info = tarfile.TarInfo(path)
            if path in folders:
                info.type, info.mode = tarfile.DIRTYPE, folders[path]
                tar.addfile(info)
            else:
                data, info.mode = entries[path]
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(kind, data):
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


def encode(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


class Image:
    def __init__(self, binary, version, strip=True):
        tar = make_layer(binary, strip)
        self.layer = gzip.compress(tar, 9, mtime=0)
        self.config = encode({
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()), "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Entrypoint": ["/wasm-operator"], "User": f"{USER}:{USER}", "WorkingDir": "/",
                       "ExposedPorts": {"8080/tcp": {}, "8081/tcp": {}},
                       "Labels": {"org.opencontainers.image.title": "wasm-operator",
                                  "org.opencontainers.image.version": version}},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "deploy/image.py"}],
        })
        self.manifest = encode({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, self.config),
                                "layers": [descriptor(LAYER, self.layer)]})
        self.unpacked = len(tar)

    def write(self, path, name):
        blobs = {f"blobs/{digest(b).replace(':', '/')}": b for b in (self.layer, self.config, self.manifest)}
        index = {"schemaVersion": 2, "manifests": [dict(
            descriptor(MANIFEST, self.manifest), annotations={"org.opencontainers.image.ref.name": name.rpartition(":")[2],
                                                              "io.containerd.image.name": name})]}
        config, layer = (f"blobs/{digest(b).replace(':', '/')}" for b in (self.config, self.layer))
        files = {**blobs, "oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": encode(index),
                 "manifest.json": encode([{"Config": config, "RepoTags": [name], "Layers": [layer]}])}
        temporary = f"{path}.new"
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in sorted(files.items()):
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(data), 0o644
                tar.addfile(info, io.BytesIO(data))
        os.replace(temporary, path)


class Registry:
    """The few requests of the distribution API that a push needs."""

    def __init__(self, host, repository, plain):
        self.base = f"{'http' if plain else 'https'}://{host}"
        self.host, self.repository = host, repository
        self.authorization = None

    def credentials(self):
        try:
            with open(os.path.expanduser("~/.docker/config.json")) as f:
                auths = json.load(f).get("auths", {})
        except (OSError, ValueError):
            return None
        return next((v["auth"] for k, v in auths.items() if re.sub(r"^https?://|/.*$", "", k) == self.host and v.get("auth")),
                    None)

    def log_in(self, challenge):
        kind, _, rest = challenge.partition(" ")
        login = self.credentials()
        if kind.lower() == "basic":
            if not login:
                fail(f"{self.host} wants a login, and ~/.docker/config.json has none for it")
            self.authorization = f"Basic {login}"
            return
        fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        query = urllib.parse.urlencode({"service": fields.get("service", ""),
                                        "scope": f"repository:{self.repository}:pull,push"})
        request = urllib.request.Request(f"{fields['realm']}?{query}")
        if login:
            request.add_header("Authorization", f"Basic {login}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = json.load(answer)
        self.authorization = f"Bearer {body.get('token') or body.get('access_token')}"

    def ask(self, method, url, data=None, kind=None, again=True):
        request = urllib.request.Request(urllib.parse.urljoin(self.base, url), data=data, method=method)
        if kind:
            request.add_header("Content-Type", kind)
        if self.authorization:
            request.add_header("Authorization", self.authorization)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return answer.status, answer.headers
        except urllib.error.HTTPError as e:
            if e.code == 401 and again and e.headers.get("WWW-Authenticate"):
                self.log_in(e.headers["WWW-Authenticate"])
                return self.ask(method, url, data, kind, again=False)
            if method == "HEAD" and e.code == 404:
                return 404, e.headers
            fail(f"{method} {url} at {self.host}: {e.code} {e.read(500).decode(errors='replace')}")
        except urllib.error.URLError as e:
            fail(f"{self.host}: {e.reason}")

    def push_blob(self, data):
        if self.ask("HEAD", f"/v2/{self.repository}/blobs/{digest(data)}")[0] == 200:
            return
        place = self.ask("POST", f"/v2/{self.repository}/blobs/uploads/", b"")[1]["Location"]
        self.ask("PUT", place + ("&" if "?" in place else "?") + "digest=" + urllib.parse.quote(digest(data)), data,
                 "application/octet-stream")

    def push(self, image, tag):
        self.push_blob(image.layer)
        self.push_blob(image.config)
        self.ask("PUT", f"/v2/{self.repository}/manifests/{tag}", image.manifest, MANIFEST)


def parse_reference(reference):
    match = re.fullmatch(r"([^/]+)/([a-z0-9._/-]+)(?::([\w.-]{1,128}))?", reference)
    if not match or not re.search(r"[.:]|^localhost$", match.group(1)):
        fail(f"{reference!r} is no reference like registry.example.com/team/wasm-operator:0.1.0")
    return match.group(1), match.group(2), match.group(3) or "latest"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the built wasm-operator")
    parser.add_argument("--name", help="name in the tar file (default wasm-operator:<version>)")
    parser.add_argument("--output", help="write the image to this tar file")
    parser.add_argument("--push", metavar="REFERENCE", help="send the image to a registry")
    parser.add_argument("--plain-http", action="store_true", help="speak HTTP to the registry")
    args = parser.parse_args()
    if not args.output and not args.push:
        parser.error("say --output or --push")
    try:
        version = subprocess.run([args.binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    except (OSError, subprocess.CalledProcessError, IndexError) as e:
        fail(f"{args.binary} --version: {e}")
    image = Image(args.binary, version)
    if args.output:
        image.write(args.output, args.name or f"wasm-operator:{version}")
    if args.push:
        host, repository, tag = parse_reference(args.push)
        Registry(host, repository, args.plain_http).push(image, tag)
        print(f"pushed {args.push}@{digest(image.manifest)}")
    print(f"image {digest(image.manifest)}: {len(image.layer)} bytes compressed, {image.unpacked} bytes unpacked")


if __name__ == "__main__":
    main()
