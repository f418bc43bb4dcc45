"""Throughput over batch size as a picture."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.files import require_writable, write_atomically

PICTURES = (".png", ".svg", ".pdf")


def require_plotting(path: Path) -> None:
    """Say before anything is measured what would keep the picture from being written.

    Raises:
        BadInput: matplotlib is missing, or the file cannot be written.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise BadInput("--plot: matplotlib is missing: pip install 'hybrid-ai[bench]'")
    if path.suffix not in PICTURES:
        raise BadInput(f"--plot {path}: the name must end in {', '.join(PICTURES)}")
    require_writable(path, "--plot")


def draw_throughput(result: dict[str, Any], path: Path) -> None:
    """Write the picture: a curve for each method and precision, dashed where error terms are left out."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    curves: dict[tuple[str, str, bool], list[tuple[int, float]]] = {}
    for row in result["rows"]:
        if row["boxes_per_cpu_second"] is not None:
            key = (row["method"], row["precision"], row["error_terms"])
            curves.setdefault(key, []).append((row["batch"], row["boxes_per_cpu_second"]))
    for (method, precision, sound), points in curves.items():
        label = f"{method}, {precision}" + ("" if sound else ", no error terms")
        axes.plot(*zip(*points, strict=True), "o-" if sound else "o--", label=label)
    axes.set(xscale="log", yscale="log", xlabel="boxes at once", ylabel="boxes per CPU second, one core")
    axes.legend(fontsize="small")
    axes.set_title(result["machine"]["cpu"])
    figure.tight_layout()
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix[1:])
    pyplot.close(figure)
    write_atomically(path, picture.getvalue())
