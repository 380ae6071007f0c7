"""The same command lines by wasmctl and by kubectl against one real API server: standard output, the kind of message on standard
error and the exit code must be the same, but for the differences that are listed with their reason.

    conformance.py [-v] [TOPIC...]

The lines are in lines/<topic>.py: FILES (name -> text), which both programs find in their folder, and LINES: tuples of a command line and its
options. {ns} is the program's namespace; every topic has one of its own for each program (names of the same length, compared as NS).
Only what differs by design carries a reason: then the exit code alone is compared ("code"), the output too but not the message ("out"),
or nothing ("differs"). "norm": versions, times and uids are not compared. "json": the output is compared as JSON. "file=NAME": the kubeconfig
that each has written is compared too, as kubectl reads it.
Skipped (exit 77) when etcd, kube-apiserver or kubectl were not built into the cache.
"""
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from cluster import Cluster, part

WASMCTL = os.environ.get("WASMCTL", "wasmctl")
RUN_TIMEOUT = 60
SKIP = 77


class Program:
    def __init__(self, path, namespace, cluster, files):
        self.path, self.namespace, self.files = path, namespace, files
        self.env = {"PATH": os.environ.get("PATH", ""), "HOME": cluster.dir, "KUBECONFIG": cluster.kubeconfig, "TZ": "UTC",
                    "LC_ALL": "C.UTF-8"}

    def run(self, line):
        """line: words, single quotes keep blanks."""
        words = [a or b for a, b in re.findall(r"'([^']*)'|(\S+)", line.replace("{ns}", self.namespace))]
        done = subprocess.run([self.path, *words], cwd=self.files, env=self.env, capture_output=True, text=True,
                              timeout=RUN_TIMEOUT)
        return done.returncode, self.neutral(done.stdout), self.neutral(done.stderr)

    @staticmethod
    def neutral(text):
        return re.sub(r"\b(ours|them)-[a-z]+", "NS", text)


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


def compare(line, options, ours, theirs):
    problems = []
    if "differs" in options:
        return problems
    if ours[0] != theirs[0]:
        problems.append(f"exit code {ours[0]}, kubectl's {theirs[0]}")
    if "code" in options:
        return problems
    thorough = "norm" in options
    if "json" in options:
        ours, theirs = ((r[0], as_json(r[1]), r[2]) for r in (ours, theirs))
    a, b = normal(ours[1], thorough), normal(theirs[1], thorough)
    if a != b:
        problems.append(f"stdout:\n{a}\nkubectl's:\n{b}")
    if "out" not in options:
        a, b = message_class(ours[2]).replace("error: ", ""), message_class(theirs[2]).replace("error: ", "")
        if a != b:
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


def run_topic(topic, cluster, folder, verbose):
    """Returns (lines, different ones)."""
    module = importlib.import_module(f"lines.{topic}")
    files = os.path.join(folder, topic)
    os.makedirs(files)
    for name, text in module.FILES.items():
        path = os.path.join(files, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
    ours = Program(os.path.abspath(WASMCTL), f"ours-{topic}", cluster, files)
    theirs = Program(part("kubectl"), f"them-{topic}", cluster, files)
    for program in (ours, theirs):
        theirs.run(f"create namespace {program.namespace}")
    failed = 0
    for line, *options in module.LINES:
        problems = compare(line, options, ours.run(line), theirs.run(line))
        for option in options:
            if option.startswith("file="):
                problems += compare_files(option[5:], ours, theirs, part("kubectl"))
        failed += bool(problems)
        if problems or verbose:
            print(("DIFFERENT: " if problems else "same: ") + line)
        for problem in problems:
            print("  " + problem.replace("\n", "\n    "))
    return len(module.LINES), failed


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    topics = [a for a in sys.argv[1:] if a != "-v"] or sorted(
        name[:-3] for name in os.listdir(os.path.join(here, "lines")) if name.endswith(".py"))
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
            total = different = 0
            for topic in topics:
                lines, failed = run_topic(topic, cluster, folder, "-v" in sys.argv)
                print(f"{topic}: {lines} command lines, {failed} different")
                total, different = total + lines, different + failed
            print(f"{total} command lines, {different} different")
            return 1 if different else 0
        finally:
            cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
