"""An OCI registry with one image and basic authentication, as much of the distribution protocol as pulling needs."""
import base64
import hashlib
import http.server
import json
import threading


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    def __init__(self, repository, tag, component, username, password):
        config = b"{}"
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.wasm.config.v0+json", "digest": digest(config), "size": len(config)},
            "layers": [{"mediaType": "application/wasm", "digest": digest(component), "size": len(component)}]}).encode()
        self.wanted = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self.blobs = {digest(config): config, digest(component): component}
        self.manifests = {tag: manifest, digest(manifest): manifest}
        self.refused, self.served = 0, 0
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, status, body=b"", kind="application/json", **headers):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_GET(self):
                if self.headers.get("Authorization") != registry.wanted:
                    registry.refused += 1
                    self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
                                WWW_Authenticate='Basic realm="test"')
                    return
                parts = self.path.split("?")[0].split("/")
                if parts[:2] == ["", "v2"] and len(parts) <= 3:
                    self.answer(200, b"{}")
                elif "/".join(parts[2:-2]) == repository and parts[-2] == "manifests" and parts[-1] in registry.manifests:
                    body = registry.manifests[parts[-1]]
                    self.answer(200, body, "application/vnd.oci.image.manifest.v1+json", Docker_Content_Digest=digest(body))
                elif "/".join(parts[2:-2]) == repository and parts[-2] == "blobs" and parts[-1] in registry.blobs:
                    registry.served += 1
                    self.answer(200, registry.blobs[parts[-1]], "application/octet-stream")
                else:
                    self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')

            do_HEAD = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
