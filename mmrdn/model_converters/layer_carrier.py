# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

from torch import Tensor

from mmrdn.model_converters.key_coverage import KeyCoverage
from mmrdn.model_converters.source_detector import SourceDetector

_STAGE4 = ('roi_head.shared_head.layer4.', 'backbone.layer4.')


class LayerCarrier:
    """Carries entries of a detector over to another one, layer by layer.

    Args:
        source (SourceDetector): The detector.
        wanted (dict[str, Tensor]): Entries of the other one, in the names of mmdet.

    Attributes:
        state (dict[str, Tensor]): Entries of the source by the name that they would have in the
            other one.
        filled (dict[str, Tensor]): Entries of the other one, so far.
        coverage (KeyCoverage): What became of those of the source, so far.
    """

    def __init__(self, source: SourceDetector, wanted: dict[str, Tensor]) -> None:
        self.source = source
        self.wanted = wanted
        self.filled: dict[str, Tensor] = {}
        self.coverage = KeyCoverage(source.keys.values())
        self._keys = {self._moved(key): key for key in source.keys}
        self.state = {new: source.state[key] for new, key in self._keys.items()}

    def _moved(self, key: str) -> str:
        """Stage 4 is a part of the backbone, or, in "C4", of the RoI head."""
        for here, there in (_STAGE4, _STAGE4[::-1]):
            if (
                key.startswith(here)
                and not _below(here, self.wanted)
                and _below(there, self.wanted)
                and not _below(there, self.source.state)
            ):
                return there + key[len(here) :]
        return key

    def use(self, key: str, value: Tensor | None = None, note: str = '') -> None:
        """Fill an entry, with the source's of that name if none is given."""
        value = self.state[key] if value is None else value
        self.filled[key] = value.to(self.wanted[key].dtype).clone()
        self.coverage.use(self.source.keys[self._keys[key]], f'detector.{key}', note)

    def drop(self, key: str, reason: str) -> None:
        """Leave an entry of the source behind."""
        self.coverage.drop(self.source.keys[self._keys[key]], reason)

    def carry_backbone(self) -> None:
        """Fill the backbone.

        Raises:
            ValueError: The source has another one.
        """
        for key in _below('backbone.', self.state):
            part = '.'.join(key.split('.')[:2]) + '.'
            if key in self.wanted:
                self._check_shape(key)
                self.use(key)
            elif _below(part, self.wanted) and _is_weight(key):
                raise ValueError(f'{self.source.name} has another backbone: the model of the config has no {key}')
            else:
                self.drop(key, 'the model has no such entry')
        for key in _below('backbone.', self.wanted):
            if key not in self.filled and _is_weight(key):
                raise ValueError(f'{self.source.name} has another backbone: it lacks {key}')

    def _check_shape(self, key: str) -> None:
        given, wanted = self.state[key].shape, self.wanted[key].shape
        if given != wanted:
            raise ValueError(
                f'{self.source.name} has another backbone: {key} is {tuple(given)}, expected {tuple(wanted)}'
            )

    def carry_layers(self, kinds: Sequence[str], broken: str | None = None) -> str | None:
        """Fill layers of which each takes what the one before it puts out.

        The first that differs from the source's is not filled, nor are those after it: they were
        trained on what it put out.

        Args:
            kinds (Sequence[str]): What their names begin with, in order; numbers may follow.
            broken (str, optional): Why the layers before these were not.

        Returns:
            str or None: Why the layers after these cannot be filled.
        """
        for layer in self._layers(kinds):
            theirs, ours = (
                [key for key in entries if _layer_of(key, kinds) == layer] for entries in (self.state, self.wanted)
            )
            if broken:
                for key in theirs:
                    self.drop(key, broken)
            elif _shapes(theirs, self.state) == _shapes(ours, self.wanted):
                for key in theirs:
                    self._use_or_drop(key)
            else:
                for key in theirs:
                    self.drop(key, self._difference(key))
                name = kinds[layer[0]]
                if layer[1] >= 0:
                    name += f'.{layer[1]}'
                broken = f'{name} below it is not that of the model'
                if not theirs:
                    broken = f'the model has {name} below it'
        return broken

    def _layers(self, kinds: Sequence[str]) -> list[tuple[int, int]]:
        """The layers that either detector has, in order."""
        layers = {_layer_of(key, kinds) for key in (*self.state, *self.wanted)}
        return sorted(layers - {None})

    def _difference(self, key: str) -> str:
        """Why an entry does not fit."""
        if key not in self.wanted:
            return 'the model has no such entry'
        given, wanted = self.state[key].shape, self.wanted[key].shape
        if given != wanted:
            return f'its shape is {tuple(given)}, that of the model {tuple(wanted)}'
        return 'the rest of its layer differs from that of the model'

    def carry_rest(self) -> None:
        """Fill what is left and has the same name and shape in both."""
        for key in self.state:
            name = self.source.keys[self._keys[key]]
            if name in self.coverage.used or name in self.coverage.dropped:
                continue
            self._use_or_drop(key)

    def _use_or_drop(self, key: str) -> None:
        """Fill an entry if it has the same name and shape in both."""
        if key in self.wanted and self.state[key].shape == self.wanted[key].shape:
            self.use(key)
        else:
            self.drop(key, self._difference(key))


def _layer_of(key: str, kinds: Sequence[str]) -> tuple[int, int] | None:
    """Place among the kinds, and number, -1 if it has none."""
    for place, kind in enumerate(kinds):
        if key.startswith(f'{kind}.'):
            number = key[len(kind) + 1 :].split('.')[0]
            return place, int(number) if number.isdigit() else -1
    return None


def _below(prefix: str, entries: dict[str, Tensor]) -> list[str]:
    return [key for key in entries if key.startswith(prefix)]


def _is_weight(key: str) -> bool:
    """Whether the output depends on it: batch norms may count batches."""
    return not key.endswith('.num_batches_tracked')


def _shapes(keys: Sequence[str], entries: dict[str, Tensor]) -> dict:
    return {key: entries[key].shape for key in keys if _is_weight(key)}
