"""The differential test: random networks with known exact optima, put to the search and both checker engines.

    python benchmarks/differential.py --count 2000 --jobs 2 --output build/differential.jsonl

One line per network goes to the output; a run that was interrupted continues where it stopped. The table
follows at the end. Beside X.jsonl lie X.summary.json and X.cases/, the files of every disagreement and of
every unknown that counts. Exit status 1: a disagreement, or too many unknowns.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.differential.judge import (
    DECISIVE,
    DELTAS,
    EXACT,
    Answer,
    Instance,
    Query,
    answers,
    make_instance,
    text_of,
    warm_up,
)

SECONDS_EACH = 10.0
SECONDS_HARD = 1.0  # where unknown is allowed, and rounding usually the reason
MOST_UNKNOWN = 0.01
LEAST_SHARE = 0.4
Record = dict[str, Any]


def seconds_for(delta: str) -> float:
    return SECONDS_EACH if delta in DECISIVE else SECONDS_HARD


def examine(seed: int, number: int, cases: Path) -> Record:
    """One network: all its queries, as a JSON object; files of what went wrong are written to `cases`."""
    start = process_time()
    instance = make_instance(seed, number)
    record: Record = {"seed": seed, "number": number, "discarded": instance is None, "queries": []}
    if instance is not None:
        record |= {"kind": instance.network.kind, "neurons": instance.network.neurons}
        record |= {"inputs": instance.network.program.n_inputs, "optimum": str(instance.value)}
        record["oracle_seconds"] = round(instance.oracle_seconds, 4)
        for query, answer in answers(instance, seed, number, seconds_for):
            record["queries"].append(_row(query, answer))
            if answer.disagreement or (answer.verdict == "unknown" and query.delta in DECISIVE):
                _save(cases, f"{seed}_{number}_{query.delta}_{_side(query)}", instance, query, answer)
    record["seconds"] = round(process_time() - start, 4)
    return record


def _side(query: Query) -> str:
    return "holds" if query.holds else "fails"


def _row(query: Query, answer: Answer) -> Record:
    return {
        "delta": query.delta,
        "side": _side(query),
        "strict": query.strict,
        "verdict": answer.verdict,
        "reason": answer.reason,
        "fast": answer.fast,
        "exact": answer.exact,
        "disagreement": answer.disagreement,
        "search_seconds": round(answer.search_seconds, 4),
        "check_seconds": round(answer.check_seconds, 4),
    }


def _save(cases: Path, name: str, instance: Instance, query: Query, answer: Answer) -> None:
    cases.mkdir(parents=True, exist_ok=True)
    (cases / f"{name}.onnx").write_bytes(instance.network.model)
    (cases / f"{name}.vnnlib").write_bytes(text_of(instance, query))
    about = _row(query, answer) | {"optimum": str(instance.value), "t": str(query.t)}
    (cases / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def read_records(path: Path, seed: int) -> list[Record]:
    """The finished lines of an earlier run; a last line that was cut off is dropped from the file."""
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    path.write_bytes(whole + b"\n" if whole else b"")
    records: list[Record] = [json.loads(line) for line in whole.splitlines()]
    if any(record["seed"] != seed for record in records):
        raise SystemExit(f"{path} holds results of another seed: choose another --output or remove it")
    return records


def run(seed: int, count: int, jobs: int, output: Path) -> list[Record]:
    """Examine the networks that the output lacks, and return all records."""
    output.parent.mkdir(parents=True, exist_ok=True)
    records = read_records(output, seed)
    done = {record["number"] for record in records}
    todo = [number for number in range(count) if number not in done]
    cases = output.with_suffix(".cases")
    begin = monotonic()
    with (
        output.open("a", encoding="utf-8") as stream,
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=warm_up) as pool,
    ):
        futures = [pool.submit(examine, seed, number, cases) for number in todo]
        try:
            for finished, future in enumerate(as_completed(futures), 1):
                record = future.result()
                records.append(record)
                stream.write(json.dumps(record) + "\n")
                stream.flush()
                _progress(finished, len(todo), monotonic() - begin)
        finally:
            pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C, don't work through the rest
    return [record for record in records if record["number"] < count]


def _progress(finished: int, total: int, seconds: float) -> None:
    if sys.stderr.isatty():
        left = seconds / finished * (total - finished)
        end = "\n" if finished == total else ""
        sys.stderr.write(f"\r{finished}/{total} networks, {seconds:.0f} s, {left:.0f} s left   {end}")
        sys.stderr.flush()


def summarize(records: list[Record]) -> Record:
    """Counts per delta and side, and whether the requirements are met."""
    rows = [query for record in records for query in record["queries"]]
    table = []
    for delta in (*DELTAS, EXACT):
        for side in ("holds", "fails"):
            here = [row for row in rows if (row["delta"], row["side"]) == (delta, side)]
            table.append({"delta": delta, "side": side} | _counts(here))
    decisive = [row for row in rows if row["delta"] in DECISIVE]
    unknown = sum(row["verdict"] == "unknown" for row in decisive) / max(1, len(decisive))
    shares = {s: sum(row["side"] == s for row in rows) / max(1, len(rows)) for s in ("holds", "fails")}
    disagreements = sum(bool(row["disagreement"]) for row in rows)
    return {
        "networks": len(records),
        "discarded": sum(record["discarded"] for record in records),
        "queries": len(rows),
        "shares": shares,
        "disagreements": disagreements,
        "unknown_share": unknown,
        "cpu_seconds": round(sum(record["seconds"] for record in records), 1),
        "oracle_seconds": round(sum(record.get("oracle_seconds", 0.0) for record in records), 1),
        "table": table,
        "passed": disagreements == 0 and unknown <= MOST_UNKNOWN and min(shares.values()) >= LEAST_SHARE,
    }


def _counts(rows: list[Record]) -> Record:
    return {
        "queries": len(rows),
        "claimed": sum(row["verdict"] == "claimed" for row in rows),
        "refuted": sum(row["verdict"] == "refuted" for row in rows),
        "unknown": sum(row["verdict"] == "unknown" for row in rows),
        "fast_rejected": sum(row["verdict"] == "claimed" and row["fast"] != "accepted" for row in rows),
        "disagreements": sum(bool(row["disagreement"]) for row in rows),
        "search_seconds": round(sum(row["search_seconds"] for row in rows), 1),
        "check_seconds": round(sum(row["check_seconds"] for row in rows), 1),
    }


def show(summary: Record) -> None:
    """The table, to standard output."""
    names = ("delta", "side", *_counts([]))
    lines = [names] + [tuple(str(row[name]) for name in names) for row in summary["table"]]
    for line in lines:
        print("  ".join(cell.rjust(max(6, len(name))) for cell, name in zip(line, names, strict=True)))
    print(
        f"{summary['networks']} networks ({summary['discarded']} discarded), {summary['queries']} queries, "
        f"{summary['disagreements']} disagreements, {100 * summary['unknown_share']:.2f} % unknown at "
        f"{' and '.join(DECISIVE)}, {summary['cpu_seconds']} CPU seconds "
        f"({summary['oracle_seconds']} of them oracle): {'passed' if summary['passed'] else 'FAILED'}"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="number of networks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--output", type=Path, default=Path("build/differential.jsonl"), help="JSON lines")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    summary = summarize(run(options.seed, options.count, options.jobs, options.output))
    path = options.output.with_suffix(".summary.json")
    path.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    show(summary)
    return 0 if summary["passed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
