# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Callable, Sequence

from torch import Tensor

from mmrdn.model_converters.key_coverage import KeyCoverage
from mmrdn.model_converters.predictor_rows import Rows
from mmrdn.model_converters.source_detector import SourceDetector


class LayerTransfer:
    """Fill the entries of a detector from another one, layer by layer.

    Args:
        source (SourceDetector): Detector to take entries from.
        wanted (dict[str, Tensor]): Entries of the detector to fill, in mmdet's names.

    Attributes:
        filled (dict[str, Tensor]): New values of the entries filled so far.
        coverage (KeyCoverage): Record of the source's entries, used or dropped.
    """

    def __init__(self, source: SourceDetector, wanted: dict[str, Tensor]) -> None:
        self.source = source
        self.wanted = wanted
        self.filled: dict[str, Tensor] = {}
        self.coverage = KeyCoverage(source.keys.values())

    def fill_backbone(self) -> None:
        """Fill the backbone.

        Raises:
            ValueError: The source has another one.
        """
        other = f'{self.source.name} has another backbone'
        for key in _below('backbone.', self.source.state):
            part = '.'.join(key.split('.')[:2]) + '.'
            if key in self.wanted:
                given, wanted = self.source.state[key].shape, self.wanted[key].shape
                if given != wanted:
                    raise ValueError(f'{other}: {key} is {tuple(given)}, expected {tuple(wanted)}')
            elif _below(part, self.wanted) and _is_weight(key):
                raise ValueError(f'{other}: the model of the config has no {key}')
            self._use_or_drop(key)
        for key in _below('backbone.', self.wanted):
            if key not in self.filled and _is_weight(key):
                raise ValueError(f'{other}: it lacks {key}')

    def fill_layers(self, kinds: Sequence[str], broken: str | None = None) -> str | None:
        """Fill layers in a row, each of which reads the output of the one before it.

        The first layer that differs from the source's is not filled, nor are those after it: they
        were trained on its output.

        Args:
            kinds (Sequence[str]): Beginnings of the layers' names, in order; a number may follow.
            broken (str, optional): Reason why the layers before these were not filled.

        Returns:
            str or None: Reason why the layers after these cannot be filled.
        """
        layers = {_layer_of(key, kinds) for key in (*self.source.state, *self.wanted)} - {None}
        for layer in sorted(layers):
            theirs, ours = (
                {key: value.shape for key, value in entries.items() if _layer_of(key, kinds) == layer}
                for entries in (self.source.state, self.wanted)
            )
            if broken:
                self._drop_all(theirs, broken)
            elif _weights(theirs) == _weights(ours):
                for key in theirs:
                    self._use_or_drop(key)
            else:
                for key in theirs:
                    self._drop(key, self._difference(key))
                name = kinds[layer[0]] + (f'.{layer[1]}' if layer[1] >= 0 else '')
                broken = f'{name} below it is not that of the model' if theirs else f'the model has {name} below it'
        return broken

    def fill_predictors(self, layers: Sequence[str], compute: Callable[[], Rows], broken: str | None) -> None:
        """Fill the last layers, row by row.

        Args:
            layers (Sequence[str]): Names of the layers.
            compute (callable): Function that returns their rows, or raises ValueError with the
                reason why there are none.
            broken (str, optional): Reason why the layers before these were not filled.
        """
        if not broken:
            try:
                rows = compute()
            except ValueError as error:
                broken = str(error)
        for layer in layers:
            if broken:
                self._drop_all(_below(f'{layer}.', self.source.state), broken)
            else:
                for name, value in zip(('weight', 'bias'), rows.layers[layer]):
                    self._use(f'{layer}.{name}', value, rows.note)

    def fill_rest(self) -> None:
        """Fill every other entry that has the same name and shape in both."""
        for key in self.source.state:
            if not self.coverage.has(self.source.keys[key]):
                self._use_or_drop(key)

    def _use_or_drop(self, key: str) -> None:
        """Fill an entry if it has the same name and shape in both."""
        if key in self.wanted and self.source.state[key].shape == self.wanted[key].shape:
            self._use(key, self.source.state[key])
        else:
            self._drop(key, self._difference(key))

    def _use(self, key: str, value: Tensor, note: str = '') -> None:
        self.filled[key] = value.to(self.wanted[key].dtype).clone()
        self.coverage.use(self.source.keys[key], f'detector.{key}', note)

    def _drop(self, key: str, reason: str) -> None:
        self.coverage.drop(self.source.keys[key], reason)

    def _drop_all(self, keys: Sequence[str], reason: str) -> None:
        for key in keys:
            self._drop(key, reason)

    def _difference(self, key: str) -> str:
        """Return the reason why an entry does not fit."""
        if key not in self.wanted:
            return 'the model has no such entry'
        given, wanted = self.source.state[key].shape, self.wanted[key].shape
        if given != wanted:
            return f'its shape is {tuple(given)}, that of the model {tuple(wanted)}'
        return 'the rest of its layer differs from that of the model'


def _layer_of(key: str, kinds: Sequence[str]) -> tuple[int, int] | None:
    """Return the index of a layer among the kinds, and its number, -1 if it has none."""
    for index, kind in enumerate(kinds):
        if key.startswith(f'{kind}.'):
            number = key[len(kind) + 1 :].split('.')[0]
            return index, int(number) if number.isdigit() else -1
    return None


def _below(prefix: str, entries: dict[str, Tensor]) -> list[str]:
    return [key for key in entries if key.startswith(prefix)]


def _is_weight(key: str) -> bool:
    """Return whether the output depends on an entry: batch norms may count batches."""
    return not key.endswith('.num_batches_tracked')


def _weights(shapes: dict[str, tuple]) -> dict[str, tuple]:
    return {key: shape for key, shape in shapes.items() if _is_weight(key)}
