"""docs/stix-validation.md lists every rule the gate has, and none that it has not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kentongan.domain import gate
from kentongan.domain.gate.rules import ORDERS

DOCUMENT = Path(__file__).parents[2] / "docs" / "stix-validation.md"
PLACE_OF_RULE = {"Problem": 1, "refuse": 1, "warn": 1, "_fault": 0, "Verdict": 0}
NAMED_BY_TABLES = {
    *(f"{late}-before-{early}".replace("_", "-") for orders in ORDERS.values() for early, late, _ in orders),
    *(
        "stix-schema",
        "masking-extension",
        "incident-extension",
        "incident-core",
        "incident-event",
        "incident-impact",
        "incident-task",
    ),
}


def rules_in(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            place = PLACE_OF_RULE.get(name, 99)
            if place < len(node.args) and isinstance(node.args[place], ast.Constant):
                yield str(node.args[place].value)


def test_the_documented_rules_are_the_rules():
    folder = Path(str(gate.__file__)).parent
    written = {rule for path in folder.glob("*.py") for rule in rules_in(path.read_text("utf-8"))}
    rows = [line for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| `")]

    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}

    assert documented == (written | NAMED_BY_TABLES) - {"more-problems", ""}
