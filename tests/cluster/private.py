"""A network and a view of the file systems that are this run's own, and go when it goes."""
import os
import subprocess
import sys

MARK = "DYN_SOAK_PRIVATE"


def is_private():
    return os.environ.get(MARK) == "1"


def become_private():
    """Runs this program anew in namespaces of its own, where it may mount and make networks; goes on
    as it is where the system does not allow that."""
    if MARK in os.environ:
        if is_private():
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    environment = dict(os.environ)
    for words in (["unshare", "--mount", "--net"],
                  ["unshare", "--map-root-user", "--mount", "--net"]):
        try:
            trial = subprocess.run([*words, "sh", "-c", "ip link set lo up && mount -t tmpfs x /mnt"],
                                   capture_output=True, check=False)
        except FileNotFoundError:
            break
        if trial.returncode == 0:
            environment[MARK] = "1"
            os.execvpe(words[0], [*words, "--", sys.executable, "-B", *sys.argv], environment)
    os.environ[MARK] = "0"
