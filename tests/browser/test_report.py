"""The report in a browser: it works, it is quiet, and it can be used without seeing it.

`make browser` installs what is needed and runs these tests; HYBRID_AI_BROWSER names the folder of that.
With HYBRID_AI_BROWSER_REQUIRED they fail where they would be skipped.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NoReturn

import pytest

from hybrid_ai.report.content import read_content
from hybrid_ai.report.page import render
from tests.unit.report import builder, sealed

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CASES = ["planned-en", "planned-fr", "unplanned-en"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def modules() -> Path:
    folder = Path(os.environ.get("HYBRID_AI_BROWSER", ROOT / "build" / "browser"))
    if not (folder / "node_modules" / "playwright-core").is_dir() or not shutil.which("node"):
        _absent(f"no node modules in {folder}: run `make browser`")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    return found or _absent("no chromium: on Debian and Ubuntu, apt-get install chromium")


@pytest.fixture(scope="session", params=CASES)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, modules: Path, chromium: str
) -> dict[str, Any]:
    """What happened when a page was used."""
    kind, language = request.param.split("-")
    folder = tmp_path_factory.mktemp(request.param)
    dossier, changed, output = folder / "dossier", folder / "changed", folder / "output"
    changes = [builder.with_checkpoint] + ([builder.without_plan] if kind == "unplanned" else [])
    builder.written(dossier, *changes)
    shutil.copytree(dossier, changed)
    (changed / "results.json").write_text("{}")
    (changed / "models" / "left.onnx").unlink()
    (changed / "models" / "new.onnx").write_text("x")
    output.mkdir()
    page = folder / "report.html"
    page.write_bytes(render(read_content(dossier, sealed.verified("reviewer")), language))
    command = ["node", str(ROOT / "tests" / "browser" / "inspect.cjs"), str(modules), chromium]
    command += [str(page), str(dossier), str(changed), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return {**result, "kind": kind, "language": language, "dossier": dossier}


def test_it_is_quiet_and_loads_nothing(found: dict[str, Any]) -> None:
    assert found["noise"] == []


def test_nothing_stands_in_the_way_of_assistive_technology(found: dict[str, Any]) -> None:
    assert found["axe"] == {"light": [], "dark": []}


def test_tables_sort_by_their_numbers(found: dict[str, Any]) -> None:
    sorting = found["sorting"]
    numbers = sorted(map(float, sorting["before"]))
    assert len(numbers) > 2 and list(map(float, sorting["before"])) != numbers
    assert list(map(float, sorting["up"])) == numbers
    assert list(map(float, sorting["down"])) == numbers[::-1]
    assert sorting["states"] == [None, "ascending", "descending", None, "ascending"]


def test_rows_are_filtered_by_verdict_and_text(found: dict[str, Any]) -> None:
    filtering = found["filtering"]
    assert {"proved", "refuted"} <= set(filtering["all"])
    assert filtering["refuted"] == [verdict for verdict in filtering["all"] if verdict == "refuted"]
    asked, rows = filtering["text"]["asked"], filtering["text"]["rows"]
    assert rows and all(asked in row for row in rows) and len(rows) < len(filtering["all"])
    assert filtering["none"] == []
    words = {"en": "Rows shown: 0 of", "fr": "Lignes affichées\u00a0: 0 sur"}[found["language"]]
    assert filtering["state"] == f"{words} {len(filtering['all'])}"
    assert filtering["articles"] and len(filtering["articles"]) < 7


def test_exports_hold_what_is_shown_with_all_digits(found: dict[str, Any]) -> None:
    filtering = found["filtering"]
    rows = list(csv.DictReader(io.StringIO(filtering["csv"]["text"], newline="")))
    records = json.loads(filtering["json"]["text"])
    assert (filtering["csv"]["name"], filtering["json"]["name"]) == ("traceability.csv", "traceability.json")
    assert len(rows) == len(records) == len(filtering["refuted"])
    assert all(record.get("verdict", "refuted") == "refuted" for record in records)
    results = json.loads((found["dossier"] / "results.json").read_text())["results"]
    verifications = list(csv.DictReader(io.StringIO(filtering["verifications"]["text"], newline="")))
    refuted = [(number, each) for number, each in enumerate(results, start=1) if each["verdict"] == "refuted"]
    exported = [(int(row["number"]), float(row["seconds"]), int(row["leaves"])) for row in verifications]
    assert exported == [(number, each["seconds"]["total"], each["leaves"]) for number, each in refuted]


def test_files_are_compared_with_the_list(found: dict[str, Any]) -> None:
    files = found["intact"]["files"]
    listed = {path for path, state in files.items() if state != "unlisted"}
    assert {files[path] for path in listed} == {"matches"} and {"results.json", "models/left.onnx"} <= listed
    log = [path for path in (found["dossier"] / "trace").rglob("*") if path.is_file()]
    assert set(files) - listed == {path.relative_to(found["dossier"]).as_posix() for path in log}
    changed = found["changed"]["files"]
    others = {path: state for path, state in changed.items() if state != files.get(path)}
    assert others == {"results.json": "differs", "models/left.onnx": "missing", "models/new.onnx": "unlisted"}
    counts = [word.strip(".:") for word in found["changed"]["total"].split() if word.strip(".:").isdigit()]
    assert counts == [str(len(listed) - 2), "1", "1", "0", str(len(files) - len(listed) + 1)]


def test_it_prints_with_everything_unfolded(found: dict[str, Any]) -> None:
    pdf = found["pdf"]
    assert pdf["head"] == "%PDF-" and pdf["bytes"] > 50_000
    assert pdf["folded"] == found["folded"] > 0


def test_the_keyboard_reaches_the_content_first(found: dict[str, Any]) -> None:
    assert found["skip"]["href"] == "#main" and found["skip"]["top"] >= 0


def test_it_fits_a_narrow_screen(found: dict[str, Any]) -> None:
    assert found["narrow"] <= 320


def test_it_can_be_read_without_scripts(found: dict[str, Any]) -> None:
    assert found["scriptless"]["tools"] == 0
    assert found["scriptless"]["tables"] > 5 and found["scriptless"]["notice"] == 1


def _absent(reason: str) -> NoReturn:
    if os.environ.get("HYBRID_AI_BROWSER_REQUIRED"):
        pytest.fail(reason)
    pytest.skip(reason)
