#!/usr/bin/env bash
# install_tool.sh v1: install hybrid-ai beside the sources and compile its kernels, once.
set -euo pipefail
[ "${1-}" = v1 ] || { echo "expected the version string v1, got '${1-}'" >&2; exit 1; }
cd "$(dirname "$0")/../.."
python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
# The example compiles the kernels, which no instance should pay for.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
.venv/bin/hybrid-ai demo -o "$scratch"
