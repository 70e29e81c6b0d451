#!/usr/bin/env python3
"""Holds every C++ file to the house's form: a header guard, a first comment, a bounded length.

    usage: house.py SOURCE_DIRECTORY
"""
import pathlib
import re
import sys

MAX_LINES = 500
MAX_TEST_LINES = 800
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def errors_of(path, name):
    text = path.read_text()
    lines = text.split("\n")
    bound = MAX_TEST_LINES if name.startswith("tests/") else MAX_LINES
    if len(lines) - 1 > bound:
        yield f"{name}: {len(lines) - 1} lines; split it at {bound}"
    if path.suffix == ".h" and not name.startswith("tests/"):
        if not lines[0].startswith("//"):
            yield f"{name}:1: a header begins with what it is for"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield f"{name}: no #pragma once"
    for number, line in enumerate(lines, 1):
        if LEFTOVERS.search(line):
            yield f"{name}:{number}: {line.strip()}"
        if "\t" in line:
            yield f"{name}:{number}: a tab"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[1])
    paths = sorted(path for top in ("libdynamo", "daemon", "cli", "tests")
                   for path in (root / top).rglob("*") if path.suffix in (".h", ".cc"))
    errors = [error for path in paths for error in errors_of(path, str(path.relative_to(root)))]
    for error in errors:
        print(error)
    if not paths:
        sys.exit(f"{root} holds no sources")
    print(f"{len(paths)} files, {len(errors)} wrong")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
