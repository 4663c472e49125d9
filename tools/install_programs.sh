#!/usr/bin/env bash
# Installs the programs outside pip that the test suite uses, where this machine allows it; elsewhere prints what to
# install and ends well. Quick when everything is there.
set -euo pipefail

missing=()

# need PACKAGE COMMAND...: the Debian package is missing when the command fails.
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

has_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
has_korean_font() { fc-list ':lang=ko' family | grep -q .; }
has_java() { java -version 2>&1 | grep -Eq 'version "(1[7-9]|[2-9][0-9])'; } # Kafka 3.9 and S3Proxy run on 17 and later

need chromium has_browser
need fontconfig command -v fc-list
need fonts-noto-cjk has_korean_font
need npm command -v npm
need etcd-server command -v etcd
need default-jre-headless has_java
need maven command -v mvn

if ((${#missing[@]} == 0)); then
  exit 0
fi

as_root=()
if [[ $(id -u) != 0 ]]; then
  as_root=(sudo -n)
fi

if command -v apt-get >/dev/null && { [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null; }; then
  echo "installing ${missing[*]}"
  install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends)
  if "${install[@]}" "${missing[@]}" >/dev/null 2>&1; then
    exit 0
  fi
  # The package lists may be missing or old.
  if "${as_root[@]}" apt-get update --quiet >/dev/null && "${install[@]}" "${missing[@]}" >/dev/null; then
    exit 0
  fi
fi

echo "not here: ${missing[*]}; tests that need them are skipped with the reason." >&2
echo "On Debian and Ubuntu: sudo apt-get install ${missing[*]}" >&2
