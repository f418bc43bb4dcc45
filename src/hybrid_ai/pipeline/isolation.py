"""Start a module of ours in a process of its own that the environment cannot point to other files.

The process runs this file as its program, before anything of the package is imported.
"""

from __future__ import annotations

import os
import runpy
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

PACKAGE = "hybrid_ai"


def python_command(module: str) -> tuple[str, ...]:
    """The command that runs a module of ours; its arguments follow.

    Args:
        module: full name, of a module or of a package with a `__main__`.

    Sound because: the module is of the installation that this file is in, and what it imports of the standard
    library and of installed packages is theirs: Python ignores its environment variables (-E) and the working
    folder (-P); what PYTHONPATH names is looked at last, for packages that are nowhere else.
    """
    # Also given by variables, which -E hides.
    kept = {"-s": sys.flags.no_user_site, "-B": sys.flags.dont_write_bytecode}
    flags = [flag for flag, is_set in kept.items() if is_set]
    return (sys.executable, "-E", "-P", *flags, str(Path(__file__).absolute()), module)


def main() -> None:
    """Run the module that the first argument names, as `python -m` does."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path += [folder for folder in folders if folder]  # an empty one stands for the working folder
    spec = spec_from_file_location(PACKAGE, Path(__file__).absolute().parents[1] / "__init__.py")
    assert spec is not None and spec.loader is not None
    package = sys.modules[PACKAGE] = module_from_spec(spec)
    spec.loader.exec_module(package)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
