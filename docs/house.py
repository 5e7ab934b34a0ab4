"""The size and shape of the house, as docs/architecture.md states it.

python docs/house.py            print the table
python docs/house.py --write    put it into docs/architecture.md
"""

from __future__ import annotations

import ast
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "architecture.md"
BEGIN, END = "<!-- house: begin -->", "<!-- house: end -->"

LONGEST_FUNCTION = 60
LONGEST_MODULE = 400
MOST_PARAMETERS = 8
LONGEST_LINE = 100


@dataclass(frozen=True, kw_only=True)
class House:
    """What was counted.

    ``modules``: lines by file. ``functions``: lines by place. ``parameters``: number by place,
    self and cls left out. ``undocumented``: public names without a docstring. ``wide_lines`` and
    ``skips``: places of lines over 100 characters and of formatter exemptions.
    """

    modules: dict[str, int]
    functions: dict[str, int]
    parameters: dict[str, int]
    undocumented: list[str]
    wide_lines: list[str]
    skips: list[str]


def count(folder: Path) -> House:
    """Read every module below a folder."""
    house = House(modules={}, functions={}, parameters={}, undocumented=[], wide_lines=[], skips=[])
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder.parent).as_posix()
        lines = path.read_text(encoding="utf-8").splitlines()
        house.modules[name] = len(lines)
        house.wide_lines.extend(
            f"{name}:{n}" for n, line in enumerate(lines, 1) if len(line) > LONGEST_LINE
        )
        house.skips.extend(
            f"{name}:{n}" for n, line in enumerate(lines, 1) if "fmt: " + "skip" in line
        )
        _read_module(house, name, ast.parse("\n".join(lines)))
    return house


def _read_module(house: House, name: str, tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            place = f"{name}:{node.lineno} {node.name}"
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            house.functions[place] = (node.end_lineno or node.lineno) - first + 1
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            house.parameters[place] = sum(a.arg not in ("self", "cls") for a in arguments)
    for node in tree.body:
        named = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if named and not node.name.startswith("_") and not ast.get_docstring(node):
            house.undocumented.append(f"{name}:{node.lineno} {node.name}")


def table(house: House) -> str:
    """The counted numbers as a Markdown table."""
    modules, functions = house.modules, house.functions
    rows = (
        ("modules", len(modules)),
        ("lines a module, median", round(statistics.median(modules.values()))),
        ("lines of the longest module", max(modules.values())),
        (f"modules over {LONGEST_MODULE} lines", over(modules, LONGEST_MODULE)),
        ("functions", len(functions)),
        ("lines a function with its docstring, median", statistics.median(functions.values())),
        ("lines of the longest function", max(functions.values())),
        (f"functions over {LONGEST_FUNCTION} lines", over(functions, LONGEST_FUNCTION)),
        ("most parameters of a function", max(house.parameters.values())),
        (f"functions over {MOST_PARAMETERS} parameters", over(house.parameters, MOST_PARAMETERS)),
        ("public names without a docstring", len(house.undocumented)),
        (f"lines over {LONGEST_LINE} characters", len(house.wide_lines)),
        ("exemptions from the formatter", len(house.skips)),
    )
    body = "\n".join(f"| {label} | {value:g} |" for label, value in rows)
    return f"| counted in `agentlens/` | |\n|---|---|\n{body}"


def over(numbers: dict[str, int], most: int) -> int:
    """How many of the numbers are larger."""
    return sum(value > most for value in numbers.values())


def main(arguments: list[str]) -> int:
    """Print the table, or put it between its marks in the page."""
    text = table(count(REPOSITORY / "agentlens"))
    if "--write" not in arguments:
        print(text)
        return 0
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
