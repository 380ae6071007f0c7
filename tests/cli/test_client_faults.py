"""What goes wrong between wasmctl and a server, seen by the person in front of it: one message each that says what was tried, what
came back and what to do, the exit code 1, and an end within bounded time."""
import json
import os
import re
import socket
import time

from harness import *
from rawserver import *

LIST = "/apis/wasmctl.dev/v1alpha1/namespaces/default/wasmactors"


class FaultTest(CliTest):
    def start(self, handle, **options):
        server = RawServer(handle, **options)
        self.addCleanup(server.close)
        return server

    def certificates(self, name="test-ca"):
        return Certificates(self.dir, name)

    def config(self, server, cluster="", user="", name="config"):
        """A kubeconfig of one context; cluster and user are further members, in flow style."""
        path = self.write(name, f"apiVersion: v1\nkind: Config\ncurrent-context: t\nclusters: [{{name: c, cluster: {{server: \"{server}\""
                          f"{', ' + cluster if cluster else ''}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
                          f"contexts: [{{name: t, context: {{cluster: c, user: u}}}}]\n")
        self.env["KUBECONFIG"] = path
        return path

    def fails(self, expected, *args, out="", code=1):
        """expected: the whole of stderr, without its last newline; a compiled expression matches the whole of it."""
        began = time.monotonic()
        got = self.run_cli(*(args or ("get", "wa")))
        self.assertEqual((out, code), (got.out, got.code), got.err)
        self.assertTrue(got.err.endswith("\n"), got.err)
        if isinstance(expected, str):
            self.assertEqual(expected, got.err[:-1])
        else:
            self.assertRegex(got.err[:-1], re.compile(r"\A(?:" + expected.pattern + r")\Z", re.S))
        self.took = time.monotonic() - began
        return got

    @staticmethod
    def free_port():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]


