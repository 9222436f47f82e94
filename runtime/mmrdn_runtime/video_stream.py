# Copyright (c) mmrdn contributors. All rights reserved.
"""One video's way through the two graphs.

Legend: N proposals, K supports of a frame, C channels.
"""

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from mmrdn.structures import FrameDetections
from mmrdn_runtime.frame_preprocessor import FramePreprocessor
from mmrdn_runtime.model_directory import ModelDirectory


class _Proposals(NamedTuple):
    """A frame between the graphs."""

    index: int
    feats: np.ndarray  # (N, C)
    boxes: np.ndarray  # (N, 4), pixels of the network's input
    scores: np.ndarray  # (N,)
    num: np.ndarray  # ()
    size: np.ndarray  # (2,) height and width of the network's input without padding
    factors: np.ndarray  # (4,)
    shape: tuple[int, int]  # height and width of the frame


class VideoStream:
    """A video that is fed frame by frame; results come ``lookahead`` frames late.

    Args:
        directory (ModelDirectory): The model.
        extract (InferenceSession): ``extract.onnx``.
        relate (InferenceSession): ``relate.onnx``.
        name (str): Name of the video in messages.
    """

    def __init__(self, directory: ModelDirectory, extract: Any, relate: Any, name: str = '') -> None:
        self._preprocess = FramePreprocessor(**directory.preprocessing)
        self._memory = directory.memory
        self.lookahead = directory.memory['lookahead'] if directory.memory else 0
        self._directory = directory
        self._extract = extract
        self._relate = relate
        self._outputs = [output.name for output in relate.get_outputs()]
        self._prefix = f'{name}, ' if name else ''
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._state = self._directory.new_state()
        self._waiting: deque[_Proposals] = deque()
        self._num_frames = 0

    @property
    def nbytes(self) -> int:
        """int: Bytes of the state."""
        return sum(part.nbytes for part in self._state.values())

    def feed(self, image: np.ndarray) -> list[FrameDetections]:
        """Take the next frame; return the results that are ready.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.

        Returns:
            list[FrameDetections]: One or none, boxes xyxy in pixels of their frame.

        Raises:
            ValueError: The image is no such array; names its number.
        """
        index = self._num_frames
        pixels, size, factors = self._preprocess(image, f'{self._prefix}frame {index}')
        inputs = dict(image=pixels, size=np.array(size, np.int64))
        feats, boxes, scores, num = self._extract.run(('feats', 'boxes', 'scores', 'num'), inputs)
        newest = _Proposals(index, feats, boxes, scores, num, inputs['size'], factors, image.shape[:2])
        self._num_frames += 1
        self._waiting.append(newest)
        if len(self._waiting) > self.lookahead:
            return [self._step(newest, self._waiting.popleft())]
        self._step(newest, newest)  # its result is not wanted, its supports are
        return []

    def flush(self) -> list[FrameDetections]:
        """End the video; return the results of the frames that still wait."""
        results = []
        while self._waiting:
            results.append(self._step(None, self._waiting.popleft()))
        self.reset()
        return results

    def _step(self, newest: _Proposals | None, key: _Proposals) -> FrameDetections:
        """Take the supports of a frame, of none behind the end, and detect in another one."""
        inputs = dict(key_feats=key.feats, key_boxes=key.boxes, key_num=key.num, size=key.size)
        if self._memory is not None:
            inputs |= {f'state_{name}': part for name, part in self._state.items()}
            inputs |= self._supports(newest, key)
        found = dict(zip(self._outputs, self._relate.run(self._outputs, inputs)))
        self._state = {name: found[f'new_{name}'] for name in self._state}
        kept = found['scores'] >= 0
        return FrameDetections(
            bboxes=found['bboxes'][kept] / key.factors,
            scores=found['scores'][kept],
            labels=found['labels'][kept],
            frame_id=key.index,
            video_id=0,
            width=key.shape[1],
            height=key.shape[0],
        )

    def _supports(self, newest: _Proposals | None, key: _Proposals) -> dict[str, np.ndarray]:
        """Return the K proposals of highest objectness of a frame: the first ones, as they are ranked."""
        count = self._memory['num_support']
        frame, num = (key, 0) if newest is None else (newest, min(count, int(newest.num)))
        parts = dict(feats=frame.feats, boxes=frame.boxes, scores=frame.scores)
        missing = max(count - len(frame.scores), 0)
        supports = {
            f'support_{name}': np.pad(part[:count], [(0, missing)] + [(0, 0)] * (part.ndim - 1))
            for name, part in parts.items()
        }
        return supports | dict(support_num=np.array(num, np.int64))
