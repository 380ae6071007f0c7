"""The same command lines by wasmctl and by kubectl against one real API server: standard output, the first line of what is told on
standard error and the exit code must be the same, but for the differences that are listed with their reason.

    conformance.py [-v] [-j N] [TOPIC...]    runs; N topics at a time
    conformance.py --page [--check]          writes docs/conformance.md, or fails when it is not what the tables say

The lines are in lines/<topic>.py: FILES (name -> text), which both programs find in their folder, and LINES: tuples of a command line and its
options. {ns} is the program's namespace; every topic has one of its own for each program (names of the same length, compared as NS).
The two programs run side by side; a line begins when the one before it has ended in both.

Only what differs by design carries a reason, the one option that is none of these; it may also follow a colon ("out: because"):
  "code"         the exit code alone is compared
  "out"          the output too but not the message
  "text"         the kind of the message, not its words
  "differs"      nothing is compared
And how to run and compare it:
  "norm"         versions, times and uids are not compared
  "json"         the output is compared as JSON
  "sorted"       the output is compared without its order
  "file=NAME"    the kubeconfig that each has written is compared too, as kubectl reads it
  "stdin=NAME"   the file is given on standard input
  "watch=LINE"   a watch: kubectl runs LINE once the first rows are there; SIGINT ends it once the change was shown
  "turns"        first wasmctl, then kubectl: the line changes what both see
Words that differ everywhere are in WORDS below, with their reason.
Skipped (exit 77) when etcd, kube-apiserver or kubectl were not built into the cache.
"""
import argparse
import concurrent.futures
import importlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from cluster import Cluster, part

WASMCTL = os.environ.get("WASMCTL", "wasmctl")
HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "..", "..", "docs", "conformance.md")
RUN_TIMEOUT = 90
SKIP = 77
COMPARED = ("code", "out", "text", "differs")
HOW = ("norm", "json", "sorted", "turns")
HOW_WITH = ("file=", "stdin=", "watch=")

