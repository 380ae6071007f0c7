"""Formats of get beyond tables: what is asked of the server, watches, colour, and what a long list takes."""
import json
import os
import pty
import queue
import subprocess
import sys

from harness import RUN_TIMEOUT, WASMCTL, Answer, CliTest, actor, listing, main, row, table

ACTORS = "/apis/wasmctl.dev/v1alpha1/namespaces/default/wasmactors"


# A child's memory counts from that of the process it was forked from: a small one.
MEASURE = """import os, subprocess, sys
with open("out", "wb") as out:
    process = subprocess.Popen(sys.argv[1:], stdout=out)
_, status, usage = os.wait4(process.pid, 0)
print(status, usage.ru_maxrss)"""


class Formats(CliTest):
    def test_csv_has_all_columns_of_the_server(self):
        self.api.on("GET", ACTORS, Answer(table(row(actor("a"), "True", 'i, "1"', "5m"), row(actor("b"), "False", "x\ny", "1s"))))
        self.expect("get wa -o csv", 'NAME,READY,IMAGE,AGE\r\na,True,"i, ""1""",5m\r\nb,False,"x\ny",1s\r\n'.replace("\r\n", "\n"))

    def test_ndjson_is_a_line_an_object(self):
        self.api.on("GET", ACTORS, Answer(listing(actor("a"), actor("b"))))
        got = self.run_cli("get", "wa", "-o", "ndjson")
        self.assertEqual(["a", "b"], [json.loads(line)["metadata"]["name"] for line in got.out.splitlines()])
        self.assertEqual("WasmActor", json.loads(got.out.splitlines()[0])["kind"])

    def test_sorting_asks_for_whole_objects_and_all_pages(self):
        pages = {None: table(self.whole("c", 3), self.whole("a", 1), continued="next"), "next": table(self.whole("b", 2))}
        self.api.on("GET", ACTORS, lambda r: Answer(pages[r.query.get("continue")]))
        self.expect("get wa --sort-by=.spec.replicas --no-headers", "a     1/1   5m\nb     1/1   5m\nc     1/1   5m\n")
        self.assertEqual(["Object", "Object"], [r.query.get("includeObject") for r in self.requests()])

    def test_names_are_sorted_by_whole_objects(self):
        self.api.on("GET", ACTORS, Answer(listing(actor("b", spec={"replicas": 2}), actor("a", spec={"replicas": 10}))))
        self.expect("get wa --sort-by=spec.replicas -o name", "wasmactor.wasmctl.dev/b\nwasmactor.wasmctl.dev/a\n")
        self.assertNotIn("Partial", self.requests()[0].headers.get("Accept", ""))

    def test_half_a_list_is_closed_and_fails(self):
        page = dict(listing(actor("a")), metadata={"resourceVersion": "10", "continue": "next"})
        self.api.on("GET", ACTORS, lambda r: Answer(page) if "continue" not in r.query else Answer(
            {"kind": "Status", "status": "Failure", "message": "no more", "code": 500}, 500))
        got = self.run_cli("get", "wa", "-o", "json")
        self.assertEqual((1, "List", 1), (got.code, json.loads(got.out)["kind"], len(json.loads(got.out)["items"])))
        self.assertIn("no more", got.err)

    @staticmethod
    def whole(name, replicas):
        r = row(actor(name), "1/1", "i", "5m")
        r["object"] = actor(name, spec={"replicas": replicas})
        return r

    def test_long_lists_take_no_more_than_their_pages(self):
        """10,000 objects of 1.5 KB in pages of 500."""
        def page(request):
            start = int(request.query.get("continue", "0"))
            items = [actor(f"actor-{i:05}", spec={"image": "x" * 1200}) for i in range(start, start + 500)]
            answer = listing(*items)
            if start + 500 < 10000:
                answer["metadata"]["continue"] = str(start + 500)
            return Answer(answer)
        self.api.on("GET", ACTORS, page)
        for output in ("json", "yaml", "ndjson", "custom-columns=N:.metadata.name,I:.spec.image"):
            with self.subTest(output=output):
                done = subprocess.run([sys.executable, "-c", MEASURE, WASMCTL, "get", "wa", "-o", output], capture_output=True,
                                      text=True, env=self.env, cwd=self.dir, timeout=RUN_TIMEOUT)
                status, most = map(int, done.stdout.split())
                print(f"get -o {output.split('=')[0]} of 10,000 objects: {most / 1024:.1f} MB", file=sys.stderr)
                self.assertEqual(0, status)
                with open(os.path.join(self.dir, "out")) as f:
                    self.assertGreaterEqual(f.read().count("actor-"), 10000)
                if "ASAN_OPTIONS" not in os.environ:
                    self.assertLess(most, 30 * 1024)


