#!/bin/sh
# Install what the browser tests need into FOLDER: axe-core and playwright-core, as package-lock.json pins them.
# The browser is the system's own: on Debian and Ubuntu, apt-get install chromium.
set -eu
folder=${1:?usage: setup.sh FOLDER}
here=$(dirname "$0")
for program in node npm; do
  command -v "$program" >/dev/null || { echo "$program is missing: apt-get install nodejs npm" >&2; exit 1; }
done
mkdir -p "$folder"
cp "$here/package.json" "$here/package-lock.json" "$folder/"
npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent
