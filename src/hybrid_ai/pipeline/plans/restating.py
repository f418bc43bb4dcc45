"""Whether the plan of a dossier gives the verifications of the dossier, by reading and lowering it again."""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.instances import laid_out
from hybrid_ai.pipeline.plans.described import described
from hybrid_ai.pipeline.plans.reading import read_plan
from hybrid_ai.pipeline.plans.running import request_of
from hybrid_ai.pipeline.plans.verifications import Verification, verifications

Content = dict[str, Any]
PLAN_TOML, PLAN_JSON = "plan/plan.toml", "plan/plan.json"
MOST_PARENTS = 64


class Differs(Exception):
    """The plan gives something else than the dossier holds; says what."""


@dataclass(frozen=True, slots=True)
class Restated:
    """What came of reading a dossier's plan again.

    Attributes:
        verifications: how many it gives.
        difference: what the dossier has otherwise; None where nothing is.
    """

    verifications: int
    difference: str | None

    def line(self) -> str:
        """One line for people."""
        if self.difference is not None:
            return f"{PLAN_TOML}: contradicts: {self.difference}"
        return f"{PLAN_TOML}: agrees: gives {PLAN_JSON} and the {self.verifications} properties judged"


def restate(folder: Path) -> Restated | None:
    """Read the plan of a dossier again, and compare what follows from it with what was verified.

    Args:
        folder: a dossier whose integrity is established.

    Returns:
        What came of it; None where the dossier has no plan.

    Raises:
        KeyboardInterrupt: interrupted.

    Sound because: the properties are made from plan.toml again and compared byte by byte with those that
        the results name, so that a verdict is about the requirement as it was written.
    """
    if not (folder / PLAN_JSON).exists() and not (folder / PLAN_TOML).exists():
        return None
    try:
        return Restated(_compared(folder), None)
    except (Differs, BadInput) as error:
        return Restated(0, str(error))
    except OSError as error:
        return Restated(0, f"{error.filename}: {error.strerror}")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return Restated(0, f"{PLAN_TOML} or {PLAN_JSON} is none that certify made: {error!r}")


def _compared(folder: Path) -> int:
    """How many verifications agree."""
    told = json.loads((folder / PLAN_JSON).read_bytes())
    results = json.loads((folder / "results.json").read_bytes())["results"]
    source = (folder / PLAN_TOML).read_bytes()
    with tempfile.TemporaryDirectory(prefix="hybrid-ai-plan-") as name:
        place = _laid_open(folder, source, told, Path(name))
        plan = read_plan(place)
        found = verifications(plan)
        properties = Path(name) / "properties"
        properties.mkdir()
        jobs = laid_out(request_of(plan, found, properties)).jobs
        if encode(described(plan, found, jobs)) != (folder / PLAN_JSON).read_bytes():
            raise Differs(f"{PLAN_JSON} is not what the plan gives")
    if len(results) != len(found):
        raise Differs(f"the plan gives {len(found)} verifications, results.json has {len(results)}")
    for each, job, result in zip(found, jobs, results, strict=True):
        if (result["model"], result["property"]) != (job.model, job.property):
            raise Differs(f"result {job.number} is about {result['model']} and {result['property']}")
        _require_same(folder, each, job.property)
    return len(found)


def _require_same(folder: Path, verification: Verification, path: str) -> None:
    if (folder / path).read_bytes() != verification.property:
        raise Differs(f"{path} is not what requirement {verification.requirement} gives")


def _laid_open(folder: Path, source: bytes, told: Content, root: Path) -> Path:
    """Put the plan and what it names where it names it, below `root`; the plan's path."""
    wanted = list(_named(tomllib.loads(source.decode()), told))
    deepest = max((PurePosixPath(name).parts.count("..") for name, _ in wanted), default=0)
    if deepest > MOST_PARENTS:
        raise Differs(f"a path of the plan goes up {deepest} folders")
    base = root.joinpath("plan", *["below"] * deepest).resolve()
    base.mkdir(parents=True)
    (base / "plan.toml").write_bytes(source)
    for name, path in wanted:
        target = Path(base, name).resolve()
        if not target.is_relative_to(root.resolve() / "plan") or target == base / "plan.toml":
            raise Differs(f"{name!r} is no path that a plan may have")
        there = (folder / path).resolve()
        if not there.is_relative_to(folder.resolve()):
            raise Differs(f"{PLAN_JSON} names {path!r}, which is not in the dossier")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(there, target)
    return base / "plan.toml"


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