class Watches(CliTest):
    def watch(self, output, lines, *options):
        """hello is there, then changes; the lines that come out."""
        watches = queue.Queue()
        watches.put(Answer(chunks=[(json.dumps({"type": "MODIFIED", "object": self.hello("6", 2)}) + "\n").encode()]))

        def actors(request):
            if request.query.get("watch") in ("1", "true"):
                return watches.get(timeout=RUN_TIMEOUT)
            return Answer(listing(self.hello("5", 1)))
        self.api.on("GET", ACTORS, actors)
        process = self.start_cli("get", "wa", "-w", "-o", output, *options)
        got = [process.stdout.readline() for _ in range(lines)]
        process.terminate()
        watches.put(Answer(chunks=[]))
        return "".join(got)

    @staticmethod
    def hello(version, replicas):
        o = actor("hello", spec={"replicas": replicas})
        o["metadata"]["resourceVersion"] = version
        return o

    def test_columns(self):
        self.assertEqual("NAME    R\nhello   1\nhello   2\n", self.watch("custom-columns=NAME:.metadata.name,R:.spec.replicas", 3))

    def test_columns_of_events(self):
        self.assertEqual("T          R\nADDED      1\nMODIFIED   2\n",
                         self.watch("custom-columns=T:.type,R:.object.spec.replicas", 3, "--output-watch-events").replace(
                             "ADDED   ", "ADDED      ").replace("ADDED         ", "ADDED      ").replace("T       ", "T          ", 1))

    def test_jsonpath(self):
        self.assertEqual("hello=1\nhello=2\n", self.watch("jsonpath={.metadata.name}={.spec.replicas}{\"\\n\"}", 2))

    def test_a_range_is_as_good_the_second_time(self):
        self.assertEqual("hello;\nhello;\n", self.watch("jsonpath={range .metadata.name}{@};{end}{\"\\n\"}", 2))

    def test_go_template(self):
        self.assertEqual("1\n2\n", self.watch("go-template={{.spec.replicas}}{{\"\\n\"}}", 2))

    def test_ndjson(self):
        lines = self.watch("ndjson", 2, "--output-watch-events").splitlines()
        self.assertEqual([("ADDED", 1), ("MODIFIED", 2)],
                         [(e["type"], e["object"]["spec"]["replicas"]) for e in map(json.loads, lines)])

    def test_sorting_is_for_lists(self):
        process = self.start_cli("get", "nope", "-w", "--sort-by=.metadata.name")
        self.assertIn("--sort-by will be ignored for watch events received", process.communicate()[1])


class Colour(CliTest):
    PLAIN = "NAME   READY   AGE\na      True    5m\n"
    BRIGHT = "\033[1mNAME\033[0m   \033[1mREADY\033[0m   \033[1mAGE\033[0m\na      \033[32mTrue\033[0m    5m\n"

    def setUp(self):
        super().setUp()
        self.env["TERM"] = "xterm"
        self.api.on("GET", ACTORS, Answer(table(row(actor("a"), "True", "i", "5m"))))

    def on_terminal(self, *args, **env):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([WASMCTL, "get", "wa", *args], stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
                                   env={**self.env, **env}, cwd=self.dir)
        os.close(theirs)
        out = b""
        try:
            while piece := os.read(ours, 4096):
                out += piece
        except OSError:
            pass  # the terminal's other end has closed
        os.close(ours)
        self.assertEqual(0, process.wait(RUN_TIMEOUT))
        return out.decode().replace("\r\n", "\n")

    def test_only_on_a_terminal(self):
        self.expect("get wa", self.PLAIN)
        self.assertEqual(self.BRIGHT, self.on_terminal())

    def test_no_colour_where_it_is_not_wanted(self):
        self.assertEqual(self.PLAIN, self.on_terminal(NO_COLOR="1"))
        self.assertEqual(self.PLAIN, self.on_terminal(TERM="dumb"))
        self.assertEqual(self.PLAIN, self.on_terminal("--color=never"))

    def test_always(self):
        self.expect("get wa --color=always", self.BRIGHT)
        self.expect("get wa --color", self.BRIGHT)

    def test_wrong_word(self):
        self.assertEqual(1, self.run_cli("get", "wa", "--color=green").code)

    def test_values_do_not_steer_the_terminal(self):
        self.api.on("GET", ACTORS, Answer(listing(actor("a", spec={"image": "\033[2Jx"}))))
        self.assertEqual("\\x1b[2Jx", self.on_terminal("-o", "jsonpath={.items[0].spec.image}"))
        self.assertEqual("\\x1b[2Jx", self.on_terminal("-o", "go-template={{(index .items 0).spec.image}}"))
        self.expect(["get", "wa", "-o", "jsonpath={.items[0].spec.image}"], "\033[2Jx")


if __name__ == "__main__":
    main()
