"""The stand-alone verifier: generated reproducibly, complete, isolated, and of one mind with the package."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.standalone import generate, joined, main, read_sources
from hybrid_ai.audit.verification.program import main as verify
from tests.audit_builder import AUTHOR, REVIEWER, STRANGER, Source, Writer, demo_sources, demo_writer, sha256

from tests.audit_builder import write_folder, write_zip  # isort: skip
from tests.end_to_end.command import DEMO, ROOT

BARE = (sys.executable, "-I", "-S")  # no packages, no environment variables


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("standalone") / "verify.py"
    path.write_bytes(generate())
    return path


@pytest.fixture(scope="session")
def dossier(tmp_path_factory: pytest.TempPathFactory, program: Path) -> Path:
    """A folder with the example's dossier `d`, its zip and keys to pin."""
    folder = tmp_path_factory.mktemp("dossier")
    writer = demo_writer()
    writer.files["verify.py"] = program.read_bytes()
    writer.seal()
    writer.attach("log.txt", b"flight 7")
    writer.sign("reviewer")
    files = writer.finish()
    write_folder(files, folder / "d")
    write_zip(files, folder / "d.zip")
    (folder / "trust.pem").write_bytes(AUTHOR.pem + REVIEWER.pem)
    return folder


def run(
    program: Path, *arguments: object, python: tuple[str, ...] = BARE, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*python, str(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=120,
    )


# ---- the text ----


def test_the_same_sources_give_the_same_bytes(tmp_path: Path, program: Path) -> None:
    outputs = []
    for seed in ("1", "2"):
        path = tmp_path / seed
        command = [sys.executable, "-m", "hybrid_ai.audit.standalone", "-o", str(path)]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert done.stdout == f"{sha256(path.read_bytes())}  {path}\n"
        outputs.append(path.read_bytes())
    assert outputs == [program.read_bytes()] * 2


def test_the_sources_are_unchanged_and_complete(program: Path) -> None:
    found = {}
    for node in ast.parse(program.read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(target, ast.Subscript):
            found[ast.literal_eval(target.slice)] = ast.literal_eval(node.value)
    expected = {"hybrid_ai": "", "hybrid_ai.audit": ""}
    for folder in ("checker", "audit/verification"):
        for path in (ROOT / "src/hybrid_ai" / folder).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
            expected[name] = path.read_bytes().decode()
    assert found == expected
    assert list(found) == sorted(found)


@pytest.mark.parametrize("source", ["x = '''a'''\n", "x = 1\r\n", "x = '\0'\n", "x = 1", "x = 1\\"])
def test_sources_that_would_not_stay_as_they_are(source: str) -> None:
    with pytest.raises(AuditError, match=r"^hybrid_ai\.a: "):
        joined({"hybrid_ai.a": source})


def test_odd_sources_stay_as_they_are() -> None:
    source = 'x = r"\\n\\x" + \'\\\'\' + """ä\\\n"""\n\'\'\n'
    namespace: dict[str, dict[str, str]] = {}
    head = joined({"hybrid_ai.a": source}).decode().partition("# ---- loader ----")[0]
    exec(compile(head, "verify.py", "exec"), {"__name__": "other", **namespace}, namespace)
    assert namespace["SOURCES"]["hybrid_ai.a"] == source


def test_bad_targets_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-o", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_only_what_is_held_is_imported_of_ours() -> None:
    held = read_sources()
    for name, source in held.items():
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for imported in names:
                top = imported.split(".")[0]
                fits = imported in held if top == "hybrid_ai" else top in sys.stdlib_module_names
                numpy = top == "numpy" and name.startswith("hybrid_ai.checker.fast")
                numba = imported == "numba" and name == "hybrid_ai.checker.fast_compiled"
                assert fits or numpy or numba, (name, imported)


# ---- the program ----


@pytest.mark.parametrize("name", ["d", "d.zip"])
def test_everything_is_established_without_packages(name: str, program: Path, dossier: Path) -> None:
    done = run(program, dossier / name, "--trust", dossier / "trust.pem")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("integrity: established")
    assert lines[1].startswith("authenticity: established")
    assert lines[2] == "proof: established: 3 of 3 re-proved, 1 not re-evaluated in float32"
    assert "flag" not in done.stdout  # the verify.py inside is the one that runs


def test_it_says_what_the_package_says(
    program: Path, dossier: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (sys.executable, "-P", "-m", "hybrid_ai.checker")
    assert verify([str(dossier / "d"), "--json"], command, sha256(program.read_bytes())) == 20
    expected = json.loads(capsys.readouterr().out)
    for python in (BARE, (sys.executable,)):
        done = run(program, dossier / "d", "--json", python=python)
        assert (done.returncode, json.loads(done.stdout)) == (20, expected)


def test_without_numpy_exact_judges(program: Path, dossier: Path) -> None:
    options = (program, dossier / "d", "--level", "proof", "--engine", "fast", "--json")
    for python, reason in ((BARE, "ModuleNotFoundError"), ((sys.executable, "-I"), None)):
        done = run(*options, python=python)
        assert done.returncode == 0
        fallback = json.loads(done.stdout)["proof"]["fallback"]
        assert fallback is None if reason is None else fallback.startswith(reason)


def test_a_changed_file_is_refused(program: Path, dossier: Path, tmp_path: Path) -> None:
    root = tmp_path / "d"
    subprocess.run(["cp", "-r", str(dossier / "d"), str(root)], check=True)
    readme = root / "README.md"
    readme.write_bytes(readme.read_bytes().replace(b"read", b"dead"))
    done = run(program, root)
    assert (done.returncode, done.stdout) == (
        30,
        "integrity: refused: README.md: was changed: its SHA-256 is not that of the manifest\n",
    )


def changed_leaf(source: Source) -> bytes:
    data = source.evidence or b""
    return data[:-3] + bytes([data[-3] ^ 0x40]) + data[-2:]


def moved_point(source: Source) -> bytes:
    x = source.result["counterexample"]["x"]
    return (source.evidence or b"").replace(x[0].encode(), b"120")


FORGERIES: dict[str, tuple[int, Callable[[Source], bytes], str]] = {
    "a certificate of another tree": (0, changed_leaf, "0001.certificate"),
    "a certificate cut off": (0, lambda source: (source.evidence or b"")[:100], "0001.certificate"),
    "a certificate with more": (0, lambda source: (source.evidence or b"") + b"\0", "0001.certificate"),
    "a point that does not violate": (2, moved_point, "0001.counterexample.json"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_well_signed_fails_at_proof(name: str, program: Path, tmp_path: Path) -> None:
    """Whoever signs makes integrity whole, and authenticity under the own key; proof is out of reach."""
    number, forge, where = FORGERIES[name]
    source = demo_sources()[number]
    result = json.loads(json.dumps(source.result))
    if result["counterexample"]:
        result["counterexample"]["x"][0] = "120"
    writer = Writer(STRANGER)
    writer.result(Source(source.model, source.property, forge(source), result))
    writer.seal()
    root = write_folder(writer.finish(), tmp_path / "d")
    (tmp_path / "trust.pem").write_bytes(STRANGER.pem)
    levels = ("--level", "integrity", "--level", "authenticity", "--trust", tmp_path / "trust.pem")
    assert run(program, root, *levels).returncode == 0
    done = run(program, root, "--level", "proof")
    assert done.returncode == 30
    assert done.stdout.startswith(f"proof: refused: evidence/{where}: the checker says rejected: ")


def test_the_checker_in_it_is_the_package_s(program: Path, dossier: Path) -> None:
    for evidence, claim in (
        ("0001.certificate", "braking_limit"),
        ("0002.certificate", "braking_envelope"),
        ("0003.counterexample.json", "braking_short_runway"),
        ("0001.certificate", "braking_envelope"),
    ):
        files = (DEMO / "braking.onnx", DEMO / f"{claim}.vnnlib", dossier / "d/evidence" / evidence)
        options = (*files, "--engine", "exact", "--json")
        alone = run(program, "check", *options)
        command = [sys.executable, "-m", "hybrid_ai.checker", *map(str, options)]
        package = subprocess.run(command, capture_output=True, text=True, check=False)
        assert alone.returncode == package.returncode
        first, second = json.loads(alone.stdout), json.loads(package.stdout)
        assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_nothing_else_is_imported_instead(program: Path, dossier: Path, tmp_path: Path) -> None:
    """Neither an installed hybrid_ai nor modules that lie beside the program."""
    alarm = "raise SystemExit('imported')\n"
    copy = tmp_path / "here/verify.py"
    write_folder({"verify.py": program.read_bytes(), "argparse.py": alarm.encode()}, copy.parent)
    write_folder({"hybrid_ai/__init__.py": alarm.encode()}, tmp_path / "installed")
    write_folder({"json.py": alarm.encode()}, tmp_path / "cwd")
    for name in ("json", "subprocess", "os", "posix", "numpy"):  # `os` and `posix`: what it begins with
        write_folder({f"{name}.py": alarm.encode()}, tmp_path / "cwd")
    installed = tmp_path / "installed"
    for python in ((sys.executable,), (sys.executable, "-P"), (sys.executable, "-S"), (sys.executable, "-B")):
        # An empty part, as `PYTHONPATH=/x:$PYTHONPATH` leaves, stands for the working folder.
        for variable in (f"{installed}", f"{installed}:", f":{installed}", ":", ".", f"{copy.parent}:"):
            done = subprocess.run(
                [*python, str(copy), str(dossier / "d"), "--level", "proof"],
                capture_output=True,
                text=True,
                check=False,
                cwd=tmp_path / "cwd",
                env={**os.environ, "PYTHONPATH": variable},
            )
            assert (done.returncode, done.stderr) == (0, ""), (python, variable)


def test_it_starts_itself_again_isolated(program: Path, dossier: Path, tmp_path: Path) -> None:
    """With the same arguments, without packages where it was started so, and with numpy where not."""
    files = (DEMO / "braking.onnx", DEMO / "braking_limit.vnnlib", dossier / "d/evidence/0001.certificate")
    odd = tmp_path / "a b\n'"
    odd.mkdir()
    model = odd / "-m.onnx"
    model.write_bytes(files[0].read_bytes())
    for python, status in (((sys.executable,), "valid"), ((sys.executable, "-S"), "failed")):
        done = run(program, "check", model, *files[1:], "--engine", "fast", "--json", python=python)
        assert json.loads(done.stdout)["status"] == status


def test_where_it_cannot_start_itself_again_it_says_how(program: Path) -> None:
    script = "import sys, runpy; sys.executable = ''; runpy.run_path(sys.argv[1], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", script, str(program)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "verify.py: start it as: python3 -I verify.py DOSSIER\n"


def test_from_inside_the_dossier_it_says_so(program: Path, dossier: Path) -> None:
    done = run(dossier / "d/verify.py", dossier / "d", "--level", "integrity")
    assert done.returncode == 0
    assert "this verifier came with the dossier" in done.stderr
    assert "verify.py in the dossier" in done.stdout and "no released version" in done.stdout


def test_bad_usage(program: Path) -> None:
    assert run(program).returncode == 2
    assert run(program, "check").returncode == 2
    assert run(program, "absent").returncode == 2
    helped = run(program, "--help")
    assert helped.returncode == 0 and helped.stdout.startswith("usage: verify.py")
