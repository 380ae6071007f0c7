"""Checks the source tree against docs/architecture.md and docs/style.md: who includes whom, banned functions, file sizes,
words that have no place in the project. Prints every breach as file:line and exits 1 if there is one."""
import os
import re
import sys
import tempfile

MODULES = ["base", "data", "work", "serve", "model", "place", "kube", "lattice", "print", "tail"]

# folder -> modules of libwasmctl it may include, libraries it may include
LAYERS = {
    "libwasmctl/base": ({"base"}, {"uv.h"}),
    "libwasmctl/data": ({"base", "data"}, {"cjson/cJSON.h", "yaml.h"}),
    "libwasmctl/work": ({"base", "work"}, set()),
    "libwasmctl/serve": ({"base", "serve"}, {"microhttpd.h"}),
    "libwasmctl/model": ({"base", "data", "model"}, {"cjson/cJSON.h"}),
    "libwasmctl/place": ({"base", "model", "place"}, set()),
    "libwasmctl/kube": ({"base", "data", "kube"}, {"cjson/cJSON.h", "curl/curl.h"}),
    "libwasmctl/lattice": ({"base", "data", "model", "lattice"}, {"cjson/cJSON.h"}),
    "libwasmctl/print": ({"base", "data", "print"}, {"cjson/cJSON.h"}),
    "libwasmctl/tail": ({"base", "data", "kube", "lattice", "tail"}, {"cjson/cJSON.h", "pcre2.h"}),
    "cli": (set(MODULES) | {"cli"}, {"cjson/cJSON.h"}),
    "operator": (set(MODULES) | {"operator"}, {"cjson/cJSON.h"}),
    "dev": ({"base", "data", "kube", "dev"}, {"cjson/cJSON.h"}),
    "tui": (set(MODULES) | {"tui"}, {"cjson/cJSON.h"}),
}
# single files that may include more
FILES = {
    "libwasmctl/lattice/bus.c": {"nats/nats.h", "nats.h"},
    "libwasmctl/lattice/bus_link.c": {"nats/nats.h", "nats.h"},
    "libwasmctl/lattice/bus_link.h": {"nats/nats.h", "nats.h"},
    "libwasmctl/lattice/bus_loop.c": {"nats/nats.h", "nats.h"},
    "libwasmctl/kube/tls.c": {"openssl/pem.h", "openssl/ssl.h", "openssl/x509v3.h"},
    "cli/cmd_dev.c": {"dev/dev.h"},
    "cli/contexts.c": {"pcre2.h"},
    "cli/cmd_dash.c": {"tui/tui.h"},
}
# headers of libraries; everything else in <> is libc
LIBRARIES = re.compile(r"^(uv\.h|cjson/|yaml\.h|microhttpd\.h|curl/|nats|nats/|ncurses|panel\.h|openssl/|pcre2|sqlite3|uv/)")
FOLDER_LIBRARIES = {"dev": re.compile(r"^openssl/"), "tui": re.compile(r"^(ncurses|panel\.h)")}

BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|strncpy|strncat|alloca|rand|tmpnam|"
                    r"mktemp|system|popen|usleep|sleep)\s*\(")
LONGEST_FILE = 1000
LONGEST_LINE = 130  # clang-format keeps to 110; JSON in string literals may go past it
# Places and people that have no business in the project.
FOREIGN = re.compile(r"(?<![\w.])/(work|root)/|registry\.npmjs|proxy\.golang|index\.crates|static\.crates|crates\.io/api|deb\.debian\.org|pypi\.org/simple")


