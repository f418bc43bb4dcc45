"""Whether the plan of a dossier gives the verifications of the dossier, by reading and lowering it again."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.pipeline.documents import ASSESSMENT, PLAN, RESULTS, read_documents
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.files import require_regular
from hybrid_ai.pipeline.instances import Layout, laid_out
from hybrid_ai.pipeline.plans.assessment import require_assessment
from hybrid_ai.pipeline.plans.described import described
from hybrid_ai.pipeline.plans.reading import LARGEST_PLAN, parsed_plan, read_plan
from hybrid_ai.pipeline.plans.running import request_of
from hybrid_ai.pipeline.plans.verifications import verifications

Content = dict[str, Any]
Agreement = Literal["agrees", "contradicts", "cannot be read again"]
SOURCE = "plan/plan.toml"
MOST_PARENTS = 64


class Differs(Exception):
    """The plan gives something else than the dossier holds; says what."""


class Unreadable(Exception):
    """This version refuses the plan; says why."""


@dataclass(frozen=True, slots=True)
class Restated:
    """What came of reading a dossier's plan again.

    Attributes:
        agreement: "agrees"; "contradicts": something does not follow from the plan; "cannot be read again":
            this version refuses the plan, which an older one may have taken.
        detail: what was found.
    """

    agreement: Agreement
    detail: str

    def line(self) -> str:
        """One line for people."""
        return f"{SOURCE}: {self.agreement}: {self.detail}"


def restate(folder: Path) -> Restated | None:
    """Read the plan of a dossier again, and compare what follows from it with what was verified.

    Args:
        folder: a dossier whose integrity is established.

    Returns:
        What came of it; None where the dossier is no certification of a plan.

    Raises:
        OSError: there is no room for copies of the models, or a file cannot be read.
        KeyboardInterrupt: interrupted.

    Sound because: the properties are made from plan.toml again and compared byte by byte with those that
        the results name, and so are the parameters of each result and the assessment: a verdict is about the
        requirement as it was written.
    """
    there = [name for name in (SOURCE, PLAN, ASSESSMENT) if (folder / name).exists()]
    if not there or json.loads((folder / "dossier.json").read_bytes())["kind"] != "certification":
        return None
    try:
        count = _compared(folder)
    except Unreadable as error:
        return Restated("cannot be read again", f"{error}; use the version of the tool that made it")
    except (Differs, BadInput) as error:
        return Restated("contradicts", str(error))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return Restated("contradicts", f"it or {PLAN} is none that certify made: {error!r}")
    return Restated("agrees", f"gives {PLAN}, {ASSESSMENT} and the {count} properties judged")


def _compared(folder: Path) -> int:
    """How many verifications agree."""
    documents = read_documents(open_container(folder))
    if missing := [name for name in (PLAN, ASSESSMENT) if name not in documents]:
        raise Differs(f"{missing[0]} is missing")
    require_assessment(documents)
    with tempfile.TemporaryDirectory(prefix="hybrid-ai-plan-") as name:
        root = Path(name).resolve()
        place = _laid_open(folder, documents[PLAN], root / "plan")
        try:
            plan = read_plan(place)
        except BadInput as error:
            raise Unreadable(str(error).replace(f"{place.parent}/", "")) from error
        found = verifications(plan)
        properties = root / "properties"
        properties.mkdir()
        layout = laid_out(request_of(plan, found, properties))
        if encode(described(plan, found, layout.jobs)) != (folder / PLAN).read_bytes():
            raise Differs(f"{PLAN} is not what the plan gives")
    _compare_results(layout, documents[RESULTS]["results"])
    for each, job in zip(found, layout.jobs, strict=True):
        if (folder / job.property).read_bytes() != each.property:
            raise Differs(f"{job.property} is not what requirement {each.requirement} gives")
    return len(found)


def _compare_results(layout: Layout, results: Sequence[Content]) -> None:
    if len(results) != len(layout.jobs):
        raise Differs(f"the plan gives {len(layout.jobs)} verifications, {RESULTS} has {len(results)}")
    for job, result in zip(layout.jobs, results, strict=True):
        if (result["model"], result["property"]) != (job.model, job.property):
            raise Differs(f"result {job.number} is about {result['model']} and {result['property']}")
        if result["parameters"] != layout.asked(job):
            raise Differs(f"result {job.number} has other parameters: {result['parameters']}")


def _laid_open(folder: Path, told: Content, root: Path) -> Path:
    """Put the plan and what it names where it names it, below `root`; the plan's path."""
    try:
        require_regular(folder / SOURCE, LARGEST_PLAN)
        source = (folder / SOURCE).read_bytes()
        data, _ = parsed_plan(Path(SOURCE), source)
    except BadInput as error:
        raise Unreadable(str(error)) from error
    wanted = list(_named(data, told))
    deepest = max((PurePosixPath(name).parts.count("..") for name, _ in wanted), default=0)
    if deepest > MOST_PARENTS:
        raise Differs(f"a path of the plan goes up {deepest} folders")
    base = root.joinpath(*["below"] * deepest)
    base.mkdir(parents=True)
    (base / "plan.toml").write_bytes(source)
    for name, path in wanted:
        there = (folder / path).resolve()
        if not there.is_relative_to(folder.resolve()) or not there.is_file():
            raise Differs(f"{PLAN} names {path!r}, which is no file of the dossier")
        target = _target(base, name, root)
        if not target.exists():
            shutil.copyfile(there, target)
    return base / "plan.toml"


def _target(base: Path, name: str, root: Path) -> Path:
    """Where a path of a plan in `base` leads to; the folders on the way are made."""
    place = base
    *folders, last = PurePosixPath(name).parts
    for part in folders:
        place = (place / part).resolve()
        if not place.is_relative_to(root):
            raise Differs(f"{name!r} is no path that a plan may have")
        place.mkdir(exist_ok=True)
    if last == ".." or place / last == base / "plan.toml":
        raise Differs(f"{name!r} is no path that a plan may have")
    return place / last


def _named(plan: Mapping[str, Any], told: Content) -> Iterator[tuple[str, str]]:
    """The paths that a plan names, and where in the dossier these files are."""
    paths = {each["id"]: each["path"] for each in told["models"]}
    for model in plan["model"]:
        yield model["path"], paths[model["id"]]
    requirements = {each["id"]: each for each in told["requirements"]}
    for requirement in plan["requirement"]:
        there = requirements[requirement["id"]]
        if "property" in requirement:
            yield requirement["property"], _path_of(told["verifications"], there["verifications"])
        if "samples" in requirement:
            yield requirement["samples"]["file"], there["samples"]["path"]


def _path_of(rows: Sequence[Content], numbers: Sequence[int]) -> str:
    """The property of the first of these verifications."""
    path: str = rows[numbers[0] - 1]["path"]
    return path
