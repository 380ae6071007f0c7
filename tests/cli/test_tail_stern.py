"""Templates and colours of `wasmctl tail` beside the real stern, byte for byte, on the same lines. What differs on purpose is in
docs/tail.md. Skipped (77) when stern was not built (dev/parts/build.sh stern)."""
import glob
import os
import re
import subprocess
import sys
import unittest

from harness import WASMCTL

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "wasmctl")
STERN = sorted(glob.glob(os.path.join(CACHE, "stern-*", "bin", "stern")))[-1:]
LINES = [
    '{"level":"info","msg":"hi <b>","ts":1700000000.25,"nested":{"a":{"b":[1,2]}},"n":40,"ok":true,"none":null}',
    '{"level":"ERROR","msg":"x","time":"2024-03-10T09:08:07.120Z","n":50}',
    '{"level":"Warning","n":10,"time":"2024-07-10T23:08:07.000000001+05:30"}',
    'plain "text" & more < > \u00e9',
    "  two  blanks, a\ttab",
    "[1,2]",
    '"text"',
    "{broken",
    "",
]
# Each is tried with and without colours.
TEMPLATES = [
    "{{.Message}}\n",
    "{{json .Message}}\n",
    "{{with $d := .Message | tryParseJSON}}{{levelColor $d.level}} {{$d.msg}}{{else}}{{.Message}}{{end}}\n",
    "{{with $d := .Message | tryParseJSON}}{{json $d}} {{json $d.nested}}{{end}}\n",
    '{{tryExtractJSONParts .Message "level" "n" "nope"}}\n',
    "{{prettyJSON .Message}}\n",
    "{{with $d := .Message | tryParseJSON}}{{prettyJSON $d}} {{prettyJSON $d.n}}{{end}}\n",
    "{{with $d := .Message | tryParseJSON}}{{with $d.ts}}{{toRFC3339Nano .}}|{{toUTC .}}|{{toTimestamp . \"Mon Jan _2 15:04:05.000 2006 MST -07:00\"}}|"
    "{{toTimestamp . \"02/01/06 3:04PM\" \"America/New_York\"}}{{end}}{{end}}\n",
    "{{with $d := .Message | tryParseJSON}}{{with $d.time}}{{toRFC3339Nano .}}|{{toUTC .}}|{{toTimestamp . \"2006-01-02T15:04:05.999999999Z07:00\"}}|"
    "{{toTimestamp . \"Monday, 2 January 2006 at 03:04:05 pm MST (002)\" \"Asia/Tokyo\"}}|{{toTimestamp (toUTC .) \"15:04:05,000 -0700\"}}{{end}}{{end}}\n",
    '{{colorRed .Message}} {{colorGreen "%d %s" 5 "a"}} {{colorBlack "b"}}{{colorBlue "b"}}{{colorCyan "c"}}{{colorMagenta "m"}}{{colorWhite "w"}}'
    '{{colorYellow "y"}}\n',
    '{{colorCustom "x" 31}}\n',
    "{{with $d := .Message | tryParseJSON}}{{bunyanLevelColor $d.n}} {{bunyanLevelColor $d.level}} {{levelColor $d.n}}{{end}}\n",
    "{{with $d := .Message | tryParseJSON}}{{$d}}{{end}}\n",
    '{{range $k, $v := .Labels}}{{$k}}{{end}}{{printf "%-10s|%5d|%q" "a" 3 .Message}}\n',
    '{{if eq .Message ""}}empty{{else}}{{len .Message}} {{slice .Message 1}}{{end}}\n',
]
FILTERS = [["-i", "level"], ["-e", "level"], ["-i", "a", "-e", "b"], ["-i", "n.*:", "-H", "msg"], ["-H", "e", "-H", "level"]]


class Beside(unittest.TestCase):
    def both(self, *args):
        text = "".join(line + "\n" for line in LINES)
        env = {**os.environ, "TZ": "UTC"}
        return [subprocess.run([*command, "--stdin", *args], input=text, capture_output=True, text=True, env=env, timeout=30).stdout
                for command in ([STERN[0]], [WASMCTL, "tail"])]

    def test_templates(self):
        for colour in ("never", "always"):
            for template in TEMPLATES:
                with self.subTest(template=template, colour=colour):
                    stern, ours = self.both("--template", template, f"--color={colour}")
                    self.assertTrue(stern, "stern printed nothing")
                    self.assertEqual(ours, stern)

    def test_every_flag_is_there(self):
        def flags(*command):
            shown = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
            return set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", shown, re.M))
        elsewhere = {"--color", "--completion", "--context", "--help", "--kubeconfig", "--namespace", "--show-hidden-options", "--verbosity", "--version"}
        theirs = flags(STERN[0], "--help")
        self.assertGreater(len(theirs), 40)
        self.assertEqual(theirs - flags(WASMCTL, "tail", "--help") - elsewhere, set())

    def test_filters(self):
        for options in FILTERS:
            with self.subTest(options=options):
                stern, ours = self.both("-o", "raw", "--color=never", *options)
                self.assertEqual(ours, stern)


if __name__ == "__main__":
    if not STERN:
        print("stern was not built")
        sys.exit(77)
    unittest.main()
