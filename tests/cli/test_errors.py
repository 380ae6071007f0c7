"""What a user sees when something is wrong: command line, configuration, server."""
import os
import socket
import subprocess

from harness import *


class CommandLine(CliTest):
    def test_help_of_the_program(self):
        for args in ([], ["--help"], ["help"], ["-h"]):
            got = self.run_cli(*args)
            self.assertEqual((0, ""), (got.code, got.err))
            self.assertIn("\nBasic Commands:\n", got.out)
            self.assertIn("  get ", got.out)

    def test_help_of_commands(self):
        for command in ("get", "apply", "create", "delete", "describe", "wait", "events", "scale", "install", "version"):
            got = self.run_cli(command, "--help")
            self.assertEqual((0, ""), (got.code, got.err), command)
            self.assertIn(f"\nUsage:\n  wasmctl {command} ", got.out)
            self.assertEqual(got.out, self.run_cli("help", command).out)
            self.assertTrue(all(len(line) <= 100 or "  " in line for line in got.out.splitlines()), command)
        self.assertIn("--kubeconfig", self.run_cli("options").out)

    def test_as_kubectl_plugin(self):
        link = os.path.join(self.dir, "kubectl-wasm")
        os.symlink(os.path.abspath(WASMCTL), link)
        self.assertIn("\n  kubectl wasm get ", self.run_cli("get", "--help", program=link).out)
        self.expect("get --nope", err="error: unknown flag: --nope\nSee 'kubectl wasm get --help' for usage.\n", code=1, program=link)

    def test_wrong_commands(self):
        self.expect("gte", code=1, err='error: unknown command "gte" for "wasmctl"\n\nDid you mean this?\n\tget\n\n'
                    "See 'wasmctl --help' for usage.\n")
        self.expect("frobnicate", code=1, err='error: unknown command "frobnicate" for "wasmctl"\nSee \'wasmctl --help\' for usage.\n')

    def test_wrong_options(self):
        hint = "See 'wasmctl get --help' for usage.\n"
        for args, message in (("get --nope", "unknown flag: --nope"),
                              ("get -z", "unknown shorthand flag: 'z' in -z"),
                              ("get wa -n", "flag needs an argument: 'n' in -n"),
                              ("get wa --chunk-size=x", 'invalid argument "x" for "--chunk-size" flag: must be a whole number '
                               "from 0 to 1000000")):
            self.expect(args, err=f"error: {message}\n{hint}", code=1)
        self.expect("get wa -o foo", code=1, err='error: unable to match a printer suitable for the output format "foo", '
                    "allowed formats are: custom-columns,custom-columns-file,csv,go-template,go-template-file,json,jsonpath,jsonpath-as-json,"
                    "jsonpath-file,name,ndjson,template,templatefile,wide,yaml\n")
        self.expect("version extra", err="error: unexpected arguments: extra\nSee 'wasmctl version --help' for usage.\n", code=1)

    def test_no_kind(self):
        got = self.run_cli("get")
        self.assertEqual(1, got.code)
        self.assertIn("you must specify the type of resource to get", got.err)

    def test_closed_output(self):
        process = subprocess.Popen([WASMCTL, "get", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env,
                                   preexec_fn=lambda: os.close(0))
        process.stdout.close()
        self.assertEqual(b"", process.stderr.read())
        self.assertIn(process.wait(RUN_TIMEOUT), (0, 141))
        process.stderr.close()


class Configuration(CliTest):
    def test_no_such_context(self):
        self.expect("get wa --context nope", err='error: context "nope" does not exist\n', code=1)

    def test_context_without_cluster(self):
        got = self.run_cli("get", "wa", "--context", "broken")
        self.assertEqual(1, got.code)
        self.assertIn("nowhere", got.err)

    def test_kubeconfig_that_is_missing_or_broken(self):
        got = self.run_cli("get", "wa", "--kubeconfig", "nope")
        self.assertEqual(1, got.code)
        self.assertIn("nope", got.err)
        self.write("bad", "clusters: [\n")
        got = self.run_cli("get", "wa", "--kubeconfig", "bad")
        self.assertEqual(1, got.code)
        self.assertRegex(got.err, r"bad:\d+:\d+: ")


class Servers(CliTest):
    def test_refused_connection(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        path = self.write("down", self.kubeconfig(f"http://127.0.0.1:{port}"))
        self.expect(["get", "wa", "--kubeconfig", path], code=1, err=f"The connection to the server 127.0.0.1:{port} was refused - "
                    "did you specify the right host or port?\n")
        self.write("two.yaml", "\n---\n".join('{"apiVersion":"v1","kind":"Secret","metadata":{"name":"%s"}}' % n for n in "ab"))
        for command in (["apply", "-f", "two.yaml"], ["create", "-f", "two.yaml"], ["delete", "-f", "two.yaml"],
                        ["get", "secret/a", "cm/b"], ["describe", "cm/a", "cm/b"]):
            got = self.run_cli(*command, "--kubeconfig", path)
            self.assertEqual(1, got.err.count("refused"), command)
        self.expect(["version", "--kubeconfig", path], "Client Version: v0.1.0\n", f"The connection to the server 127.0.0.1:{port} "
                    "was refused - did you specify the right host or port?\n", 1)

    def test_status_errors(self):
        for code, reason, message, shown in (
                (403, "Forbidden", "not for you", "Error from server (Forbidden): not for you\n"),
                (500, "InternalError", "etcd is ill", "Error from server (InternalError): etcd is ill\n"),
                (400, "", "no reason", "Error from server: no reason\n")):
            self.api.on("GET", ACTORS, status(code, reason, message))
            self.expect("get wa", err=shown, code=1)

    def test_unauthorized(self):
        self.api.on("GET", ACTORS, status(401, "Unauthorized", "Unauthorized"))
        self.expect("get wa", err="error: You must be logged in to the server (Unauthorized; user \"u\" of the kubeconfig has no "
                    "credentials)\n", code=1)

    def test_rubbish(self):
        for body in ("{", "hello", "[]", ""):
            self.api.on("GET", ACTORS, Answer(body))
            got = self.run_cli("get", "wa")
            self.assertEqual(("", 1), (got.out, got.code), body)
            self.assertNotEqual("", got.err)

    def test_control_characters_do_not_reach_the_terminal(self):
        self.api.on("GET", ACTORS, status(403, "Forbidden", "\x1b[2Jgone"))
        self.assertNotIn("\x1b", self.run_cli("get", "wa").err)


class Version(CliTest):
    def test_versions(self):
        self.api.on("GET", "/version", Answer({"gitVersion": "v1.37.2", "major": "1"}))
        self.expect("version --client", "Client Version: v0.1.0\n")
        self.assertEqual([], self.requests())
        self.expect("version", "Client Version: v0.1.0\nServer Version: v1.37.2\n")
        self.assertIn('"serverVersion"', self.run_cli("version", "-o", "json").out)
        self.expect("version -o xml", err="error: --output must be 'yaml' or 'json'\n", code=1)


if __name__ == "__main__":
    main()
