#!/usr/bin/env bash
# run_instance.sh v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT: verify one instance; the verdict goes to RESULTS.
# The environment variable HYBRID_AI names another command than the one install_tool.sh installs.
set -uo pipefail
[ "${1-}" = v1 ] || { echo "expected the version string v1, got '${1-}'" >&2; exit 1; }
[ $# -eq 6 ] || { echo "usage: $0 v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT" >&2; exit 1; }
onnx=$3 vnnlib=$4 results=$5 timeout=$6
command=${HYBRID_AI:-$(dirname "$0")/../../.venv/bin/hybrid-ai}

rm -f -- "$results"
"$command" verify "$onnx" "$vnnlib" --arithmetic real --timeout "$timeout" --results-file "$results" &
child=$!
# Handed on, so that the results file is written before the end.
trap 'kill -TERM "$child" 2>/dev/null' TERM INT
wait "$child"
status=$?
while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    status=$?
done
# proved, refuted and unknown are all results
case $status in
    0 | 10 | 20) exit 0 ;;
    *) exit "$status" ;;
esac
