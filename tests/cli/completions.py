#!/usr/bin/env python3
"""Drives the completions in each shell as a person at a prompt would.

    usage: completions.py BIN COMPLETIONS SHELL

Exits with 77 when the shell is not installed.
"""
import os
import pathlib
import shutil
import subprocess
import sys

# What stands before the cursor, candidates that must be offered, and some that must not be.
CASES = [
    ("dyn-get --", ["--all", "--context", "--seed"], ["--blind"]),
    ("dyn-put --bl", ["--blind"], ["--batch"]),
    ("dyn-get --format ", ["human", "json", "ndjson"], ["prom"]),
    ("dyn-get --format=j", ["json"], ["ndjson"]),
    ("dyn-ring ", ["status", "check", "where", "join", "plan", "commit"], ["start"]),
    ("dyn-ring commit --", ["--plan", "--wait", "--seed"], ["--zone"]),
    ("dyn-cluster st", ["start", "stop"], ["list"]),
    ("dyn-ring s", ["status", "show"], ["rtt"]),
    ("dyn-ring show --", ["--partition", "--node", "--svg"], ["--count"]),
    ("dyn-update --re", ["--retries", "--resolve"], ["--if-present"]),
    ("dyn-stats --format p", ["prom"], ["json"]),
]


def shell_quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def in_bash(line, completions):
    script = f"""
        source {shell_quoted(str(completions / 'dyn.bash'))}
        COMP_LINE={shell_quoted(line)} COMP_POINT={len(line)}
        _dyn
        printf '%s\\n' "${{COMPREPLY[@]}}"
        complete -p {line.split()[0]} >/dev/null"""
    return ["bash", "--norc", "-c", script]


def in_zsh(line, completions):
    words = line.split(" ")
    script = f"""
        _describe() {{ local each; for each in "${{(@P)2}}"; do print -r -- "${{each%%:*}}"; done }}
        _files() {{ print -r -- FILES }}
        words=({' '.join(shell_quoted(word) for word in words)})
        CURRENT={len(words)}
        source {shell_quoted(str(completions / '_dyn'))}"""
    return ["zsh", "-f", "-c", script]


def in_fish(line, completions):
    script = f"source {shell_quoted(str(completions / 'dyn.fish'))}; complete -C {shell_quoted(line)}"
    return ["fish", "--no-config", "-c", script]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    completions = pathlib.Path(sys.argv[2]).resolve()
    shell = sys.argv[3]
    if not shutil.which(shell):
        print(f"{shell} is not installed")
        sys.exit(77)
    environment = dict(os.environ, PATH=f"{pathlib.Path(sys.argv[1]).resolve()}:{os.environ['PATH']}")
    environment.pop("DYN_SEEDS", None)
    wrong = 0
    for line, wanted, unwanted in CASES:
        command = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}[shell](line, completions)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        offered = [answer.split("\t")[0] for answer in done.stdout.splitlines()]
        # Fish and zsh offer the whole word, bash what follows the equals sign.
        offered = [answer.split("=")[-1] for answer in offered]
        missing = [word for word in wanted if word not in offered]
        extra = [word for word in unwanted if word in offered]
        if missing or extra or done.returncode != 0 or done.stderr:
            wrong += 1
            print(f"{shell}: '{line}': missing {missing}, unwanted {extra}, "
                  f"exit {done.returncode}, offered {offered} {done.stderr}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
