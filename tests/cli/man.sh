#!/bin/sh
# Lints every manual page. Exits with 77 where mandoc is not installed.
command -v mandoc >/dev/null || exit 77
mandoc -T lint -W warning "$1"/*.[1-9]
