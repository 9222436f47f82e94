# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Callable, Mapping, Sequence

import numpy as np


class Graph:
    """A graph that a backend has opened.

    Args:
        inputs (Mapping[str, tuple[Sequence, str]]): Shape and number format, as numpy names it, of each input;
            lengths that vary are no numbers.
        outputs (Sequence[str]): Names of its outputs.
        run (callable): Function from the values of all inputs, by name, to those of the outputs.
        metadata (Mapping[str, str]): Facts that the export noted in the file, by name.
    """

    def __init__(
        self,
        inputs: Mapping[str, tuple[Sequence, str]],
        outputs: Sequence[str],
        run: Callable[[Mapping[str, np.ndarray]], Sequence[np.ndarray]],
        metadata: Mapping[str, str],
    ) -> None:
        self.inputs = dict(inputs)
        self.outputs = tuple(outputs)
        self.metadata = dict(metadata)
        self._run = run

    def __call__(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs by name, in their own memory.

        Args:
            values (Mapping[str, np.ndarray]): Values of all inputs; others are left out.
        """
        return dict(zip(self.outputs, self._run({name: values[name] for name in self.inputs})))
