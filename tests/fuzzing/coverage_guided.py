"""Fuzz the readers of one kind of file, guided by the lines that they run: `coverage_guided.py KIND RUNS SCRATCH`.

atheris changes honest files, and keeps those changes that reach new lines. The process ends with code 0 if all files
were read or refused in one line; else it prints a traceback and the bytes of the file.
"""

import os
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["trivium"]):
    import readers

    readers.prepare()

MEMORY, WAIT = 2048, 60  # MB, s


def main():
    kind, runs, scratch = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    target, corpus = scratch / "target", scratch / "corpus"
    for folder in (scratch / "honest", corpus):
        folder.mkdir(parents=True)
    files = readers.honest_files(scratch / "honest")[kind]
    for name, content in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)
    fuzzed = max(files, key=lambda name: len(files[name]))
    (corpus / "honest").write_bytes(files[fuzzed])

    def read(content):
        (target / fuzzed).write_bytes(content)
        for command in readers.COMMANDS[kind]:
            assert command(target) in (0, 1, 2)

    limits = [f"-rss_limit_mb={MEMORY}", f"-timeout={WAIT}", "-max_len=100000", "-len_control=0"]
    atheris.Setup(["fuzz", f"-runs={runs}", "-seed=1", *limits, f"-artifact_prefix={scratch}/", str(corpus)], read)
    with open(os.devnull, "w") as nowhere:
        sys.stdout = sys.stderr = nowhere  # of the commands; atheris writes to the descriptors
        atheris.Fuzz()


if __name__ == "__main__":
    main()
