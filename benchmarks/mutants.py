"""Mutants of a Python module: every small change that a test suite should notice, made on the syntax tree."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

# Only texts of errors are made in calls of these; mutants in their arguments change no decision.
MESSAGES = {"fail", "malformed", "unsupported", "Rejected", "Malformed", "Unsupported", "_defect"}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Div: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
# Names swapped in calls and where they are passed on (`map(max, ...)`).
SWAPPED = {"min": "max", "floor": "ceil", "maximum": "minimum", "fmax": "fmin", "any": "all"}
SWAPPED |= {new: old for old, new in SWAPPED.items()}
TRANSPARENT = {"abs", "reversed", "sorted", "in_range", "set"}  # f(x) -> x
SHORTEST_CONTEXT = 30
SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "bases"}
# zip(strict=True) is a second fence: without it lengths that always agree still agree.
SKIPPED_KEYWORDS = {"strict", "dtype", "out"}


@dataclass(frozen=True)
class Mutant:
    """One change: `parent.field` (at `index` of a list, else None) becomes `node`.

    `name` is "function: before -> after", stable when lines move; `function` is a dotted name, empty for
    module level.
    """

    name: str
    function: str
    line: int
    operator: str
    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST

    def apply(self) -> None:
        """Change the tree in place."""
        if self.index is None:
            setattr(self.parent, self.field, self.node)
        else:
            getattr(self.parent, self.field)[self.index] = self.node


def mutants(tree: ast.Module) -> list[Mutant]:
    """All mutants of a module in source order; each refers to this very tree."""
    found: list[Mutant] = []
    seen: Counter[str] = Counter()
    for parent, field, index, node, chain in _places(tree, ()):
        function = ".".join(n.name for n in chain if isinstance(n, ast.FunctionDef | ast.ClassDef))
        for operator, new in _variants(node, parent, field):
            for part in ast.walk(new):
                if "lineno" in part._attributes and not hasattr(part, "lineno"):
                    ast.copy_location(part, node)
            ast.copy_location(new, node)
            name = f"{function}: {_texts(parent, field, index, node, new, chain)}"
            seen[name] += 1
            if seen[name] > 1:
                name += f" ({seen[name]})"
            found.append(Mutant(name, function, node.lineno, operator, parent, field, index, new))
    return found


_Place = tuple[ast.AST, str, "int | None", "ast.expr | ast.stmt", tuple[ast.AST, ...]]


def _places(parent: ast.AST, chain: tuple[ast.AST, ...]) -> Iterator[_Place]:
    """Expressions and statements that may be changed, with what holds them (outermost first)."""
    for field, held in ast.iter_fields(parent):
        if field in SKIPPED_FIELDS:
            continue
        for index, node in enumerate(held) if isinstance(held, list) else [(None, held)]:
            if not isinstance(node, ast.expr | ast.stmt) or _is_skipped(node, parent):
                continue
            yield parent, field, index, node, (*chain, parent)
            if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and _called(node) in MESSAGES):
                continue
            yield from _places(node, (*chain, parent))
        for part in held if isinstance(held, list) else ():
            if isinstance(part, ast.comprehension) or (
                isinstance(part, ast.keyword) and part.arg not in SKIPPED_KEYWORDS
            ):
                yield from _places(part, (*chain, parent))


def _is_skipped(node: ast.AST, parent: ast.AST) -> bool:
    """Docstrings, formatted texts, imports, and module-level assignments that are no constants."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(parent, ast.Module) and isinstance(node, ast.Assign):
        target = node.targets[0]
        return not (isinstance(target, ast.Name) and target.id.isupper())
    return False


def _called(node: ast.Call) -> str:
    target = node.func
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _texts(
    parent: ast.AST, field: str, index: int | None, old: ast.AST, new: ast.AST, chain: tuple[ast.AST, ...]
) -> str:
    """`before -> after` of the smallest part of the statement that is long enough to be recognised."""
    if isinstance(old, ast.stmt):
        return f"{_header(old)} -> {_header(new)}"
    anchor: ast.AST = old
    for outer in reversed(chain):
        if isinstance(outer, ast.keyword | ast.comprehension):
            continue
        if isinstance(anchor, ast.stmt) or not isinstance(outer, ast.expr | ast.stmt):
            break
        if anchor is not old and len(_header(anchor)) >= SHORTEST_CONTEXT:
            break
        anchor = outer
    before = _header(anchor)
    Mutant("", "", 0, "", parent, field, index, new).apply()
    after = _header(anchor if anchor is not old else new)
    Mutant("", "", 0, "", parent, field, index, old).apply()
    return f"{before} -> {after}"


def _header(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While | ast.For | ast.With | ast.Try | ast.FunctionDef | ast.ClassDef):
        node = copy.copy(node)
        node.body = [ast.Pass()]
        if hasattr(node, "orelse"):
            node.orelse = []
        return ast.unparse(ast.fix_missing_locations(node)).split("\n")[0]
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())


