# Copyright (c) mmrdn contributors. All rights reserved.


class LossReport:
    """Report of all that a conversion could not carry over, counted by kind, with the first example of each.

    Attributes:
        counts (dict[str, int]): Number of cases by kind, a kind being words such as "polygons
            became their boxes".
        examples (dict[str, str]): Where the first one stands: file and line, element or field.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.examples: dict[str, str] = {}

    def add(self, kind: str, where: str) -> None:
        """Count a case."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.examples.setdefault(kind, where)

    def lines(self) -> list[str]:
        """Return one line a kind."""
        return [f'{count} x {kind}, first at {self.examples[kind]}' for kind, count in self.counts.items()]
