# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrdn.models.memory.relation_step import RelationStep, State


class SteppedSupports:
    """The state of a :class:`RelationStep` that follows the frames of a memory.

    Args:
        step (RelationStep): The step; not owned.
    """

    def __init__(self, step: RelationStep) -> None:
        self.step = step
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._state: State = {}
        self._newest: object = None  # the frame that was appended last
        self._num_held = 0  # frames that the state may hold supports of

    def nbytes(self) -> int:
        """Return the bytes of the state."""
        return sum(part.nbytes for part in self._state.values())

    def aggregate(
        self, frames: Sequence[tuple[Tensor, Tensor, Tensor]], feats: Tensor, boxes: Tensor, return_weights: bool
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Relate key proposals to the supports of frames.

        Args:
            frames (Sequence[tuple]): Features (k, C), boxes (k, 4) and objectness (k,) of 1 .. L
                frames, oldest first: those of the last call, less some of the oldest, and new ones.
            feats (Tensor): (N, C) features of the key proposals.
            boxes (Tensor): (N, 4) their boxes, xyxy in pixels.
            return_weights (bool): Whether to return the mean attention weights too.

        Returns:
            Tensor or tuple[Tensor, Tensor]: As :meth:`RelationMemory.aggregate`.
        """
        self._follow(frames)
        if not return_weights:
            return self.step.relate(self._state, feats, boxes)
        outs, weights = self.step.relate(self._state, feats, boxes, return_weights=True)
        count = self.step.sampler.num_support
        start = (self.step.max_frames - len(frames)) * count
        slots = [start + i * count + j for i, frame in enumerate(frames) for j in range(len(frame[0]))]
        return outs, weights[:, torch.tensor(slots, dtype=torch.long, device=weights.device)]

    def _follow(self, frames: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Append the frames that are new, and mask those that are gone."""
        first = frames[0][0]
        if not self._state:
            self.step.to(first.device)
            self._state = self.step.initial_state(first.device, first.dtype)
        known = next((i + 1 for i, frame in enumerate(frames) if frame is self._newest), 0)
        for frame in frames[known:]:
            missing = self.step.sampler.num_support - len(frame[0])
            feats, boxes, scores = (F.pad(part, (0, 0) * (part.ndim - 1) + (0, missing)) for part in frame)
            self._state = self.step.append(self._state, feats, boxes, scores, len(frame[0]))
        self._newest = frames[-1]
        self._num_held = min(self.step.max_frames, self._num_held + len(frames) - known)
        if self._num_held > len(frames):
            num = (self.step.max_frames - len(frames)) * self.step.sampler.num_support
            gone = torch.arange(len(self._state['valid']), device=first.device) < num
            masked = dict(valid=(gone, False), scores=(gone, -torch.inf), values=(gone[:, None], 0))
            self._state |= {name: self._state[name].masked_fill(*how) for name, how in masked.items()}
            self._num_held = len(frames)
