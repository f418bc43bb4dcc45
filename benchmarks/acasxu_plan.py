"""A plan for ACAS Xu: the networks at hand, properties 1 to 8 in physical units, and a map of advisories.

    python -m benchmarks.acasxu_plan FOLDER [--cells N]

writes FOLDER/plan.toml and copies the networks beside it; HYBRID_AI_DATA names the public benchmarks. The
properties are those of Katz et al., "Reluplex" (CAV 2017), appendix; offsets and scales are those of the
networks' .nnet files.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ADVISORIES = ("COC", "WL", "WR", "SL", "SR")
HEAD = """plan = 1

[system]
id = "acas-xu"
version = "2a"
name = "ACAS Xu advisory networks"
intended_use = "Advise an unmanned aircraft how to turn away from one intruder."
exclusions = [
    "Vertical manoeuvres.",
    "More than one intruder.",
    "Errors of the sensors that estimate the inputs.",
]

[odd]
description = "Encounters with one intruder, as the networks were trained for."

[[odd.input]]
name = "rho"
unit = "ft"
minimum = 0
maximum = 60760
source = "Distance from ownship to intruder; range of the training tables."

[[odd.input]]
name = "theta"
unit = "rad"
minimum = -3.14159265359
maximum = 3.14159265359
source = "Angle to the intruder relative to the ownship's heading."

[[odd.input]]
name = "psi"
unit = "rad"
minimum = -3.14159265359
maximum = 3.14159265359
source = "Heading of the intruder relative to the ownship's."

[[odd.input]]
name = "v_own"
unit = "ft/s"
minimum = 100
maximum = 1200
source = "Speed of the ownship."

[[odd.input]]
name = "v_int"
unit = "ft/s"
minimum = 0
maximum = 1200
source = "Speed of the intruder."

[[assumption]]
id = "argmin"
text = "The system gives the advisory whose score is the lowest."

[[assumption]]
id = "switching"
text = "The network is chosen by the previous advisory and the time to loss of vertical separation."

[review]
statement = "I have read the requirements, their results and what is not covered."

