"""Names of files that mean the same on every system."""

import re
from collections.abc import Iterable

from hybrid_ai.audit.verification.rejected import Refused

PARTS_LIMIT = 16
FILES_LIMIT = 100_000
FILE_SIZE_LIMIT = 2**31
TOTAL_SIZE_LIMIT = 2**35

_PART = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,120}(?<!\.)")


def is_portable(name: str) -> bool:
    """Say whether a name is one that a dossier may hold (section 2 of the format page).

    Sound because: absolute names, "..", backslashes, control characters and letters that look alike all fail,
    so that no name leads out of the folder or passes for another.
    """
    parts = name.split("/")
    return len(parts) <= PARTS_LIMIT and all(map(_PART.fullmatch, parts))


def require_portable(name: str) -> None:
    """Require a name that a dossier may hold.

    Raises:
        Refused: "integrity".
    """
    if not is_portable(name):
        raise Refused(
            "integrity",
            name if len(name) <= 200 else f"{name[:200]}...",
            f"no name for a file of a dossier: at most {PARTS_LIMIT} parts of 1 to 120 characters of "
            "A-Z a-z 0-9 . _ -, without a dot at either end; rename or remove it",
        )


def require_distinct(names: Iterable[str]) -> None:
    """Require names of which no two are one file, or file and folder, where letters' case is ignored.

    Args:
        names: portable, in any order.

    Raises:
        Refused: "integrity", naming the later one of the two.
    """
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        if name.lower() in files:
            raise Refused("integrity", name, f"is one name with {files[name.lower()]} but for letters' case")
        files[name.lower()] = name
        parts = name.split("/")
        for count in range(1, len(parts)):
            folder = "/".join(parts[:count])
            if folders.setdefault(folder.lower(), folder) != folder:
                other = folders[folder.lower()]
                raise Refused("integrity", name, f"the folder {other} is there in another case of letters")
    for folder in folders:
        if folder in files:
            raise Refused("integrity", files[folder], "is a file and a folder")
