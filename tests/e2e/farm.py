"""A farm of simulated wasmCloud hosts (tests/fake/hostfarm.c), driven over its stdin."""
import json
import subprocess


class Farm:
    """with Farm(program, "nats://...", lattice="farm", hosts=30, clouds="a,b,c") as farm: farm("kill", "cloud=a")"""

    def __init__(self, program, server, **options):
        words = [program, "--server", server]
        for name, value in options.items():
            words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise OSError("the host farm has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(f"host farm: {answer['error']}")
        return answer

    def __call__(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def count(self):
        return self("count")

    def hosts(self):
        return self("state")["hosts"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