[budget]
timeout = 120
"""
INTERFACE = """inputs = [
    { name = "rho", unit = "ft", offset = 19791.091, scale = 60261 },
    { name = "theta", unit = "rad", offset = 0, scale = 6.28318530718 },
    { name = "psi", unit = "rad", offset = 0, scale = 6.28318530718 },
    { name = "v_own", unit = "ft/s", offset = 650, scale = 1100 },
    { name = "v_int", unit = "ft/s", offset = 600, scale = 1200 },
]
outputs = [
    { name = "COC", unit = "1", offset = 7.5188840201, scale = 373.94992 },
    { name = "WL", unit = "1", offset = 7.5188840201, scale = 373.94992 },
    { name = "WR", unit = "1", offset = 7.5188840201, scale = 373.94992 },
    { name = "SL", unit = "1", offset = 7.5188840201, scale = 373.94992 },
    { name = "SR", unit = "1", offset = 7.5188840201, scale = 373.94992 },
]
"""
FAR = "rho >= 55947.691 and v_own >= 1145 and v_int <= 60"
TAIL = "psi <= -3.136592653590"


@dataclass(frozen=True)
class Stated:
    """A requirement of the plan; of all networks where none is named."""

    id: str
    text: str
    where: str
    require: str
    networks: Sequence[str] = ()
    source: str = "Katz et al., Reluplex, CAV 2017, appendix"


def others(*names: str) -> str:
    return ", ".join(name for name in ADVISORIES if name not in names)


REQUIREMENTS = (
    Stated(
        "phi-1",
        "A distant, much slower intruder: the score of clear-of-conflict stays low.",
        FAR,
        "COC <= 1500",
    ),
    Stated(
        "phi-2",
        "A distant, much slower intruder: clear-of-conflict never has the highest score.",
        FAR,
        f"COC < max({others('COC')})",
    ),
    Stated(
        "phi-3",
        "An intruder straight ahead that comes towards the ownship: clear-of-conflict is not advised.",
        "1500 <= rho <= 1800 and abs(theta) <= 0.06 and psi >= 3.1 and v_own >= 980 and v_int >= 960",
        f"COC > min({others('COC')})",
    ),
    Stated(
        "phi-4",
        "An intruder straight ahead that moves away more slowly: clear-of-conflict is not advised.",
        "1500 <= rho <= 1800 and abs(theta) <= 0.06 and psi == 0 and v_own >= 1000 and 700 <= v_int <= 800",
        f"COC > min({others('COC')})",
    ),
    Stated(
        "phi-5",
        "A near intruder from the left that comes towards the ownship: strong right is advised.",
        f"250 <= rho <= 400 and 0.2 <= theta <= 0.4 and {TAIL} and v_own <= 400 and v_int <= 400",
        f"SR < min({others('SR')})",
        ("1_1",),
    ),
    Stated(
        "phi-6",
        "A distant intruder that is not ahead: clear-of-conflict is advised.",
        f"rho >= 12000 and abs(theta) >= 0.7 and {TAIL}",
        f"COC < min({others('COC')})",
        ("1_1",),
    ),
    Stated(
        "phi-7",
        "With large vertical separation no strong turn is advised.",
        "",
        f"SL > min({others('SL', 'SR')}) and SR > min({others('SL', 'SR')})",
        ("1_9",),
    ),
    Stated(
        "phi-8",
        "With large vertical separation and weak left before: clear-of-conflict or weak left is advised.",
        "theta <= -2.356194490192345 and abs(psi) <= 0.1 and v_own >= 600 and v_int >= 600",
        f"min(COC, WL) < min({others('COC', 'WL')})",
        ("2_9",),
    ),
)
OBJECTIVES = (
    ("easa_concept_paper_issue_02", "DA-10"),
    ("easa_concept_paper_issue_02", "IMP-11"),
    ("iso_iec_24029_2_2023", "5.6.1/5.6.2"),
)


def plan_text(networks: Sequence[str], cells: int) -> str:
    """The plan for networks such as `1_1`, with a map of cells by cells."""
    parts = [HEAD]
    for network in networks:
        same = INTERFACE if network == networks[0] else f'like = "net-{networks[0]}"\n'
        parts.append(f'[[model]]\nid = "net-{network}"\npath = "{file_of(network)}"\n{same}')
    for stated in REQUIREMENTS:
        chosen = [network for network in stated.networks or networks if network in networks]
        if chosen:
            parts.append(_requirement(stated, chosen))
    advised = Stated(
        "advice",
        "Level speeds and headings: where clear-of-conflict is advised, and where it never is.",
        "abs(psi) <= 0.02 and 600 <= v_own <= 610 and 600 <= v_int <= 610",
        f"COC < min({others('COC')})",
        source="A cut through the domain, chosen to be drawn.",
    )
    parts.append(_requirement(advised, networks[:1]))
    parts.append(f'[requirement.coverage]\ninputs = ["rho", "theta"]\ncells = [{cells}, {cells}]\n')
    ids = [stated.id for stated in REQUIREMENTS if not stated.networks]
    for catalogue, entry in OBJECTIVES:
        named = ", ".join(f'"{each}"' for each in ids)
        parts.append(f'[[objective]]\ncatalogue = "{catalogue}"\nid = "{entry}"\nrequirements = [{named}]\n')
    return "\n".join(parts)


def _requirement(stated: Stated, networks: Sequence[str]) -> str:
    lines = ["[[requirement]]", f'id = "{stated.id}"', f'text = "{stated.text}"']
    lines += [f'source = "{stated.source}"', 'assumptions = ["argmin", "switching"]']
    named = ", ".join(f'"net-{network}"' for network in networks)
    lines.append(f"models = [{named}]")
    if stated.where:
        lines.append(f'where = "{stated.where}"')
    return "\n".join([*lines, f'require = "{stated.require}"', ""])


def file_of(network: str) -> str:
    return f"ACASXU_run2a_{network}_batch_2000.onnx"


def write_plan(data: Path, folder: Path, networks: Sequence[str], cells: int) -> Path:
    """Write the plan and copy its networks; returns the plan's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for network in networks:
        shutil.copy(data / "acasxu" / "onnx" / file_of(network), folder)
    path = folder / "plan.toml"
    path.write_text(plan_text(networks, cells), encoding="utf-8")
    return path


def networks_of(data: Path) -> list[str]:
    """The networks at hand, such as `1_1`."""
    return sorted(
        path.name.removeprefix("ACASXU_run2a_").removesuffix("_batch_2000.onnx")
        for path in (data / "acasxu" / "onnx").glob("ACASXU_run2a_*_batch_2000.onnx")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cells", type=int, default=16, help="of the map, along each axis (16)")
    options = parser.parse_args()
    data = Path(os.environ["HYBRID_AI_DATA"])
    print(write_plan(data, options.folder, networks_of(data), options.cells))


if __name__ == "__main__":
    main()