# (what wasmctl says, what kubectl says, why). Regular expressions for whole first lines of standard error.
WORDS = [
    (r"(.*) \(did you mean .*\)", r"the server doesn't have a resource type .*", "names the kind that was probably meant"),
    (r"(.*); did you mean .*", r"no context exists with the name: .*", "names the context that was probably meant"),
    (r"invalid argument .* for .* flag: must be .*", r"invalid argument .* for .* flag: (strconv|time|unable to parse|invalid).*",
     "says what the value must be"),
    (r"invalid argument .* for .* flag: must be .*", r"([Ii]nvalid .*|The --\S+ flag is required.*)", "one form for every wrong value"),
    (r"(unexpected arguments?: .*|.* needs (at least|exactly) .*)", r"([Uu]nexpected args: .*|unexpected arguments: .*)",
     "one form for every argument too many or too few"),
    (r"must specify the manifests with -f FILE, .*", r"must specify one of -f and -k", "says what can be given"),
    (r"you must specify the type of resource to \w+, like .*",
     r"([Yy]ou must specify the type of resource to .*|You must provide one or more resources by argument or filename\.)",
     "gives an example"),
    (r"Error from server( \(\w+\))?: error when \w+ .*", r"Error from server( \(\w+\))?: .*", "says which object of which file"),
    (r"Error from server \(NotFound\): .* not found", r"Error from server \(NotFound\): error when (deleting|replacing) .* not found",
     "the object's name says enough"),
    (r"\S+:\d+(:\d+)?: .*", r"(error parsing .*|error validating .*|unable to decode .*|resource name may not be empty|from .*)",
     "file, line and column come first, then what is wrong there"),
    (r"\S+: is no kubeconfig|\S+:\d+:\d+: .*", r"error loading config file .*", "the same for kubeconfigs"),
    (r"resource mapping not found for .*", r"resource mapping not found for .*", "one line, without an empty namespace"),
    (r"\S+ from \S+: Apply failed with \d+ conflicts?:", r"Apply failed with \d+ conflicts?: .*",
     "says of which object; each field and its manager on a line of its own"),
    (r"Error from server \(BadRequest\): .*", r"Error from server \(BadRequest\): Unable to find .*", "without the internal name of the kind"),
    (r"unable to match a printer suitable for the output format .*", r"unable to match a printer suitable for the output format .*",
     "the formats are those that are there: CSV and NDJSON too, no KYAML"),
    (r"there is no need to specify a resource type as a separate argument .*",
     r"there is no need to specify a resource type as a separate argument .*", "the example has the command that was typed"),
    (r"(context|cluster|user) .* does not exist( in the kubeconfig)?",
     r"(Error in configuration: context was not found .*|no server found for cluster .*|auth info .* does not exist|context .* does not exist)",
     "one form for contexts, clusters and users"),
    (r"load kubeconfig: open \S+: No such file or directory", r"stat \S+: no such file or directory", "says what the file was wanted for"),
    (r"(condition not met for|timed out waiting for the condition on) \S+ \(.*\)", r"(condition not met for|timed out waiting for .* on) \S+",
     "says what is there instead"),
    (r"say what to wait for: .*", r"(unrecognized condition: .*|one of .*|.*required.*|.*must.*)", "says what can be waited for"),
    (r"cannot set --all and --(field-)?selector at the same time", r"setting 'all' parameter but found a non empty selector\..*",
     "names the options as they are typed"),
    (r"-f goes with neither kinds and names nor --all nor .*", r"when paths, URLs, or stdin is provided as input.*",
     "names the options as they are typed"),
    (r"--raw needs a path that starts with '/', like /version", r"--raw must be a valid URL path: .*", "gives an example"),
    (r"--for must be in resource/name form", r"arguments in resource/name form may not have more than one slash", "names the option"),
    (r"(must specify |expected )?'?logs .*|error: .*unexpected argument: .*|unexpected argument: .*", r"expected 'logs .*", "the usage of wasmctl logs"),
    (r"--output json is not available in .*; -o name is", r"--output json is not available in .*", "it is refused, not ignored"),
    (r"could not read certificate-authority data from .*", r"could not stat certificate-authority file .*", "it is read, not looked at"),
    (r"\S+ is true or false, not .*", r"strconv\.ParseBool: .*", "names the property"),
    (r"unable to parse \S+: a property is .*", r"unable to parse \S+ after .*", "says what a property looks like"),
    (r"(error (reading|parsing) .*): (.*)", r"error (reading|parsing) .*, .*", "a colon between what was tried and why it failed, as everywhere"),
    (r"couldn't find resource for .*", r"couldn't find resource for .*", "says what is missing"),
    (r"Warning: the server doesn't have a resource type \".*", r"Warning: the server doesn't have a resource type '.*",
     "names the kind that was probably meant"),
    (r"--subresource and a name cannot be used with a URL", r"--subresource can not be used with NonResourceURL", "names are refused too"),
    (r"you must specify two arguments: .*", r"you must specify two arguments: .*", "without the full stop"),
    (r"unknown command .* for .*", r"unknown command .*", "names the command it was given to"),
    (r"unexpected arguments: .*", r"extra arguments: .*", "one form for every argument too many or too few"),
    (r"\['(.*) already has a value .*\]", r"'.* already has a value .*", "several of them on one line"),
    (r"(invalid label value: .*): a value is .*", r"invalid label value: .*: a valid label must .*", "shorter"),
    (r"invalid argument .* for .* flag: must be .*", r"--type must be one of .*", "one form for every wrong value"),
    (r"open \S+: No such file or directory", r"unable to read patch file: .*", "shorter"),
    (r"the patch:\d+:\d+: .*", r"unable to parse .*", "line and column come first, then what is wrong there"),
    (r"application/strategic-merge-patch\+json is not supported by .*", r"application/strategic-merge-patch\+json is not supported by .*",
     "the server lists what it takes in any order"),
    (r"resource\(s\) were provided, but no name was specified", r"at least one image update is required", "the name is missed first"),
    (r"Expected resource version to be .*", r"Expected resource version to be .*", "each program has an object of its own"),
    (r"unexpected -o output mode: .*", r"unexpected -o output mode: .*", "with a full stop"),
    (r"selector \"[^\"]*\": .*", r"the provided selector .* is not valid: .*", "says where it is wrong"),
    (r"--force cannot be used with --server-side: see .*", r"--force cannot be used with --server-side", "says what to do instead"),
    (r"invalid resource type \w+: only latticehosts and nodes have taints", r"invalid resource type \w+, only node types are supported",
     "LatticeHosts have taints too"),
    (r"invalid taint (effect|spec): .*", r"invalid taint (effect|spec): .*", "says what is valid"),
    (r"can not both modify and remove .*", r"can not both modify and remove .*", "the taint as it was typed"),
    (r"unknown flag: \S+, did you mean .*", r"unknown flag: \S+", "names the option that was probably meant"),
    (r"(error reading \S+): No such file or directory", r"error reading \S+: no such file or directory", "the system's own words"),
    (r"cannot give a key name for a directory path: .*", r"cannot give a key name for a directory path", "says which"),
    (r"cannot create \"\w+\" without a manifest: .*", r"Unexpected args: .*", "says what can be created without one"),
    (r"duplicated taints .*", r"duplicated taints .*", "the taint as it was typed"),
    (r"No resources found in NS namespace\.", r"No resources found", "names the namespace for several kinds too"),
]


