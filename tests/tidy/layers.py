#!/usr/bin/env python3
"""Holds every #include to the arrows between the layers.

    usage: layers.py SOURCE_DIRECTORY

Each file of libdynamo, daemon and cli belongs to the first layer below whose pattern it matches; it
may include its own layer and those that the layer's arrows reach. Files must not include each other
in circles, and each outside library is known to a few files only.
"""
import fnmatch
import pathlib
import re
import sys

# Layer, its files, and the layers that it may include beside itself. Above comes before below.
#
#   cli tools -> cli/common -> include
#   daemon -> shell -> node -> {coordination | membership | repair} -> {liveness, local} -> desk
#                 \-> storage: open -> {memory | bdb} -> contract           desk -> contract, wire
#   client -> wire -> {version | ring} -> base -> include
LAYERS = [
    ("include", ["libdynamo/include/dynamo/*"], []),
    ("base", ["libdynamo/base/*"], ["include"]),
    ("version", ["libdynamo/version/*"], ["base"]),
    ("ring", ["libdynamo/ring/*"], ["base"]),
    ("merkle", ["libdynamo/merkle/*"], ["base"]),
    ("wire", ["libdynamo/wire/*"], ["version", "ring", "merkle"]),
    ("client", ["libdynamo/client/*"], ["wire"]),
    ("storage contract", ["daemon/storage/storage.*"], ["base"]),
    ("storage memory", ["daemon/storage/memory*"], ["storage contract"]),
    ("storage files", ["daemon/storage/files.*", "daemon/storage/high_water.*",
                       "daemon/storage/ballast.*", "daemon/storage/options.h"],
     ["storage contract"]),
    ("storage bdb", ["daemon/storage/bdb*"], ["storage files"]),
    ("storage open", ["daemon/storage/open.*"], ["storage memory", "storage bdb"]),
    ("desk", ["daemon/node/desk.*", "daemon/node/outbox.*", "daemon/node/options.*",
              "daemon/node/counters.*", "daemon/node/fence.*",
              "daemon/node/budget.*"], ["storage contract", "wire"]),
    ("local", ["daemon/node/local/*"], ["desk"]),
    ("liveness", ["daemon/node/membership/liveness.*"], ["desk"]),
    ("coordination", ["daemon/node/coordination/*"], ["local", "liveness"]),
    ("membership", ["daemon/node/membership/*"], ["local", "liveness"]),
    ("repair", ["daemon/node/repair/*"], ["local", "liveness"]),
    ("node", ["daemon/node/node.*", "daemon/node/node_*"], ["coordination", "membership", "repair"]),
    ("shell", ["daemon/shell/*"], ["node", "storage files"]),
    ("daemon", ["daemon/main.cc", "daemon/config*"], ["shell", "storage open"]),
    ("cli common", ["cli/common/*"], ["include"]),
    ("cli part", ["cli/*/*"], ["cli common"]),  # a tool that grew too long for one file
    ("cli tool", ["cli/*"], ["cli common", "cli part"]),
]

# Outside libraries, and the files that may know them.
LIBRARIES = {
    "zmq": ["daemon/shell/transport*", "libdynamo/client/channel*"],
    "msgpack": ["libdynamo/wire/codec*"],
    "db": ["daemon/storage/bdb*"],
    "db_cxx": ["daemon/storage/bdb*"],
    "CLI": ["cli/common/*", "daemon/config*"],
    "toml++": ["daemon/config*"],
    "nlohmann": ["cli/*"],
    "fmt": ["cli/*", "daemon/config*", "daemon/main.cc", "daemon/shell/*", "daemon/storage/*",
            "libdynamo/client/*"],
    "md5": ["libdynamo/base/hash.cc"],
    "sha2": ["libdynamo/base/hash.cc"],
    "xxhash": ["libdynamo/base/hash.cc"],
}

# Standard headers that reach the outside world: nothing beneath the shell may know them.
PURE = {"include", "base", "version", "ring", "merkle", "wire", "desk", "local", "liveness",
        "coordination", "membership", "repair", "node"}
IMPURE = {"atomic", "barrier", "condition_variable", "ctime", "filesystem", "fstream", "future",
          "iostream", "latch", "mutex", "random", "semaphore", "shared_mutex", "stop_token",
          "thread", "cstdio"}
PURE_EXCEPT = {("libdynamo/base/check.cc", "cstdio")}  # says what was impossible, then aborts

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def layer_of(path):
    return next((name for name, patterns, _ in LAYERS if matches(path, patterns)), None)


def reach(name):
    """The layer and all that its arrows lead to."""
    arrows = {layer: below for layer, _, below in LAYERS}
    found, waiting = set(), [name]
    while waiting:
        layer = waiting.pop()
        if layer not in found:
            found.add(layer)
            waiting += arrows[layer]
    return found


class Check:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.errors = []
        self.graph = {}

    def run(self):
        paths = sorted(str(path.relative_to(self.root)) for top in ("libdynamo", "daemon", "cli")
                       for path in (self.root / top).rglob("*")
                       if path.suffix in (".h", ".cc", ".hpp", ".cpp", ".c", ".hh"))
        for path in paths:
            self.graph[path] = []
            layer = layer_of(path)
            if layer is None:
                self.errors.append(f"{path}: belongs to no layer; name one in tests/tidy/layers.py")
                continue
            text = (self.root / path).read_text()
            for match in INCLUDE.finditer(text):
                line = text.count("\n", 0, match.start(1 if match[1] else 2)) + 1
                where = f"{path}:{line}"
                if match[1]:
                    self.check_own(where, path, layer, match[1])
                else:
                    self.check_outside(where, path, layer, match[2])
        self.check_circles()
        return self.errors

    def check_own(self, where, path, layer, included):
        if included.startswith("dynamo/"):
            target = "libdynamo/include/" + included
        else:
            target = included
        if not (self.root / target).is_file():
            self.errors.append(f'{where}: "{included}" is no file of ours; name it from the top')
            return
        self.graph[path].append(target)
        target_layer = layer_of(target)
        if target_layer is not None and target_layer not in reach(layer):
            self.errors.append(f'{where}: {layer} must not include {target_layer} ("{included}")')

    def check_outside(self, where, path, layer, included):
        library = re.split(r"[/.]", included)[0]
        if included.startswith("toml++"):
            library = "toml++"
        if library in LIBRARIES:
            if not matches(path, LIBRARIES[library]):
                self.errors.append(f"{where}: <{included}> is known only to "
                                   + ", ".join(LIBRARIES[library]))
            return
        if layer not in PURE or (path, included) in PURE_EXCEPT:
            return
        # A standard header has neither a folder nor an ending.
        if included in IMPURE or "/" in included or "." in included:
            self.errors.append(f"{where}: {layer} knows no clock, thread, file or socket, "
                               f"so it cannot include <{included}>")

    def check_circles(self):
        done, trail = set(), []

        def visit(path):
            if path in trail:
                self.errors.append("circle: " + " -> ".join(trail[trail.index(path):] + [path]))
                return
            if path in done:
                return
            trail.append(path)
            for target in self.graph.get(path, []):
                visit(target)
            trail.pop()
            done.add(path)

        for path in self.graph:
            visit(path)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    check = Check(sys.argv[1])
    errors = check.run()
    for error in errors:
        print(error)
    if not check.graph:
        sys.exit(f"{sys.argv[1]} holds no sources")
    print(f"{len(check.graph)} files, {len(errors)} wrong")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
