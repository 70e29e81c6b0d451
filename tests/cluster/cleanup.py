"""What a run leaves behind is removed however it ends, short of SIGKILL; daemons end even then."""
import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile

_undo = []
_kept = []


def later(action, *words):
    _undo.append((action, words))


def now():
    while _undo:
        action, words = _undo.pop()
        try:
            action(*words)
        except OSError as error:
            print(f"clean up: {error}", file=sys.stderr)


def scratch_directory():
    path = tempfile.mkdtemp(prefix=f"dyn-soak-{os.getpid()}-")
    later(_remove, path)
    return path


def _remove(path):
    if _kept:
        print(f"kept for a look: {' '.join(_kept)}", file=sys.stderr)
    else:
        shutil.rmtree(path, ignore_errors=True)


def keep(directory):
    """Leaves the scratch directory: what a violation left there tells why."""
    _kept.append(directory)


def mount_tmpfs(path, size):
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "dynamo-soak", path],
                   check=True, capture_output=True)
    later(subprocess.run, ["umount", "-l", path])


def _on_signal(number, _):
    sys.exit(128 + number)


def install():
    atexit.register(now)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _on_signal)
