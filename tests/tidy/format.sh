#!/bin/sh
# Is every C++ file as clang-format-19 would write it? Names those that are not; exits with 77 where
# there is no clang-format-19.
#
#     usage: format.sh [--fix]
set -eu
cd "$(dirname "$0")/../.."
if ! command -v clang-format-19 > /dev/null; then
    echo "skipped: no clang-format-19 (apt-get install clang-format-19)"
    exit 77
fi
how="--dry-run -Werror"
[ "${1:-}" = --fix ] && how="-i"
find libdynamo daemon cli tests -name '*.h' -o -name '*.cc' | sort | xargs clang-format-19 $how
echo "formatted"
