#!/usr/bin/env bash
# prepare_instance.sh v1 CATEGORY ONNX VNNLIB: nothing is prepared; a non-zero status skips an unreadable instance.
set -euo pipefail
[ "${1-}" = v1 ] || { echo "expected the version string v1, got '${1-}'" >&2; exit 1; }
[ $# -ge 4 ] || { echo "usage: $0 v1 CATEGORY ONNX VNNLIB" >&2; exit 1; }
for file in "$3" "$4"; do
    [ -r "$file" ] && [ -f "$file" ] || { echo "cannot read '$file'" >&2; exit 1; }
done