def _changed(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for field, value in fields.items():
        setattr(new, field, value)
    return new


def _plus(node: ast.expr, number: int) -> ast.expr:
    return ast.BinOp(node, ast.Add() if number > 0 else ast.Sub(), ast.Constant(abs(number)))


def _variants(node: ast.AST, parent: ast.AST, field: str) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.stmt):
        yield from _of_statement(node, parent, field)
    elif isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            for new in COMPARISONS[type(operator)]:
                yield "comparison", _changed(node, ops=[*node.ops[:i], new(), *node.ops[i + 1 :]])
    elif isinstance(node, ast.BoolOp):
        yield "and/or", _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for i in range(len(node.values)):
            left = [*node.values[:i], *node.values[i + 1 :]]
            yield "condition dropped", left[0] if len(left) == 1 else _changed(node, values=left)
    elif isinstance(node, ast.BinOp):
        yield from _of_operation(node)
    elif isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.USub | ast.Not | ast.Invert):
            yield "sign" if isinstance(node.op, ast.USub) else "not", node.operand
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        name = node.id if isinstance(node, ast.Name) else node.attr
        if name in SWAPPED:
            yield "swapped", _changed(node, **{"id" if isinstance(node, ast.Name) else "attr": SWAPPED[name]})
        if name == "inf":
            yield "sign", ast.UnaryOp(ast.USub(), node)
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield from _of_index(node)
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node)
    if isinstance(node, ast.expr) and field == "test" and not isinstance(parent, ast.Assert):
        values = (False,) if isinstance(parent, ast.While) else (True, False)
        for value in values:
            yield "condition", ast.Constant(value)
    if isinstance(node, ast.expr) and field == "ifs":
        yield "condition", ast.Constant(True)


def _of_statement(node: ast.stmt, parent: ast.AST, field: str) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(parent, ast.Module | ast.ClassDef):
        return
    if isinstance(node, ast.Raise | ast.Continue | ast.Break | ast.Expr | ast.AugAssign | ast.Delete) or (
        isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
    ):
        yield "statement dropped", ast.Pass()
    elif isinstance(node, ast.Return) and not isinstance(parent, ast.FunctionDef):
        yield "statement dropped", ast.Pass()
    if isinstance(node, ast.Break):
        yield "break", ast.Continue()
    if isinstance(node, ast.Continue):
        yield "continue", ast.Break()
    if isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
        for new in OPERATORS[type(node.op)]:
            yield "operator", _changed(node, op=new())


def _of_operation(node: ast.BinOp) -> Iterator[tuple[str, ast.AST]]:
    for new in OPERATORS.get(type(node.op), ()):
        yield "operator", _changed(node, op=new())
    if isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.BitXor | ast.Mod):
        yield "operand dropped", node.left
    if isinstance(node.op, ast.Add | ast.Mult):
        yield "operand dropped", node.right
    if isinstance(node.op, ast.FloorDiv | ast.RShift):
        inner = ast.BinOp(ast.UnaryOp(ast.USub(), node.left), node.op, node.right)
        yield "rounding", ast.UnaryOp(ast.USub(), inner)
    if isinstance(node.op, ast.LShift | ast.RShift):
        for step in (1, -1):
            yield "shift", _changed(node, right=_plus(node.right, step))
    if isinstance(node.op, ast.Pow) and isinstance(node.left, ast.Constant):
        yield "constant", ast.Constant(0.0)


def _of_call(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    name = _called(node)
    if name in TRANSPARENT and len(node.args) == 1:
        yield "call dropped", node.args[0]
    if name == "sane":
        yield "call dropped", node.args[0]
    if name == "range":
        first, last = (node.args[0], node.args[1]) if len(node.args) > 1 else (ast.Constant(0), node.args[0])
        rest = node.args[2:]
        for start, stop in ((first, _plus(last, -1)), (first, _plus(last, 1)), (_plus(first, 1), last)):
            yield "range", _changed(node, args=[start, stop, *rest])


def _of_index(node: ast.Subscript) -> Iterator[tuple[str, ast.AST]]:
    where = node.slice
    if isinstance(where, ast.Slice):
        for end in ("lower", "upper"):
            value = getattr(where, end)
            if value is not None:
                for step in (1, -1):
                    yield "slice", _changed(node, slice=_changed(where, **{end: _plus(value, step)}))
                yield "slice", _changed(node, slice=_changed(where, **{end: None}))
    elif isinstance(where, ast.Name | ast.BinOp | ast.Attribute):
        for step in (1, -1):
            yield "index", _changed(node, slice=_plus(where, step))


def _of_constant(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    value = node.value
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int):
        yield "constant", ast.Constant(value + 1)
        yield "constant", ast.Constant(value - 1)
    elif isinstance(value, float):
        yield "constant", ast.Constant(0.0)
        yield "constant", ast.Constant(value * 2 if value else 1.0)