def proxy_407(headers=""):
    return says(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n" + headers.encode() + b"\r\n")


OK = says(answer(200, json.dumps(table(row(actor("a"), "1/1", "i", "5m")))))
SHOWN = "NAME   READY   AGE\na      1/1     5m\n"
UNABLE = "Unable to connect to the server: "


class Connections(FaultTest):
    def test_refused(self):
        for scheme in ("http", "https"):
            port = self.free_port()
            self.config(f"{scheme}://127.0.0.1:{port}")
            self.fails(f"The connection to the server 127.0.0.1:{port} was refused - did you specify the right host or port?")

    def test_name_unknown(self):
        self.config("https://no-such-host.invalid:6443")
        self.fails(UNABLE + "the name of no-such-host.invalid:6443 cannot be resolved; check the address in the kubeconfig, and this "
                   "machine's DNS")

    def test_http_to_an_https_port(self):
        self.config(f"http://127.0.0.1:{self.start(says_once(b'HTTP/1.0 400 Bad Request' + GO_TEXT)).port}")
        self.fails("Error from server (BadRequest): the server rejected our request for an unknown reason: Client sent an HTTP request to "
                   "an HTTPS server. Write https:// before its address")
        ca = self.certificates()
        port = self.start(OK, cert=ca.make("server")).port
        self.config(f"http://127.0.0.1:{port}")
        self.fails(re.compile(re.escape(f"{UNABLE}127.0.0.1:{port}: ") + r".+; is it an https:// server\?"))

    def test_https_to_an_http_port(self):
        port = self.start(as_http_server).port
        self.config(f"https://127.0.0.1:{port}")
        self.fails(f"{UNABLE}TLS with 127.0.0.1:{port} failed: wrong version number; is it an http:// server?")

    def test_not_http_at_all(self):
        port = self.start(says_once(b"SSH-2.0-OpenSSH_9\r\n")).port
        self.config(f"http://127.0.0.1:{port}")
        self.fails(f"{UNABLE}127.0.0.1:{port}: Received HTTP/0.9 when not allowed; is it an https:// server?")

    def test_closed_without_an_answer(self):
        server = self.start(says_once(b""))
        self.config(f"http://127.0.0.1:{server.port}")
        self.fails(f"{UNABLE}127.0.0.1:{server.port}: Empty reply from server; is it an https:// server?")
        self.assertEqual(2, server.connections)  # a GET is tried once more

    def test_what_changes_something_is_not_sent_twice(self):
        server = self.start(says_once(b""))
        self.config(f"http://127.0.0.1:{server.port}")
        self.write("a.yaml", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}')
        got = self.run_cli("create", "-f", "a.yaml")
        self.assertEqual((1, 1, 1), (got.code, server.connections, len(got.err.splitlines())), got.err)


GO_TEXT = b"\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


class Certificate(FaultTest):
    def tls(self, cert, cluster="", user="", **options):
        port = self.start(OK, cert=cert, **options).port
        self.config(f"https://127.0.0.1:{port}", cluster, user)
        return f"{UNABLE}TLS with 127.0.0.1:{port} failed: "

    def setUp(self):
        super().setUp()
        self.ca = self.certificates()
        self.trust = f'certificate-authority: "{self.ca.ca}"'

    def test_good_ones(self):
        good, wrong = self.ca.make("server"), self.ca.make("wrong", alt="DNS:api.example.com")
        for cert, cluster in ((good, self.trust), (wrong, self.trust + ", tls-server-name: api.example.com"),
                              (wrong, "insecure-skip-tls-verify: true")):
            self.tls(cert, cluster)
            self.expect("get wa", SHOWN)

    def test_another_authority(self):
        other, good = self.certificates("other-ca"), self.ca.make("server")
        begin = self.tls(good, f'certificate-authority: "{other.ca}"')
        self.fails(begin + 'SSL certificate problem: unable to get local issuer certificate (the certificate of "CN=server" is signed by '
                   '"CN=test-ca"); the certificate-authority of the cluster is not the one that signed it')
        begin = self.tls(good)
        self.fails(begin + 'SSL certificate problem: unable to get local issuer certificate (the certificate of "CN=server" is signed by '
                   '"CN=test-ca"); the kubeconfig names no certificate-authority for the cluster')

    def test_another_name(self):
        begin = self.tls(self.ca.make("server", alt="DNS:api.example.com,DNS:*.example.org,IP:10.0.0.1"), self.trust)
        self.fails(begin + "SSL: no alternative certificate subject name matches target host name '127.0.0.1' (the certificate is made out "
                   "to api.example.com, *.example.org, 10.0.0.1); tls-server-name of the cluster sets the name to expect")

    def test_expired_and_not_yet_valid(self):
        begin = self.tls(self.ca.make("old", end="20250601000000Z"), self.trust)
        self.fails(begin + 'SSL certificate problem: certificate has expired (the certificate of "CN=old" expired on '
                   "2025-06-01T00:00:00Z); renew the server's certificate, or check this machine's clock")
        begin = self.tls(self.ca.make("early", start="20480101000000Z"), self.trust)
        self.fails(begin + 'SSL certificate problem: certificate is not yet valid (the certificate of "CN=early" is not valid before '
                   "2048-01-01T00:00:00Z); check this machine's clock")

    def test_client_certificates(self):
        good, old = self.ca.make("client"), self.ca.make("gone", end="20250601000000Z")

        def user(cert, key):
            return f'client-certificate: "{cert}", client-key: "{key}"'
        self.tls(good, self.trust, user(*good), client_ca=self.ca.ca)
        self.expect("get wa", SHOWN)
        begin = self.tls(good, self.trust, client_ca=self.ca.ca)
        self.fails(begin + "tlsv13 alert certificate required; the server wants a client certificate: give the user of the kubeconfig "
                   "client-certificate and client-key")
        begin = self.tls(good, self.trust, user(*old), client_ca=self.ca.ca)
        self.fails(begin + 'sslv3 alert certificate expired (the certificate of "CN=gone" expired on 2025-06-01T00:00:00Z); the server '
                   "does not accept the client certificate")
        self.tls(good, self.trust, user(good[0], old[1]))
        self.fails(re.compile(re.escape(UNABLE) + "the client certificate is not usable: .*private key.*"))


class Answers(FaultTest):
    def says(self, data, once=False):
        server = self.start((says_once if once else says)(data))
        self.config(f"http://127.0.0.1:{server.port}")
        return server

    def test_statuses_without_a_word(self):
        """A server, or what stands in front of it, that answers with no more than a status."""
        for code, text in (
                (401, 'error: You must be logged in to the server (the server has asked for the client to provide credentials; user "u" of '
                      'the kubeconfig has no credentials)'),
                (403, "Error from server (Forbidden): the server does not allow access to the requested resource"),
                (404, "error: the server doesn't have a resource type \"wasmactors\"; install the kinds of wasmctl first: wasmctl install "
                      "--crds"),
                (409, "Error from server (Conflict): the server reported a conflict"),
                (410, "Error from server (Gone): the server no longer has what was asked for"),
                (422, "The request is invalid: the server rejected our request due to an error in our request"),
                (500, "Error from server (InternalError): an error on the server (500) has prevented the request from succeeding"),
                (502, "Error from server: a gateway in front of the server could not reach it"),
                (503, "Error from server (ServiceUnavailable): the server is currently unable to handle the request")):
            server = self.says(answer(code, ""))
            self.fails(text)
            self.assertEqual(1, server.connections)

    def test_statuses_with_their_reason(self):
        def body(code, reason, message, **details):
            return answer(code, json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
                                            "message": message, "details": details}))
        self.says(body(403, "Forbidden", 'wasmactors.wasmctl.dev is forbidden: User "joe" cannot list'))
        self.fails('Error from server (Forbidden): wasmactors.wasmctl.dev is forbidden: User "joe" cannot list')
        self.says(body(409, "AlreadyExists", 'configmaps "a" already exists'))
        self.write("a.yaml", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}')
        self.fails('Error from server (AlreadyExists): error when creating "a.yaml": configmaps "a" already exists', "create", "-f", "a.yaml")
        self.says(body(422, "Invalid", "long text", kind="ConfigMap", name="a", causes=[{"field": "data", "message": "Required value"}]))
        self.fails('The ConfigMap "a" is invalid: data: Required value', "create", "-f", "a.yaml")

    def test_too_many_requests(self):
        head = "HTTP/1.1 429 x\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n".encode()
        text = ("Error from server (TooManyRequests): the server has received too many requests and has asked us to try again later")
        counts = []

        def count(connection, n):
            while read_request(connection):
                counts.append(n)
                connection.sendall(head)
        server = self.start(count)
        self.config(f"http://127.0.0.1:{server.port}")
        self.fails(text)
        self.assertEqual(6, len(counts))
        counts.clear()
        self.fails(text, "get", "wa", "--request-timeout=1500ms")
        self.assertEqual(2, len(counts))

        def then_well(connection, n):
            read_request(connection)
            connection.sendall(head)
            read_request(connection)
            connection.sendall(answer(200, json.dumps(table(row(actor("a"), "1/1", "i", "5m")))))
        self.config(f"http://127.0.0.1:{self.start(then_well).port}")
        self.expect("get wa", SHOWN)

    def test_cut_answers(self):
        server = self.says(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"kind\"", once=True)
        self.fails(f"error: the answer of 127.0.0.1:{server.port} to GET {LIST} was cut off: transfer closed with 493 bytes remaining to read")
        server = self.says(b"HTTP/1.1 200 OK\r\nContent-Le", once=True)
        self.fails(f"error: the answer of 127.0.0.1:{server.port} to GET {LIST} was cut off in its headers")
        self.says(answer(200, '{"kind":"Table"'))
        self.fails(f"error: answer to GET {LIST}:1:16: is no valid JSON: it ends too early")

    def test_json_of_another_shape(self):
        for body in ("[]", "null", '"x"', "5"):
            self.says(answer(200, body))
            for form in ((), ("-o", "json"), ("-o", "name"), ("x",), ("x", "-o", "yaml")):
                got = self.run_cli("get", "wa", *form)
                self.assertEqual(("", 1, 1), (got.out, got.code, len(got.err.splitlines())), (body, form, got.err))
                self.assertIn("is JSON, but no object", got.err)
        self.says(answer(200, "{}"))
        self.fails(f'error: the answer to a list of {LIST} is no list (kind "")')
        self.says(answer(200, '{"kind":"Table","rows":5}'))
        self.fails(f"error: the answer to a list of {LIST} is broken: rows is no list")
        self.says(answer(200, '{"kind":"WasmActorList","items":{}}'))
        self.fails(f"error: the answer to a list of {LIST} is broken: items is no list", "get", "wa", "-o", "json")

    def test_slow_and_endless_answers(self):
        def slow(connection, n):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
            connection.recv(1)

        def endless(connection, n):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")

        def silent(connection, n):
            read_request(connection)
            connection.recv(1)
        for handle in (slow, endless, silent):
            port = self.start(handle).port
            self.config(f"http://127.0.0.1:{port}")
            late = re.escape(f"{UNABLE}no complete answer from 127.0.0.1:{port} to GET {LIST} within 1000 ms")
            # What is endless may be too large before it is too late.
            large = re.escape(f"error: the answer of {LIST} is larger than this program accepts")
            self.fails(re.compile(f"{late}|{large}" if handle is endless else late), "get", "wa", "--request-timeout=1s")
            print(f"{handle.__name__} answer with a limit of 1 s: {self.took:.2f} s")

    def test_warnings(self):
        data = answer(200, json.dumps(table(row(actor("a"), "1/1", "i", "5m"))), 'Warning: 299 - "this is old"\r\n')
        self.says(data)
        self.expect("get wa", SHOWN, "Warning: this is old\n")
        self.expect("get wa --warnings-as-errors", SHOWN, "Warning: this is old\nerror: 1 warning received\n", 1)


