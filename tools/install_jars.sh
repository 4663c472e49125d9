#!/usr/bin/env bash
# Copies the jars of a local cluster into the cache of milvuslab, each program's below a folder with its version:
# install_jars.sh FOLDER-OF-POM... One run of Maven for each that is not there yet; a broken run leaves nothing behind.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache_dir=${MILVUSLAB_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/milvuslab}

if ! command -v mvn >/dev/null; then
  echo "not here: mvn, which fetches $*; a cluster needs them, and tests of it are skipped with the reason." >&2
  exit 0
fi

for name in "$@"; do
  pom=$here/$name/pom.xml
  version=$(sed -n 's:^  <version>\(.*\)</version>$:\1:p' "$pom")
  goal=$cache_dir/$name/$version
  if [[ -d $goal/libs ]]; then
    continue
  fi
  echo "fetching $name $version"
  mkdir -p "$cache_dir/$name"
  partial=$(mktemp -d "$cache_dir/$name/.partial-XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  if ! mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$partial/libs"; then
    echo "not fetched: $name $version; a cluster needs it, and tests of it are skipped with the reason." >&2
    rm -rf "$partial"
    continue
  fi
  # Somebody else may have been quicker.
  [[ -d $goal ]] || mv "$partial" "$goal"
done
