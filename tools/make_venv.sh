#!/usr/bin/env bash
# Makes a virtual environment in the folder given, with the newest Python of 3.10 to 3.13 found here, or with
# PYTHON_FOR_VENV. One that is there and works stays.
# A name on PATH is not enough: a version manager leaves names that do not run, so each one is asked.
set -euo pipefail

venv_dir=$1
suits='import sys, ensurepip, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))'

if "$venv_dir/bin/python" -c "$suits" >/dev/null 2>&1; then
  exit 0
fi

for name in ${PYTHON_FOR_VENV:-} python3.13 python3.12 python3.11 python3.10 python3 python; do
  if "$name" -c "$suits" >/dev/null 2>&1; then
    "$name" -m venv --clear "$venv_dir"
    exit 0
  fi
done

cat >&2 <<'TEXT'
There is no Python 3.10 to 3.13 with venv and pip here. Install one and run make again:
  Debian, Ubuntu: sudo apt-get install python3 python3-venv
  macOS:          brew install python@3.12
TEXT
exit 1
