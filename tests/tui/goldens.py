"""Compares screens of the dashboard with how they ought to look: goldens.py SCREEN TOPIC [--update]

cases_<topic>.py has CASES, a list of (name, recording, size, options, keys); the recording is a list of lines of
tui/record.h as dicts, usually of scene.py. What is expected is in golden/<topic>/<name>.txt; --update writes it anew, to be
looked at before it is committed."""
import importlib
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True


def shown(screen, recording, size, options, keys):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write('{"recording":"wasmctl dash","version":1}\n')
        file.writelines(json.dumps(line) + "\n" for line in recording)
        file.flush()
        done = subprocess.run([screen, file.name, size, *options, "--", *keys], capture_output=True, text=True, timeout=30,
                              env={**os.environ, "TZ": "UTC"})
    if done.returncode or done.stderr:
        return f"exit {done.returncode}: {done.stderr}"
    return done.stdout


def main():
    screen, topic, update = sys.argv[1], sys.argv[2], "--update" in sys.argv
    folder = os.path.join(HERE, "golden", topic)
    failed = 0
    cases = importlib.import_module(f"cases_{topic}").CASES
    for name, recording, size, options, keys in cases:
        path = os.path.join(folder, f"{name}.txt")
        got = shown(screen, recording, size, options, keys)
        if update:
            os.makedirs(folder, exist_ok=True)
            with open(path, "w") as file:
                file.write(got)
            continue
        want = open(path).read() if os.path.exists(path) else ""
        if got != want:
            failed += 1
            print(f"--- {name}: differs from {path}\nwanted:\n{want}\ngot:\n{got}")
    left_over = set(os.listdir(folder)) - {f"{case[0]}.txt" for case in cases} if os.path.isdir(folder) else ()
    for name in left_over:
        print(f"--- {folder}/{name} is no case any more")
    print(f"{len(cases)} screens, {failed} differ")
    sys.exit(bool(failed or left_over))


main()
