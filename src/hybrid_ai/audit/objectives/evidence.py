"""The kinds of evidence that objectives may ask for: what each means, and where a dossier offers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

# "verifications": decided results of the requirements offer it; "dossier": every dossier of a plan does.
Producer = Literal["verifications", "dossier", "not offered"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A kind of evidence.

    Attributes:
        tag: its name in catalogues.
        meaning: what it is, one sentence.
        producer: what offers it.
        remark: where it is found in a dossier and what it does not show; or why it is not offered.
    """

    tag: str
    meaning: str
    producer: Producer
    remark: str


_BY_VERIFICATIONS = (
    (
        "reach_cert",
        "A requirement on the outputs is decided on its part of the domain: a certificate proves it, or a "
        "counterexample refutes it.",
        "The evidence of verifications of `require` and `property`, those of single cells included; not "
        "that the requirement is the right one.",
    ),
    (
        "robust_cert",
        "Local robustness is decided around given samples: within the radius the label keeps the largest "
        "output, or a counterexample shows where it does not.",
        "The evidence of verifications of `samples`; nothing beyond the radius of the samples given.",
    ),
    (
        "stability_cert",
        "A requirement that bounds the behaviour is decided cell by cell over a map of the domain.",
        "The evidence of verifications of `coverage`; cells that stay unknown are not covered, and what "
        "counts as stable is what the requirement says.",
    ),
    (
        "float_bound",
        "The verdict is about what is computed in float32 too, with its rounding and in any order of sums.",
        "Verdicts in float32 arithmetic, proved or refuted; no TF32, half precision or quantised products, "
        "no faults of hardware.",
    ),
    (
        "attack",
        "A search for violations found an input of the domain that violates the requirement.",
        "Counterexamples of refuted verifications; a search that found none is not offered.",
    ),
    (
        "replay",
        "A verification can be run again from what is recorded (files, parameters, seed, version), and its "
        "verdict compared.",
        "`dossier replay` for decided verifications; it repeats neither training nor operation.",
    ),
)

_BY_THE_DOSSIER = (
    (
        "odd_spec",
        "The operational design domain is stated: bounds and units of every input, constraints among them.",
        "`[odd]` of the plan (`plan/plan.json`); not that the system will only be used inside it.",
    ),
    (
        "model_desc",
        "Each model is described: its inputs and outputs with names, shapes and units, its operations, its "
        "intended use, its SHA-256.",
        "The model cards in `bom.cdx.json`, and `plan/plan.json`; not how the model was made.",
    ),
    (
        "onnx_profile",
        "The ONNX operations of each model are listed.",
        "The operations in the model cards in `bom.cdx.json`; not how a runtime implements them.",
    ),
    (
        "sbom",
        "A bill of materials lists the models, the properties and the software that verified them.",
        "`bom.cdx.json`; not the software that a model was trained or is operated with.",
    ),
    (
        "signature",
        "Results, files and statements of reviewers are signed, and the log of what was done is sealed.",
        "`evidence/*.dsse.json`, `signatures/`, the checkpoints; it shows which key signed, not that its "
        "holder is independent.",
    ),
    (
        "config",
        "Every file of the dossier is identified by its SHA-256 in one manifest that is signed.",
        "`dossier.json`; it describes one state, changes show when two dossiers are compared.",
    ),
    (
        "gsn",
        "An argument leads from the system's claim over the requirements to the evidence, with what is "
        "undeveloped and what is defeated.",
        "`argument.jsonld`; drawn from plan and results, it argues nothing that the plan does not state.",
    ),
)

_NOT_OFFERED = (
    (
        "sens_cert",
        "How much outputs can change with single inputs is proved.",
        "There is no such requirement.",
    ),
    ("relevance_cert", "Which inputs an output depends on is proved.", "There is no such requirement."),
    (
        "constraint_proof",
        "Written rules are proved consistent, or to hold for a layer that enforces them.",
        "Rules are not proved; formulas of a plan are verified on the models alone.",
    ),
    ("lipschitz_cert", "A Lipschitz constant of the model is proved.", "None is computed."),
    ("corruption", "Performance under natural corruptions of inputs is measured.", "No data are evaluated."),
    ("metrics", "Performance on a data set is measured.", "No data are evaluated."),
    (
        "conformal",
        "Sets of outputs with a guaranteed rate of coverage are calibrated on data.",
        "No data are evaluated.",
    ),
    ("ood_monitor", "A monitor detects inputs unlike the data of development.", "There is no monitor."),
    (
        "odd_monitor",
        "A monitor detects inputs outside the operational design domain.",
        "There is no monitor.",
    ),
    ("out_monitor", "A monitor detects outputs outside their boundaries.", "There is no monitor."),
    ("xai_formal", "Explanations of outputs are proved.", "There are no explanations."),
    ("xai_metrics", "The quality of explanations is measured.", "There are no explanations."),
    ("fair_metrics", "Differences between groups are measured on data.", "No data are evaluated."),
    (
        "fair_cert",
        "It is proved that outputs do not depend on protected attributes.",
        "There is no such requirement.",
    ),
    ("data_profile", "Data sets are described and compared with the domain.", "No data are evaluated."),
    ("split_check", "Data sets are shown to be disjoint and independent.", "No data are evaluated."),
    ("label_check", "The quality of labels is examined.", "No data are evaluated."),
    (
        "train_record",
        "It is recorded how a model was trained, so that training can be repeated.",
        "Models are taken as given.",
    ),
    (
        "conversion_equiv",
        "A converted model is shown to compute what its source computes.",
        "Models are taken as given, in ONNX; the source is not compared.",
    ),
    ("runtime_log", "What happens in operation is recorded.", "A dossier is made before operation."),
    (
        "tool_qual",
        "The tool that verifies is qualified for its use, its class of method stated.",
        "The tool is not qualified. Its class of method: verification with knowledge of the model, by bound "
        "propagation and splitting, in real and float32 arithmetic; sound, each proof being accepted by a "
        "separate checker, and incomplete, for it may end unknown.",
    ),
    (
        "risk_layer",
        "A layer at run time constrains outputs or falls back when they are not acceptable.",
        "Models are verified alone; there is no such layer.",
    ),
)


def _entries() -> Iterator[Evidence]:
    for tag, meaning, remark in _BY_VERIFICATIONS:
        yield Evidence(tag, meaning, "verifications", remark)
    for tag, meaning, remark in _BY_THE_DOSSIER:
        yield Evidence(tag, meaning, "dossier", remark)
    for tag, meaning, remark in _NOT_OFFERED:
        yield Evidence(tag, meaning, "not offered", remark)


EVIDENCE: Mapping[str, Evidence] = MappingProxyType({entry.tag: entry for entry in _entries()})
