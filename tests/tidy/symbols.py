#!/usr/bin/env python3
"""Proves from its symbols that the node core touches nothing: no clock, no randomness, no thread, no
file, no socket, no environment, and no variable that outlives a call.

    usage: symbols.py NODE_ARCHIVE ARCHIVE...

The first archive is the node core, the others are all of ours that it links. What none of them
defines comes from outside. Of C functions only those listed here may be called; of the C++ library
everything but what is listed here.
"""
import re
import subprocess
import sys

C_ALLOWED = re.compile(
    r"^(mem(cpy|move|cmp|set|chr)|strlen|strcmp|strtol+|strtoul+|strtod|free|malloc|"
    r"abort|fprintf|fputc|fwrite|stderr|snprintf|ceil|floor|log|log2|exp|pow|sqrt|"
    r"[nh]to[hn][sl]|__errno_location|__assert_fail|__dynamic_cast|__[a-z]+[sdt]i[234]|"
    r"MD5(Init|Update|Final)|SHA256(Init|Update|Final)|XXH3?_?\w+|XXH\w+|"
    r"__cxa_\w+|__gxx_personality_v0|_Unwind_Resume|__stack_chk_fail|__dso_handle|"
    r"__(mem|v?f?printf|snprintf|str)\w*_chk|_GLOBAL_OFFSET_TABLE_|__tls_get_addr|"
    r"__(asan|ubsan|lsan|tsan|sanitizer|gcov|llvm|start|stop)_?\w*)$")

CXX_FORBIDDEN = re.compile(
    r"std::chrono::.*clock::now|std::random_device|std::(this_thread|thread|jthread|mutex|"
    r"recursive_mutex|timed_mutex|condition_variable|future|promise|async|__future_base)\b|"
    r"std::(basic_)?(i|o)?(filebuf|fstream|ifstream|ofstream)|std::(cout|cerr|clog|cin|wcout)\b|"
    r"std::ios_base::Init|std::filesystem|std::locale::global|zmq|\bDb(Env|Txn|c)?::|CLI::")

MUTABLE = re.compile(r"^\S+ .{7} (\.data|\.bss|\.tdata|\.tbss)(\.\S+)?\s+\S+\s+(.+)$")
IMMUTABLE = re.compile(r"^\.data\.rel\.ro")
# What sanitizers and coverage add, and the names of sections.
NOT_OURS = re.compile(r"__(asan|ubsan|lsan|tsan|odr_asan|gcov|llvm)|^\.|^DW\.ref\.")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def undefined_symbols(archives):
    defined, wanted = set(), {}
    for archive in archives:
        for line in run("nm", "--defined-only", "-g", archive).splitlines():
            parts = line.split()
            if len(parts) == 3:
                defined.add(parts[2])
        for line in run("nm", "--undefined-only", "-A", archive).splitlines():
            place, symbol = line.rsplit(" ", 1)
            member = place.split(":")[1] if ":" in place else place
            wanted.setdefault(symbol.split("@")[0], set()).add(member)
    return {symbol: members for symbol, members in wanted.items() if symbol not in defined}


def demangle(symbols):
    plain = subprocess.run(["c++filt"], input="\n".join(symbols), check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return dict(zip(symbols, plain))


def errors_of(archives):
    errors = []
    outside = undefined_symbols(archives)
    names = demangle(sorted(outside))
    for symbol, name in names.items():
        allowed = not CXX_FORBIDDEN.search(name) if symbol.startswith("_Z") \
            else C_ALLOWED.match(symbol)
        if not allowed:
            errors.append(f"{name} is called by {', '.join(sorted(outside[symbol]))}")
    errors += mutable_state(archives[0])
    return errors


def mutable_state(archive):
    errors, member = [], archive
    for line in run("objdump", "-t", "-C", archive).splitlines():
        if line.endswith("file format elf64-x86-64") or "file format" in line:
            member = line.split(":")[0]
            continue
        match = MUTABLE.match(line)
        if not match or IMMUTABLE.match(match[1] + (match[2] or "")):
            continue
        name = match[3].removeprefix(".hidden ").strip()
        if not NOT_OURS.search(name):
            errors.append(f"{name} in {member} outlives a call")
    return errors


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    errors = errors_of(sys.argv[1:])
    for error in errors:
        print(error)
    print(f"{len(sys.argv) - 1} archives, {len(errors)} symbols that the core must not have")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