def strip_comments(text):
    """Comments and strings blanked, line structure kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def layer_of(path):
    best = None
    for folder in LAYERS:
        if path.startswith(folder + "/") and (best is None or len(folder) > len(best)):
            best = folder
    return best


def check_includes(path, text, report):
    folder = layer_of(path)
    if folder is None:
        return
    modules, libraries = LAYERS[folder]
    extra = FILES.get(path, set())
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        kind, name = match.groups()
        if name in extra:
            continue
        if kind == "<":
            allowed = name in libraries or (folder in FOLDER_LIBRARIES and FOLDER_LIBRARIES[folder].match(name))
            if LIBRARIES.match(name) and not allowed:
                report(path, number, f"{folder} may not include <{name}>")
            continue
        if "/" not in name:
            report(path, number, f'include "{name}" by its full path')
        elif name.split("/")[0] not in modules:
            report(path, number, f'{folder} may not include "{name}"')


def check_file(path, text, report):
    lines = text.split("\n")
    if path.endswith((".c", ".h")):
        check_includes(path, text, report)
        code = strip_comments(text).split("\n")
        for number, line in enumerate(code, 1):
            match = BANNED.search(line)
            if match and not path.startswith("tests/"):
                report(path, number, f"{match.group(1)}() is banned")
        if len(lines) > LONGEST_FILE:
            report(path, len(lines), f"longer than {LONGEST_FILE} lines: split it by meaning")
        for number, line in enumerate(lines, 1):
            if len(line) > LONGEST_LINE:
                report(path, number, f"longer than {LONGEST_LINE} columns")
        if path.endswith(".h") and "#ifndef WASMCTL_" not in text:
            report(path, 1, "no include guard WASMCTL_...")
    for number, line in enumerate(lines, 1):
        if re.match(r"(<{7}|>{7}) ", line):
            report(path, number, "left over from a merge")
        match = FOREIGN.search(line)
        if match and not path.endswith("check_tree.py"):
            report(path, number, f"{match.group(0)!r} has no place in the project")


def files_of(top):
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if not f.startswith((".git", "build")) and f not in ("node_modules", "__pycache__", "target")]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), top)


def check_tree(top):
    breaches = []

    def report(path, number, text):
        breaches.append(f"{path}:{number}: {text}")
    count = 0
    for path in sorted(files_of(top)):
        if not path.endswith((".c", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".json", ".yaml", ".in", ".toml", ".mod")):
            continue
        with open(os.path.join(top, path), encoding="utf-8") as f:
            check_file(path, f.read(), report)
        count += 1
    return breaches, count


def self_test():
    """Each rule must be able to fail."""
    bad = {
        "libwasmctl/place/x.c": ('#include "kube/client.h"\n', "may not include"),
        "libwasmctl/kube/y.c": ('#include "model/meta.h"\n', "may not include"),
        "libwasmctl/lattice/z.c": ("#include <nats/nats.h>\n", "may not include"),
        "libwasmctl/base/s.c": ("int f(char *a) { return atoi(a); }\n", "banned"),
        "cli/long.c": ("\n" * 1001, "split it"),
        "docs/m.md": ("<" * 7 + " HEAD\n", "left over"),
        "docs/p.md": ("see /" + "work/main\n", "no place"),
    }
    missed = []
    for path, (text, expected) in bad.items():
        with tempfile.TemporaryDirectory() as top:
            os.makedirs(os.path.join(top, os.path.dirname(path)))
            with open(os.path.join(top, path), "w", encoding="utf-8") as f:
                f.write(text)
            breaches, _ = check_tree(top)
            if not any(expected in b for b in breaches):
                missed.append(f"{path}: no breach found")
    good = '/* atoi() */ #include "base/err.h"\n'
    breaches = []
    check_file("libwasmctl/data/ok.c", good, lambda *a: breaches.append(a))
    if breaches:
        missed.append(f"a comment counts as code: {breaches}")
    print("\n".join(missed) or f"{len(bad)} rules can fail")
    return 1 if missed else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    breaches, count = check_tree(sys.argv[1])
    print("\n".join(breaches))
    print(f"{count} files, {len(breaches)} breaches")
    return 1 if breaches or count < 50 else 0


sys.exit(main())
