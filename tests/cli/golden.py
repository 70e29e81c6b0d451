#!/usr/bin/env python3
"""Runs the commands of a golden file and compares what they print.

    usage: golden.py [--update] BIN FILE...

A file is a list of blocks: `$ COMMAND`, what it prints (`! ` before a line of stderr), `exit N`.
With --update the file is rewritten with what the commands print now.
"""
import difflib
import os
import pathlib
import subprocess
import sys
import tempfile


def run(command, bin_directory, scratch):
    environment = {"PATH": f"{bin_directory}:{os.environ['PATH']}", "HOME": scratch,
                   "TMPDIR": scratch, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["sh", "-c", command], env=environment, cwd=scratch,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    out = done.stdout.decode("utf-8", "backslashreplace")
    errors = done.stderr.decode("utf-8", "backslashreplace")
    lines = out.split("\n")[:-1] if out.endswith("\n") else out.split("\n") if out else []
    lines += [f"! {line}" for line in errors.split("\n")[:-1]]
    return [line.replace(scratch, "SCRATCH") for line in lines] + [f"exit {done.returncode}"]


def main():
    arguments = sys.argv[1:]
    update = arguments[:1] == ["--update"]
    if update:
        arguments.pop(0)
    if len(arguments) < 2:
        sys.exit(__doc__)
    bin_directory = str(pathlib.Path(arguments[0]).resolve())
    wrong = 0
    for name in arguments[1:]:
        path = pathlib.Path(name)
        expected = path.read_text()
        commands = [line[2:] for line in expected.split("\n") if line.startswith("$ ")]
        if not commands:
            sys.exit(f"{name} holds no command")
        blocks = []
        for command in commands:
            with tempfile.TemporaryDirectory() as scratch:
                blocks.append("\n".join([f"$ {command}"] + run(command, bin_directory, scratch)))
        actual = "\n\n".join(blocks) + "\n"
        if update:
            path.write_text(actual)
        elif actual != expected:
            wrong += 1
            sys.stdout.writelines(difflib.unified_diff(
                expected.splitlines(True), actual.splitlines(True), name, "printed now"))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
