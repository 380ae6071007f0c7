"""--template, extjson and colours of `wasmctl tail`: what they make of lines, and what happens when they cannot."""
import subprocess
import unittest

from harness import WASMCTL
from logserver import Instance, Pod
from test_tail import TailTest


class Template(TailTest):
    def stdin(self, text, *args):
        return subprocess.run([WASMCTL, "tail", "--stdin", *args], input=text, capture_output=True, timeout=30, env=self.env)

    def pods(self):
        self.serve("one", [Pod("web-1", Instance("s", 3, 1000, past=60, ends=True), labels={"app": "web", "b": "<x>"})])

    def shown(self, *args):
        got = self.run_cli("tail", "--no-follow", "--only-log-lines", *args)
        self.assertEqual((got.code, got.err), (0, ""))
        return got.out

    def test_fields(self):
        self.pods()
        out = self.shown("--template", "{{.Namespace}}/{{.PodName}}/{{.ContainerName}} {{.NodeName}} {{.Labels.app}} [{{.Timestamp}}] {{.Message}}\n")
        self.assertRegex(out.splitlines()[0], r"^default/web-1/c n1 web \[\] s 0 \d+ $")
        out = self.shown("-t", "--template", "{{.Timestamp}}\n")
        self.assertRegex(out.splitlines()[0], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}")

    def test_context(self):
        self.pods()
        out = self.shown("--contexts", "one", "--template", "{{.Context}} {{.PodName}}\n")
        self.assertEqual(out.splitlines()[0], "one web-1")

    def test_line_as_json(self):
        self.pods()
        line = self.shown("--template", "{{json .}}\n").splitlines()[0]
        self.assertRegex(line, r'^\{"message":"s 0 \d+ ","context":"one","nodeName":"n1","namespace":"default","podName":"web-1","containerName":"c",'
                               r'"labels":\{"app":"web","b":"\\u003cx\\u003e"\}\}$')

    def test_extjson(self):
        self.pods()
        self.assertRegex(self.shown("-o", "extjson", "--color=always").splitlines()[0],
                         '^\\{"context":"one","pod":"\x1b\\[36mweb-1\x1b\\[0m","container":"\x1b\\[96mc\x1b\\[0m","message":"s 0 \\d+ "\\}$')
        self.assertRegex(self.shown("-o", "extjson").splitlines()[0], r'^\{"context":"one","pod":"web-1","container":"c","message":"s 0 \d+ "\}$')
        got = self.stdin(b'{"b":1,"a":"<"}\n', "-o", "extjson")
        self.assertEqual(got.stdout, b'{"pod":"","container":"","message":{"b":1,"a":"<"}}\n')
        got = self.stdin(b'{"b":1,"a":"<"}\n', "-o", "ppextjson")
        self.assertEqual(got.stdout, b'{\n  "pod": "",\n  "container": "",\n  "message": {\n    "b": 1,\n    "a": "<"\n  }\n}\n')

    def test_pod_colours(self):
        self.pods()
        out = self.shown("--color=always", "--pod-colors=1;31,38;5;99", "--container-colors=4,7")
        self.assertIn("\x1b[1;31mweb-1\x1b[0m \x1b[4mc\x1b[0m", out)

    def test_highlight_in_templates(self):
        got = self.stdin(b"one two\n", "--template", "{{.Message}}!\n", "-H", "two", "--color=always")
        self.assertEqual(got.stdout, b"one \x1b[1;31mtwo\x1b[0m!\n")

    def test_nested_parts(self):
        got = self.stdin(b'{"a":{"b":{"c":5}},"a.b":7}\n', "--template", '{{tryExtractJSONParts .Message "a.b.c" "a.b" "a.x"}}\n')
        self.assertEqual(got.stdout, b"5, 7, <nil>\n")

    def test_what_fails_is_shown_as_it_is(self):
        got = self.stdin(b'{"a":1}\nno json\n{"a":2}\nno json again\n', "--template", "{{with $d := parseJSON .Message}}{{$d.a}}{{end}}\n")
        self.assertEqual(got.returncode, 0)
        self.assertEqual(got.stdout, b"1\nno json\n2\nno json again\n")
        self.assertEqual(got.stderr.count(b"parseJSON"), 2)

    def test_bytes_that_are_no_text(self):
        got = self.stdin(b"a\0b\xff\n", "--template", "{{.Message}}\n")
        self.assertEqual(got.stdout, b"a\xef\xbf\xbdb\xff\n")

    def test_wrong(self):
        self.pods()
        for args, text in ((("--template", "{{.Message"), "--template: template: output:1: unclosed action"),
                           (("--template", "{{nope .}}"), 'function "nope" not defined'),
                           (("-T", "/nowhere"), "--template-file"),
                           (("--pod-colors=red",), '--pod-colors: "red" is no colour'),
                           (("--pod-colors=31,32", "--container-colors=33"), "there must be as many")):
            got = self.run_cli("tail", *args)
            self.assertEqual(got.code, 1, args)
            self.assertIn(text, got.err)

    def test_file(self):
        self.pods()
        path = self.write("template", "<{{.PodName}}>\n")
        self.assertEqual(self.shown("-T", path, "--template", "not this").splitlines()[0], "<web-1>")


if __name__ == "__main__":
    del TailTest  # only its heirs have tests
    unittest.main()
