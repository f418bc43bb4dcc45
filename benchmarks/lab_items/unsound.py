"""An unsound prover's certificates of false properties: no engine may accept one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from benchmarks.lab_items.base import Bench, Figure, Item, Report, at_least, count, plain
from hybrid_ai.bounds import Arithmetic
from tests.soundness.unsound_prover.judge import ENGINES, judge_sound, judge_way
from tests.soundness.unsound_prover.ways import WAYS, Way

Answer = dict[str, Any]

A_WAY, SMALL_A_WAY = 30, 1
SOUND, SMALL_SOUND = 300, 5
ARITHMETICS: tuple[Arithmetic, ...] = ("real", "both")
LEAST_CERTIFICATES = 1000


def run(bench: Bench) -> Report:
    resumed = any(bench.kept(way.name) is not None for way in WAYS)
    found = {way.name: bench.once(way.name, partial(judged, bench, way)) for way in WAYS}
    wanted = SMALL_SOUND if bench.small else SOUND
    sound = {
        arithmetic: bench.once(arithmetic, partial(judged_sound, wanted, arithmetic))
        for arithmetic in ARITHMETICS
    }
    figures = (*unsound_figures(bench, found), *sound_figures(sound))
    return Report(figures, {"unsound": found, "sound": sound}, resumed)


def judged_sound(wanted: int, arithmetic: Arithmetic) -> Answer:
    return asdict(judge_sound(wanted, arithmetic))


def judged(bench: Bench, way: Way) -> Answer:
    """What became of one way's certificates; reproducers of accepted ones are kept in the item's folder."""
    tally = judge_way(way, SMALL_A_WAY if bench.small else A_WAY, bench.folder / "accepted")
    answer: Answer = {"asked": tally.asked, "claimed": tally.claimed, "accepted": tally.accepted}
    return answer | {engine: dict(tally.rules[engine]) for engine in ENGINES}


def unsound_figures(bench: Bench, found: dict[str, Answer]) -> Iterator[Figure]:
    answers = found.values()
    certificates = sum(answer["claimed"] for answer in answers)
    least = SMALL_A_WAY if bench.small else A_WAY
    yield plain("ways in which the prover was unsound", len(found))
    yield at_least("certificates of false properties", certificates, 1 if bench.small else LEAST_CERTIFICATES)
    yield at_least("least of a way", min(answer["claimed"] for answer in answers), least)
    for engine in ENGINES:
        yield count(f"refused by {engine}", sum(sum(one[engine].values()) for one in answers), certificates)
        yield plain(
            f"of these for a closing by {engine}", sum(one[engine].get("closing", 0) for one in answers)
        )
    yield count("accepted", sum(len(answer["accepted"]) for answer in answers), 0)


def sound_figures(found: Mapping[Arithmetic, Answer]) -> Iterator[Figure]:
    for arithmetic, answer in found.items():
        yield plain(f"true neighbours, {arithmetic}", answer["asked"])
        claimed = answer["claimed"]
        yield plain(f"claimed by the sound prover, {arithmetic}", claimed)
        yield count(f"accepted by both engines, {arithmetic}", answer["accepted"], claimed)


ITEM = Item("unsound", "certificates of a prover made unsound in many ways", "about 20 minutes", run)
