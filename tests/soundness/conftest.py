"""The CUDA C++ kernels, built once for all that test them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soundness.host_kernels import HostKernels, build, load


@pytest.fixture(scope="session")
def kernel_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="session")
def kernels(kernel_folder: Path) -> HostKernels:
    return load(kernel_folder)