class Program:
    def __init__(self, path, namespace, cluster, files):
        self.path, self.namespace, self.files = path, namespace, files
        self.env = {"PATH": os.environ.get("PATH", ""), "HOME": cluster.dir, "KUBECONFIG": cluster.kubeconfig, "TZ": "UTC",
                    "LC_ALL": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def start(self, line, stdin=None):
        """line: words, single quotes keep blanks."""
        words = [a or b for a, b in re.findall(r"'([^']*)'|(\S+)", line.replace("{ns}", self.namespace))]
        # A test run in the background inherits that SIGINT is ignored; a command in a terminal does not.
        with open(os.path.join(self.files, stdin) if stdin else os.devnull) as source:
            return subprocess.Popen([self.path, *words], cwd=self.files, env=self.env, stdin=source, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True,
                                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def finish(self, process):
        try:
            out, err = process.communicate(timeout=RUN_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            return "none, it hangs", self.neutral(out), self.neutral(err)
        return process.returncode, self.neutral(out), self.neutral(err)

    def run(self, line, stdin=None):
        return self.finish(self.start(line, stdin))

    @staticmethod
    def neutral(text):
        return re.sub(r"\b(ours|them)-[a-z]+", "NS", text)


def read_lines(process, wanted):
    """At least `wanted` lines of its output, fewer when it ends or nothing comes in time."""
    fd, got, end = process.stdout.fileno(), b"", time.monotonic() + RUN_TIMEOUT / 3
    while got.count(b"\n") < wanted and select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
        piece = os.read(fd, 1 << 16)
        if not piece:
            break
        got += piece
    return got.decode()


def watch(program, line, change, kubectl):
    """(exit code, output, messages) of a watch that sees a change and is then interrupted."""
    rows = kubectl.run(re.sub(r" (-w|--watch|--watch-only|--output-watch-events)\b", "", line))[1].count("\n")
    process = program.start(line)
    out = read_lines(process, 0 if "--watch-only" in line else rows)
    changed = kubectl.run(change)
    if changed[0]:
        process.kill()
        process.communicate()
        return changed
    out += read_lines(process, 1)
    process.send_signal(signal.SIGINT)
    code, rest, err = program.finish(process)
    return code, program.neutral(out) + rest, err


def normal(text, thorough):
    text = re.sub(r"(?m)(?<=\s)(\d+[smhd])+( +|$)", "AGE ", text)
    if thorough:
        text = re.sub(r"/(LIVE|MERGED)-\w+", r"/\1", text)
        text = re.sub(r"(?m)^((?:---|\+\+\+) \S+)\t.*$", r"\1", text)
        text = re.sub(r'(resourceVersion|uid|creationTimestamp)"?: "?[^",\n]*"?', r"\1: X", text)
    return text


def as_json(text):
    """With sorted members; what is no JSON stays as it is."""
    try:
        return json.dumps(json.loads(text), indent=1, sort_keys=True)
    except ValueError:
        return text


def message_class(text):
    """The kind of a message: what scripts look at."""
    for shape in (r"Error from server \(\w+\)", r"Error from server:", r"error: unknown (shorthand )?flag", r"error: unknown command",
                  r"No resources found", r"The connection to the server \S+ was refused", r"error: You must be logged in",
                  r"error: Apply failed with \d+ conflict", r"error: timed out waiting for the condition", r"error: condition not met",
                  r"The \w+ \"[^\"]*\" is invalid", r"[Ww]arning:"):
        match = re.search(shape, text)
        if match:
            return match.group(0).replace("wasmctl", "kubectl")
    if re.search(r"Apply failed with \d+ conflict", text):
        return re.search(r"Apply failed with \d+ conflict", text).group(0)
    return "other" if text.strip() else ""


def first_line(text):
    """What it is about; the programs' names and kubectl's log prefix (times, process ids, lines of source) aside."""
    for line in text.splitlines():
        line = re.sub(r"\bwasmctl\b", "kubectl", line.strip())
        if line and not re.match(r"[EWI]\d{4} [\d:.]+ ", line):
            return re.sub(r"^error: ", "", line)
    return ""


def same_words(ours, theirs):
    return ours == theirs or any(re.fullmatch(a, ours) and re.fullmatch(b, theirs) for a, b, _ in WORDS)


def compare(options, ours, theirs):
    problems = []
    if "differs" in options:
        return problems
    if ours[0] != theirs[0]:
        problems.append(f"exit code {ours[0]}, kubectl's {theirs[0]}\n{ours[2]}\nkubectl's:\n{theirs[2]}")
    if "code" in options:
        return problems
    thorough = "norm" in options
    if "json" in options:
        ours, theirs = ((r[0], as_json(r[1]), r[2]) for r in (ours, theirs))
    a, b = normal(ours[1], thorough), normal(theirs[1], thorough)
    if "sorted" in options:
        a, b = ("\n".join(sorted(text.splitlines())) for text in (a, b))
    if a != b:
        problems.append(f"stdout:\n{a}\nkubectl's:\n{b}")
    if "out" in options:
        return problems
    a, b = message_class(ours[2]).replace("error: ", ""), message_class(theirs[2]).replace("error: ", "")
    if a != b:
        problems.append(f"kind of message:\n{ours[2]}\nkubectl's:\n{theirs[2]}")
    elif "text" not in options and not same_words(first_line(ours[2]), first_line(theirs[2])):
        problems.append(f"message:\n{ours[2]}\nkubectl's:\n{theirs[2]}")
    return problems


def compare_files(name, ours, theirs, kubectl):
    """What kubectl reads from the file that each has written."""
    read = []
    for program in (ours, theirs):
        done = subprocess.run([kubectl, "config", "view", "--raw", "-o", "yaml", "--kubeconfig", name.replace("{ns}", program.namespace)],
                              cwd=program.files, capture_output=True, text=True, timeout=RUN_TIMEOUT)
        read.append(program.neutral(done.stdout + done.stderr))
    return [] if read[0] == read[1] else [f"{name}:\n{read[0]}\nkubectl's:\n{read[1]}"]


def lines_of(module):
    """(line, options) of a table, "code: because" as two options."""
    for line, *options in module.LINES:
        split = []
        for option in options:
            mark, colon, why = option.partition(": ")
            split += [mark, why] if colon and mark in COMPARED else [option]
        yield line, split


def value(options, key):
    return next((o[len(key):] for o in options if o.startswith(key)), None)


def reason(options):
    """The one that is none of the words of the table."""
    return next((o for o in options if o not in COMPARED + HOW and not o.startswith(HOW_WITH)), None)


def run_line(line, options, ours, theirs, kubectls):
    change = value(options, "watch=")
    if change:
        results = [watch(program, line, change, kubectl) for program, kubectl in zip((ours, theirs), kubectls)]
    elif "turns" in options:
        results = [program.run(line, value(options, "stdin=")) for program in (ours, theirs)]
    else:
        started = [program.start(line, value(options, "stdin=")) for program in (ours, theirs)]
        results = [program.finish(process) for program, process in zip((ours, theirs), started)]
    problems = compare(options, *results)
    for option in options:
        if option.startswith("file="):
            problems += compare_files(option[5:], ours, theirs, part("kubectl"))
    return problems


class Topic:
    def __init__(self, name, cluster, folder):
        self.name, self.lines = name, list(lines_of(importlib.import_module(f"lines.{name}")))
        files = os.path.join(folder, name)
        os.makedirs(files)
        for file, text in importlib.import_module(f"lines.{name}").FILES.items():
            path = os.path.join(files, file)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        self.ours = Program(os.path.abspath(WASMCTL), f"ours-{name}", cluster, files)
        self.theirs = Program(part("kubectl"), f"them-{name}", cluster, files)
        self.kubectls = [Program(part("kubectl"), program.namespace, cluster, files) for program in (self.ours, self.theirs)]
        for kubectl in self.kubectls:
            kubectl.run(f"create namespace {kubectl.namespace}")

    def run(self, verbose):
        """(lines, different ones, report)"""
        report, different = [], 0
        for line, options in self.lines:
            problems = run_line(line, options, self.ours, self.theirs, self.kubectls)
            different += bool(problems)
            if problems or verbose:
                report.append(("DIFFERENT: " if problems else "same: ") + line)
            report += ["  " + problem.replace("\n", "\n    ") for problem in problems]
        report.append(f"{self.name}: {len(self.lines)} command lines, {different} different")
        return len(self.lines), different, "\n".join(report)


def topic_names():
    return sorted(name[:-3] for name in os.listdir(os.path.join(HERE, "lines")) if name.endswith(".py"))


def page():
    """docs/conformance.md."""
    topics = [(name, importlib.import_module(f"lines.{name}")) for name in topic_names()]
    text = ["# wasmctl beside kubectl", "",
            "<!-- Written by tests/cli/conformance.py --page out of tests/cli/lines/: change these. -->", "",
            f"`tests/cli/conformance.py` runs {sum(len(m.LINES) for _, m in topics)} command lines with wasmctl and with kubectl 1.37 "
            "against one real API server",
            "and compares standard output, the first line of standard error and the exit code.", "",
            "| topic | lines | what |", "|---|---|---|"]
    for name, module in topics:
        text.append(f"| {name} | {len(module.LINES)} | {(module.__doc__ or '').strip().splitlines()[0].rstrip('.')} |")
    text += ["", "## What differs, and why", "",
             "*nothing*: nothing is compared; *code*: the exit code is the same, output and message need not be; *output*: the",
             "messages differ; *words*: the message is of the same kind in other words.", ""]
    same = {"differs": "nothing", "code": "code", "out": "output", "text": "words"}
    for name, module in topics:
        rows = []
        for line, options in lines_of(module):
            mark = next((o for o in options if o in COMPARED), None)
            if mark:
                command = line.replace("{ns}", "NS").replace("|", "\\|")
                rows.append(f"| `{command}` | {same[mark]} | {(reason(options) or '').replace('|', chr(92) + '|')} |")
        if rows:
            text += [f"### {name}", "", "| command line | same | why |", "|---|---|---|", *rows, ""]
    text += ["## Requests", "",
             "`tests/cli/requests_real.py` counts requests in the API server's audit log, with warm caches of discovery: `get` sends one whatever "
             "it gets (one a",
             "name), `apply` one an object (kubectl one more), `describe` two (the object and its Events), `scale` one (kubectl two), `wait` one when "
             "it is so already,", "`delete --wait=false` one. After a NotFound of a name one more asks for the names there are, to suggest one.", ""]
    if WORDS:
        text += ["### Words of messages", "", "| wasmctl | kubectl | why |", "|---|---|---|"]
        for ours, theirs, why in WORDS:
            shown = ["`" + re.sub(r"\\(.)", r"\1", re.sub(r"\(\?:|\.\*|\\S\+|\\w\+|\[\^\]\*\)?", "...", t)).replace("|", "\\|") + "`"
                     for t in (ours, theirs)]
            text.append(f"| {shown[0]} | {shown[1]} | {why} |")
        text.append("")
    return "\n".join(text)


def without_reason():
    """Lines of the tables that differ without saying why."""
    return [f"lines/{name}.py: {line}" for name in topic_names() for line, options in lines_of(importlib.import_module(f"lines.{name}"))
            if any(o in COMPARED for o in options) and not reason(options)]


def make_page(check):
    missing = without_reason()
    if missing:
        print("no reason is given for:", *missing, sep="\n")
        return 1
    if not check:
        with open(PAGE, "w") as f:
            f.write(page())
        return 0
    with open(PAGE) as f:
        if f.read() == page():
            return 0
    print("docs/conformance.md is not what the tables say: run tests/cli/conformance.py --page")
    return 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-v", action="store_true", dest="verbose")
    parser.add_argument("-j", type=int, default=2, dest="jobs")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("topics", nargs="*")
    args = parser.parse_args()
    if args.page:
        return make_page(args.check)
    missing = [name for name in ("etcd", "kube-apiserver", "kubectl") if not part(name)]
    if missing or not shutil.which("openssl"):
        print(f"skipped: {', '.join(missing) or 'openssl'} missing")
        return SKIP
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "cluster"))
        cluster = Cluster(os.path.join(folder, "cluster"))
        try:
            cluster.wait_ready()
            code, out, err = Program(os.path.abspath(WASMCTL), "default", cluster, folder).run("install --crds")
            if code:
                print(out, err)
                return 1
            # All namespaces first: lists of them are the same for all topics.
            topics = [Topic(name, cluster, folder) for name in args.topics or topic_names()]
            total = different = 0
            with concurrent.futures.ThreadPoolExecutor(max(1, args.jobs)) as pool:
                for lines, failed, report in pool.map(lambda topic: topic.run(args.verbose), topics):
                    print(report, flush=True)
                    total, different = total + lines, different + failed
            print(f"{total} command lines, {different} different")
            return 1 if different else 0
        finally:
            cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
