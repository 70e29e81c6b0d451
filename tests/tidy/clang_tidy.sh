#!/bin/sh
# Runs clang-tidy-19 with .clang-tidy over the sources of libdynamo, daemon and cli, or over the
# files that are named, as many at a time as there are processors.
#
#     usage: clang_tidy.sh BUILD_DIRECTORY [FILE...]
#
# The build directory holds compile_commands.json and has been built at least once. Exits with 77
# where there is no clang-tidy-19.
set -eu
if [ $# -lt 1 ]; then
    sed -n 's/^# \{0,1\}//; 2,8p' "$0" >&2
    exit 2
fi
build=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/../.."
if ! command -v clang-tidy-19 > /dev/null; then
    echo "skipped: no clang-tidy-19 (apt-get install clang-tidy-19)"
    exit 77
fi
if [ ! -f "$build/compile_commands.json" ]; then
    echo "$build holds no compile_commands.json; configure it with cmake first" >&2
    exit 2
fi
if [ $# -eq 0 ]; then
    # Only what is compiled: clang-tidy guesses at anything else.
    set -- $(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
        grep -E "^$PWD/(libdynamo|daemon|cli)/" | sort -u)
fi
echo "clang-tidy: $# files"
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 clang-tidy-19 --quiet -p "$build"
