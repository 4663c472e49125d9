#!/usr/bin/env bash
# Installs packages into a virtual environment: install_packages.sh VENV ARGUMENTS-OF-PIP-INSTALL...
# uv fetches side by side and takes a fifth of pip's time. pip itself is the way where only pip is set up for the
# network: a mirror or a proxy in its own configuration.
set -euo pipefail

python=$1/bin/python
shift

if "$python" -m pip install --quiet --disable-pip-version-check 'uv>=0.5.3' &&
  "$python" -m uv pip install --quiet --python "$python" "$@"; then
  exit 0
fi

echo "uv could not do it; trying again with pip" >&2
"$python" -m pip install --quiet --upgrade 'pip>=25.1' # the first one that knows dependency groups
"$python" -m pip install --quiet --prefer-binary "$@"
