"""What no level sees, as the page says: who holds the pinned key chooses what is claimed and left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256

from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import LEVELS, Report, verify_dossier
from hybrid_ai.audit.verification.reproof import Reprover
from hybrid_ai.pipeline.checking import COMMAND
from tests.soundness.dossier.attacks import TRUST
from tests.soundness.dossier.attacks_by_makers import SPEED, barely_real, in_property, point
from tests.soundness.dossier.attacks_on_log import left_out
from tests.soundness.dossier.conftest import Real
from tests.soundness.dossier.copies import EVIDENCE, STATEMENTS, Copy, Maker

Change = Callable[[Maker, Copy], object]


def remade(copy: Copy, real: Real, change: Change) -> Report:
    """The verdict at all levels on what the maker makes anew."""
    maker = copy.maker()
    change(maker, copy)
    copy.replace(maker.sealed().finish())
    return verify_dossier(
        open_container(copy.root),
        levels=set(LEVELS),
        trust=TRUST,
        reprover=Reprover(COMMAND, "fast"),
        own_sha256=sha256(real.verifier.read_bytes()).hexdigest(),
    )


def test_a_result_that_was_left_out(attacked: Callable[[], Copy], real: Real) -> None:
    report = remade(attacked(), real, lambda maker, copy: left_out(maker))
    assert report.established and report.proof is not None
    assert report.proof.reproved == STATEMENTS[:2]


def test_a_weaker_property(attacked: Callable[[], Copy], real: Real) -> None:
    """A true claim, if a smaller one: the certificate shows it."""
    report = remade(attacked(), real, in_property(1, b"Y_0 1400.0", b"Y_0 9400.0"))
    assert report.established and report.flags == ()


def real_alone(maker: Maker, copy: Copy) -> None:
    barely_real(maker, 1)
    maker.results[0]["arithmetics"] = {"real": "proved"}


def test_what_is_shown_over_the_reals_may_be_claimed_so(attacked: Callable[[], Copy], real: Real) -> None:
    """The other side of the attack that calls it float32 as well."""
    report = remade(attacked(), real, real_alone)
    assert report.established and report.proof is not None
    assert STATEMENTS[0] in report.proof.reproved


def unclaimed(maker: Maker, copy: Copy) -> None:
    """What was refuted is called unknown."""
    del maker.files[EVIDENCE[2]]
    verdicts = {"verdict": "unknown", "arithmetics": {"real": "unknown", "float32": "unknown"}}
    maker.results[2].update(verdicts, evidence=None, counterexample=None)
    maker.entries[4].update(verdict="unknown", outputs=[])


def test_a_refutation_that_is_called_unknown(attacked: Callable[[], Copy], real: Real) -> None:
    report = remade(attacked(), real, unclaimed)
    assert report.established and report.proof is not None
    assert report.proof.unclaimed == (STATEMENTS[2],)
    assert "1 unknown" in report.levels[2].detail


def only_float32(maker: Maker, copy: Copy) -> None:
    """A point that does not violate is called a violation in float32 alone."""
    point(SPEED, "110.5")(maker, copy)
    result = maker.results[2]
    result["arithmetics"] = {"real": "unknown", "float32": "refuted"}
    result["counterexample"]["violates"] = {"real": False, "float32": True}
    content = json.loads(maker.files[EVIDENCE[2]])
    content["arithmetic"] = {"real": False, "float32": True}
    maker.change(EVIDENCE[2], json.dumps(content, indent=2).encode())


def test_a_counterexample_in_float32_alone_is_named(attacked: Callable[[], Copy], real: Real) -> None:
    report = remade(attacked(), real, only_float32)
    assert report.proof is not None
    assert report.proof.not_reevaluated == (STATEMENTS[2],)
    assert STATEMENTS[2] not in report.proof.reproved
    assert not report.established and not report.levels[2].established
    assert "2 of 3 re-proved, 1 not re-evaluated in float32; neither" in report.levels[2].detail


def other_verifier(maker: Maker, copy: Copy) -> None:
    maker.files["verify.py"] += b"sys.exit(0)\n"


def test_an_edited_verifier_is_reported(attacked: Callable[[], Copy], real: Real) -> None:
    found = sha256(real.verifier.read_bytes() + b"sys.exit(0)\n").hexdigest()
    report = remade(attacked(), real, other_verifier)
    expected = f"verify.py in the dossier (SHA-256 {found}) is of no released version: do not run it"
    assert report.flags == (expected,)
    assert remade(attacked(), real, lambda maker, copy: None).flags == ()


def other_description(maker: Maker, copy: Copy) -> None:
    for name in ("ro-crate-metadata.json", "README.md"):
        assert b"refuted" in maker.files[name]
        maker.files[name] = maker.files[name].replace(b"refuted", b"proved")


def test_descriptions_say_nothing_about_verdicts(attacked: Callable[[], Copy], real: Real) -> None:
    assert remade(attacked(), real, other_description).established


def test_empty_folders_are_not_looked_at(attacked: Callable[[], Copy], real: Real) -> None:
    copy = attacked()
    (copy.root / ".git" / "hooks").mkdir(parents=True)
    assert verify_dossier(open_container(copy.root), levels={"integrity"}, trust={}).established
