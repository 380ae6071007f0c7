"""The tests that docs/operator.md names exist and are run: functions of tests/e2e that its CMakeLists.txt lists, and tests of cmocka."""
import glob
import os
import re
import sys


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def named_tests(text):
    """Words with an underscore outside of `code` and links, in the lines of tables."""
    for line in text.splitlines():
        if line.startswith("|"):
            plain = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", line)
            yield from re.findall(r"(?<![\w.])[a-z]+(?:_[a-z0-9]+)+(?!\w|\.py)", plain)


def existing_tests(top):
    listed = set(re.findall(r"[a-z]+(?:_[a-z0-9]+)+", read(top, "tests/e2e/CMakeLists.txt")))
    found = set()
    for path in glob.glob(os.path.join(top, "tests/e2e/*.py")):
        found |= set(re.findall(r"^@test\ndef (\w+)\(", read(path), re.M)) & listed
    for path in glob.glob(os.path.join(top, "tests/unit/*/*.c")):
        text = read(path)
        found |= {name for name in re.findall(r"^static void (test_\w+)\(", text, re.M) if len(re.findall(rf"\b{name}\b", text)) > 1}
    return found


def main(top):
    tests = existing_tests(top)
    named = list(named_tests(read(top, "docs/operator.md")))
    missing = [f"docs/operator.md: there is no test {name}" for name in named if name not in tests]
    # The rule must be able to fail.
    if list(named_tests("| 1 | `not_this` but no_such_test here |")) != ["no_such_test"] or "no_such_test" in tests:
        missing.append("the check itself does not work")
    print("\n".join(missing))
    print(f"{len(named)} names of {len(tests)} tests, {len(missing)} breaches")
    return 1 if missing or len(named) < 30 else 0


sys.exit(main(sys.argv[1]))
