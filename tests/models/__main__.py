"""`python -m tests.models`: how good the models are, and where their sources disagree."""

from __future__ import annotations

from collections import Counter

from protocols.modbus.models.evidence import GRADES
from tests.models.facts import all_models, disagreements, facts_of


def main() -> None:
    """Print the number of models of each grade, then every disagreement with what settles it."""
    counts = Counter(model.evidence.grade for model in all_models())
    print(f"{counts.total()} models")
    for grade, meaning in GRADES.items():
        print(f"  {grade}  {counts[grade]:>3}  {meaning}")
    print()
    for model in all_models():
        settled = facts_of(model.name).settled
        for key, source, difference in disagreements(model):
            print(f"{model.name}: {key}: {source} says {difference}: {settled.get(key, 'NOT SETTLED')}")


if __name__ == "__main__":
    main()
