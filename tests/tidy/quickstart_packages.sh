#!/usr/bin/env bash
# Configures as ./quickstart does, with the packages that only ./check installs held away: on a bare
# machine they are missing.
#
#   quickstart_packages.sh SOURCES
set -euo pipefail
cd "$1"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The words of quickstart's own line, up to where it sends its output.
read -r -a configure < <(sed -n 's/^\(cmake --preset release[^>]*\)>.*/\1/p' quickstart)
[ "${configure[0]:-}" = cmake ] || { echo "quickstart has no line that configures"; exit 1; }
"${configure[@]}" --no-warn-unused-cli -B "$scratch" -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON \
    -DCMAKE_DISABLE_FIND_PACKAGE_rapidcheck=ON