class Proxies(FaultTest):
    def test_down(self):
        port = self.free_port()
        for scheme in ("http", "socks5"):
            self.config("https://cluster.example:6443", f'proxy-url: "{scheme}://joe:secret@127.0.0.1:{port}"')
            self.fails(re.compile(re.escape(f"{UNABLE}the proxy {scheme}://127.0.0.1:{port} (proxy-url of the kubeconfig) cannot be reached: ") +
                                  f"Failed to connect to 127.0.0.1 port {port} .*"))
        self.config("https://cluster.example:6443", 'proxy-url: "http://no-such-proxy.invalid:3128"')
        self.fails(f"{UNABLE}the name of the proxy http://no-such-proxy.invalid:3128 (proxy-url of the kubeconfig) cannot be resolved")
        self.config("https://cluster.example:6443", 'proxy-url: "ftp://127.0.0.1"')
        self.fails('error: cluster "c": proxy-url: "ftp://127.0.0.1" has an unsupported scheme: it must be http, https or socks5')

    def test_wants_other_credentials(self):
        port = self.start(proxy_407()).port
        for scheme in ("https", "http"):
            self.config(f"{scheme}://cluster.example:6443", f'proxy-url: "http://joe:secret@127.0.0.1:{port}"')
            self.fails(f"{UNABLE}the proxy http://127.0.0.1:{port} asks for other credentials (407): put user and password into its URL "
                       "(proxy-url of the kubeconfig)")

    def test_of_the_environment(self):
        port = self.start(says(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")).port
        refused = f"{UNABLE}the proxy http://127.0.0.1:{port} (HTTPS_PROXY) refused to connect to cluster.example:6443: status 503"
        unknown = f"{UNABLE}the name of cluster.example:6443 cannot be resolved; check the address in the kubeconfig, and this machine's DNS"
        self.config("https://cluster.example:6443")
        self.env["HTTPS_PROXY"] = f"http://127.0.0.1:{port}"
        self.fails(refused)
        for value, text in (("example", unknown), (".example", unknown), ("cluster.example:6443", unknown), ("*", unknown),
                            ("other.example,cluster.example", unknown), (".cluster.example", refused), ("cluster.example:443", refused),
                            ("ample", refused)):
            self.env["NO_PROXY"] = value
            self.fails(text)

    def test_a_request_through_a_proxy(self):
        seen = []

        def proxy(connection, n):
            while request := read_request(connection):
                seen.append(request)
                connection.sendall(answer(200, json.dumps(table(row(actor("a"), "1/1", "i", "5m")))))
        port = self.start(proxy).port
        self.config("http://cluster.example:8080", f'proxy-url: "http://joe:secret@127.0.0.1:{port}"')
        self.expect("get wa", SHOWN)
        self.assertEqual(f"http://cluster.example:8080{LIST}", seen[0][1].partition("?")[0])
        self.assertIn("Proxy-Authorization: Basic am9lOnNlY3JldA==\r\n", seen[0][2])


PLUGIN_API = "client.authentication.k8s.io/v1"
PLUGIN_FAILED = UNABLE + "getting credentials: exec: "


class Plugins(FaultTest):
    """Credential plugins that fail in every way."""

    def plugin(self, text, more="interactiveMode: Never", server=None):
        self.path = self.write("plugin", f"#!/bin/sh\n{text}\n")
        os.chmod(self.path, 0o755)
        self.config(server or "https://127.0.0.1:1", "", f'exec: {{apiVersion: {PLUGIN_API}, command: "{self.path}", {more}}}')

    @staticmethod
    def prints(**status_):
        return "cat <<END\n" + json.dumps({"kind": "ExecCredential", "apiVersion": PLUGIN_API, "status": status_}) + "\nEND"

    def test_fails(self):
        self.plugin("echo no session >&2; echo 'run login first' >&2; exit 3")
        self.fails(f"no session\nrun login first\n{PLUGIN_FAILED}{self.path} failed with exit code 3")
        self.plugin("kill -9 $$")
        self.fails(f"{PLUGIN_FAILED}{self.path} was ended by signal 9")

    def test_hangs(self):
        self.plugin("echo open https://login.example >&2; exec sleep 1000")
        self.fails(f"open https://login.example\nwaiting for the credential plugin {self.path} (for at most 3 s)\n"
                   f"{PLUGIN_FAILED}{self.path} did not end within 2500 ms: run it by hand to see what it waits for",
                   "get", "wa", "--request-timeout=2500ms")
        print(f"plugin that hangs, with a limit of 2.5 s: {self.took:.2f} s")

    def test_is_not_there(self):
        self.config("https://127.0.0.1:1", "", f'exec: {{apiVersion: {PLUGIN_API}, command: no-such-plugin, interactiveMode: Never, '
                    'installHint: "get it from example.com"}')
        self.fails(f"{PLUGIN_FAILED}no-such-plugin not found: the kubeconfig's user logs in by this program; get it from example.com")

    def test_prints_something_else(self):
        for text, said in (
                ("echo hello", "printed no ExecCredential: output:1:1: is no valid JSON: a value was expected: {, [, a \"string\", a number, "
                               "true, false or null"),
                ("true", "printed no ExecCredential: output: is empty, not JSON"),
                ("echo '{}'", "printed no ExecCredential"),
                ("yes 0123456789", "printed more than 1024 KiB"),
                (f"""echo '{{"kind":"ExecCredential","apiVersion":"{PLUGIN_API}beta1","status":{{"token":"x"}}}}'""",
                 f"is configured to use API version {PLUGIN_API}, but gave version {PLUGIN_API}beta1"),
                (self.prints(), "gave neither a token nor a client certificate"),
                (self.prints(clientCertificateData="x"), "gave only one of clientCertificateData and clientKeyData"),
                (self.prints(token="x", expirationTimestamp="soon"), "gave an expirationTimestamp that is no time")):
            self.plugin(text)
            self.fails(f"{PLUGIN_FAILED}{self.path} {said}")

    def test_settings(self):
        self.plugin("true", "interactiveMode: Always")
        self.fails(f'error: user "u": the credential plugin {self.path} wants to ask questions, but standard input is not a terminal')
        self.plugin("true", "interactiveMode: Perhaps")
        self.fails('error: user "u": exec: interactiveMode "Perhaps" is none of Never, IfAvailable, Always')
        self.plugin("true", "installHint: x")
        self.fails('error: user "u": exec: interactiveMode is missing')
        self.config("https://127.0.0.1:1", "", "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}")
        self.fails('error: user "u": exec: apiVersion "client.authentication.k8s.io/v1alpha1" is not supported: '
                   "client.authentication.k8s.io/v1 and client.authentication.k8s.io/v1beta1 are; update the plugin x")

    def test_refused_and_expired_credentials(self):
        """401 runs the plugin once more, no oftener; what has expired is not used."""
        seen = []

        def refuses(connection, n):
            while request := read_request(connection):
                seen.append(re.search("Authorization: (.*)\r", request[2]).group(1))
                connection.sendall(answer(401, ""))
        ca = self.certificates()
        server = self.start(refuses, cert=ca.make("server"))
        runs = os.path.join(self.dir, "runs")
        path = self.write("plugin", f"#!/bin/sh\necho x >>{runs}\n" + self.prints(token=f"t$(wc -l <{runs})") + "\n")
        os.chmod(path, 0o755)
        self.config(f"https://127.0.0.1:{server.port}", f'certificate-authority: "{ca.ca}"',
                    f'exec: {{apiVersion: {PLUGIN_API}, command: "{path}", interactiveMode: Never}}')
        self.fails("error: You must be logged in to the server (the server has asked for the client to provide credentials)")
        self.assertEqual(["Bearer t1", "Bearer t2"], seen)

    def test_token_that_says_when_it_ended(self):
        import base64
        claims = base64.urlsafe_b64encode(b'{"exp":1748736000,"sub":"joe"}').decode().rstrip("=")
        ca = self.certificates()
        server = self.start(says(answer(401, "")), cert=ca.make("server"))
        self.config(f"https://127.0.0.1:{server.port}", f'certificate-authority: "{ca.ca}"', f"token: aGVhZA.{claims}.c2ln")
        self.fails("error: You must be logged in to the server (the server has asked for the client to provide credentials; the token of "
                   'user "u" expired on 2025-06-01T00:00:00Z)')


class Kubeconfigs(FaultTest):
    def broken(self, text, expected):
        path = self.write("broken", text)
        self.env["KUBECONFIG"] = path
        self.fails(expected.replace("%P", path))

    def test_files(self):
        begin = "error: load kubeconfig: %P"
        self.broken("clusters:\n- name: [\n", begin + ":3:1: while parsing a flow node, did not find expected node content")
        self.broken("clusters:\n\t- a\n", begin + ":2:1: while scanning for the next token, found character that cannot start any token (the "
                    "line is indented with a tab: YAML wants blanks)")
        self.broken("a: 1\n---\nb: 2\n", begin + ": a kubeconfig holds one document, not 2")
        self.broken("kind: Pod\n", begin + ": is no kubeconfig (kind Pod)")
        self.broken("- a\n", begin + ": is no kubeconfig (it holds no object)")
        self.broken("clusters: 5\n", begin + ": is no kubeconfig: clusters is no list")
        self.broken("users: [a]\n", begin + ": is no kubeconfig: users holds something that is no entry")
        self.broken("clusters: []\n", "error: the kubeconfig has no current-context: give --context")
        self.broken("", "error: no configuration has been provided: set KUBECONFIG, give --kubeconfig, or start a local environment with "
                    "`wasmctl dev up`")
        self.fails("error: load kubeconfig: open nowhere: No such file or directory", "get", "wa", "--kubeconfig", "nowhere")

    def test_entries(self):
        def config(*args):
            self.config(*args)
        config("ftp://x")
        self.fails('error: server "ftp://x" is neither an http:// nor an https:// address')
        config("")
        self.fails('error: cluster "c" of context "t" names no server')
        config("https://127.0.0.1:1")
        self.fails('error: context "nope" does not exist', "get", "wa", "--context", "nope")
        self.fails('error: cluster "nope" does not exist in the kubeconfig', "get", "wa", "--cluster", "nope")
        self.fails('error: user "nope" does not exist in the kubeconfig', "get", "wa", "--user", "nope")
        self.fails('error: --as-user-extra: "x" is not KEY=VALUE', "get", "wa", "--as", "joe", "--as-user-extra", "x")

    def test_credentials_in_files(self):
        def missing(what, cluster="", user=""):
            self.config("https://127.0.0.1:1", cluster, user)
            self.fails(what)
        no = f"{self.dir}/nowhere: No such file or directory"
        missing(f'error: kubeconfig: cluster "c": certificate-authority: open {no}', "certificate-authority: nowhere")
        missing('error: kubeconfig: cluster "c": certificate-authority-data is not valid base64', 'certificate-authority-data: "!!"')
        missing('error: certificate-authority of cluster "c" is not in PEM form (-----BEGIN ...)', "certificate-authority-data: aGVsbG8=")
        missing(f'error: kubeconfig: user "u": client-certificate: open {no}', "", "client-certificate: nowhere")
        missing(f"error: token file {no}", "", "tokenFile: nowhere")


class Verbosity(FaultTest):
    def test_levels_and_secrets(self):
        ca = self.certificates()
        body = answer(200, json.dumps({"kind": "Secret", "apiVersion": "v1", "metadata": meta("s"), "data": {"key": "aGlkZGVu"}}),
                      "Set-Cookie: session=hidden\r\n")
        server = self.start(says(body), cert=ca.make("server"))
        self.config(f"https://127.0.0.1:{server.port}", f'certificate-authority: "{ca.ca}"', "token: hidden-token")
        url = f"https://127.0.0.1:{server.port}/api/v1/namespaces/default/secrets/s"
        shown = {}
        for level in (0, 5, 6, 7, 8, 9):
            got = self.run_cli("get", "secret", "s", "-o", "name", f"-v={level}")
            self.assertEqual(("secret/s\n", 0), (got.out, got.code), got.err)
            self.assertNotIn("hidden", got.err)
            self.assertNotIn("aGlkZGVu", got.err)
            shown[level] = got.err
        self.assertEqual("", shown[0] + shown[5])
        self.assertRegex(shown[6], r"\AGET " + re.escape(url) + r" 200 in \d+ milliseconds \(name \d+, connected \d+, TLS \d+, first byte \d+, "
                         r"\d+ bytes, HTTP/1\)\n\Z")
        for text in (f"GET {url}\n", "    Accept: ", "    Authorization: <masked>\n", "< HTTP/1.1 200", "< Set-Cookie: <masked>\n"):
            self.assertIn(text, shown[7])
            self.assertNotIn(text, shown[6])
        self.assertNotIn("Body", shown[7])
        self.assertIn("Response Body: <masked>\n", shown[8])
        self.assertIn("Response Body: <masked>\n", shown[9])

    def test_impersonation_and_compression(self):
        seen = []

        def note(connection, n):
            while request := read_request(connection):
                seen.append(request[2])
                connection.sendall(answer(200, json.dumps(table(row(actor("a"), "1/1", "i", "5m")))))
        self.config(f"http://127.0.0.1:{self.start(note).port}")
        self.expect(["get", "wa", "--as=joe", "--as-group=a", "--as-group=b", "--as-uid=7", "--as-user-extra=scopes=x",
                     "--as-user-extra=scopes=y", "--as-user-extra=example.com/z=1"], SHOWN)
        for line in ("Impersonate-User: joe", "Impersonate-Group: a", "Impersonate-Group: b", "Impersonate-Uid: 7",
                     "Impersonate-Extra-scopes: x", "Impersonate-Extra-scopes: y", "Accept-Encoding: gzip"):
            self.assertIn(line + "\r\n", seen[0])
        self.assertRegex(seen[0], "(?i)Impersonate-Extra-example.com%2Fz: 1\r\n")
        self.expect("get wa --disable-compression", SHOWN)
        self.assertNotIn("Accept-Encoding", seen[1])


if __name__ == "__main__":
    main()
