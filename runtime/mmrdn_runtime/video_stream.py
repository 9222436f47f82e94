# Copyright (c) mmrdn contributors. All rights reserved.
"""One video's way through the two graphs.

Legend: N proposals, K supports of a frame, C channels, n detections.
"""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from mmrdn.structures import FrameDetections, NextFrameWeights
from mmrdn_runtime.frame_preprocessor import FramePreprocessor
from mmrdn_runtime.graph import Graph
from mmrdn_runtime.model_directory import ModelDirectory

_LINK_SCORE = 0.01  # lowest score of a detection whose weights are kept, as of NextFrameRelations


@dataclass(frozen=True, eq=False)
class PreparedFrame:
    """A frame on its way: prepared, and then with what ``extract.onnx`` finds in it.

    Attributes:
        index (int): Its number in the video.
        image (np.ndarray or None): (1, 3, H, W) input of the network, as long as it is needed.
        size (np.ndarray): (2,) height and width of it without padding, pixels.
        factors (np.ndarray): (4,) factors from pixels of the frame to those of the input.
        shape (tuple[int, int]): Height and width of the frame, pixels.
        found (dict[str, np.ndarray]): ``feats`` (N, C), ``boxes`` (N, 4), ``scores`` (N,) and ``num``.
    """

    index: int
    image: np.ndarray | None
    size: np.ndarray
    factors: np.ndarray
    shape: tuple[int, int]
    found: dict[str, np.ndarray]


class VideoStream:
    """A video that is fed frame by frame; results come ``lookahead`` frames late.

    Args:
        directory (ModelDirectory): The model.
        extract (Graph): ``extract.onnx``.
        relate (Graph): ``relate.onnx``.
        append (Graph, optional): ``append.onnx``; the other does its work if not given.
        name (str): Name of the video in messages.
    """

    def __init__(
        self, directory: ModelDirectory, extract: Graph, relate: Graph, append: Graph | None = None, name: str = ''
    ) -> None:
        self._preprocess = FramePreprocessor(**directory.preprocessing)
        self._memory = directory.memory
        self.lookahead = directory.memory['lookahead'] if directory.memory else 0
        self._directory = directory
        self._extract = extract
        self._relate = relate
        self._append = append or relate
        self._prefix = f'{name}, ' if name else ''
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._state = self._directory.new_state()
        self._waiting: deque[PreparedFrame] = deque()
        self._num_prepared = 0

    @property
    def nbytes(self) -> int:
        """int: Bytes of the state."""
        return sum(part.nbytes for part in self._state.values())

    def prepare(self, image: np.ndarray) -> PreparedFrame:
        """Preprocess the next frame; may run in another thread.

        Args:
            image (np.ndarray): (H, W, 3) uint8 BGR.

        Raises:
            ValueError: The image is no such array; names its number.
        """
        pixels, size, factors = self._preprocess(image, f'{self._prefix}frame {self._num_prepared}')
        self._num_prepared += 1
        shape = image.shape[:2]
        return PreparedFrame(self._num_prepared - 1, pixels, np.array(size, np.int64), factors, shape, {})

    def feed(self, image: np.ndarray | PreparedFrame) -> list[FrameDetections]:
        """Take the next frame; return the results that are ready.

        Args:
            image (np.ndarray or PreparedFrame): (H, W, 3) uint8 BGR, or what :meth:`prepare` made of it.

        Returns:
            list[FrameDetections]: One or none, boxes xyxy in pixels of their frame. With relation
            weights (``next_weights``) for box linking, where the model gives them.

        Raises:
            ValueError: The image is no such array; names its number.
        """
        frame = image if isinstance(image, PreparedFrame) else self.prepare(image)
        found = self._extract(dict(image=frame.image, size=frame.size[None]))
        newest = replace(frame, image=None, found={name: np.asarray(part[0]) for name, part in found.items()})
        self._waiting.append(newest)
        if len(self._waiting) > self.lookahead:
            return [self._step(newest, self._waiting.popleft())]
        self._run(self._append, newest, newest)  # its result is not wanted, its supports are
        return []

    def flush(self) -> list[FrameDetections]:
        """End the video; return the results of the frames that still wait."""
        results = []
        while self._waiting:
            results.append(self._step(None, self._waiting.popleft()))
        self.reset()
        return results

    def _step(self, newest: PreparedFrame | None, key: PreparedFrame) -> FrameDetections:
        """Take the supports of a frame, of none behind the end, and detect in another one."""
        found = self._run(self._relate, newest, key)
        kept = found['scores'] >= 0
        return FrameDetections(
            bboxes=found['bboxes'][kept] / key.factors,
            scores=found['scores'][kept],
            labels=found['labels'][kept],
            frame_id=key.index,
            video_id=0,
            width=key.shape[1],
            height=key.shape[0],
            next_weights=self._link_weights(found, kept, key),
        )

    def _run(self, graph: Graph, newest: PreparedFrame | None, key: PreparedFrame) -> dict[str, np.ndarray]:
        """Run a graph that takes the supports of a frame into the state; return its outputs."""
        inputs = {f'key_{name}': part for name, part in key.found.items()} | dict(size=key.size)
        if self._memory is not None:
            inputs |= {f'state_{name}': part for name, part in self._state.items()}
            inputs |= self._supports(newest, key)
        found = graph(inputs)
        self._state = {name: found[f'new_{name}'] for name in self._state}
        return found

    def _supports(self, newest: PreparedFrame | None, key: PreparedFrame) -> dict[str, np.ndarray]:
        """Return the K proposals of highest objectness of a frame: the first ones, as they are ranked."""
        count = self._memory['num_support']
        found = (newest or key).found
        num = 0 if newest is None else min(count, int(found['num']))
        missing = max(count - len(found['scores']), 0)
        supports = {f'support_{name}': found[name][:count] for name in ('feats', 'boxes', 'scores')}
        if missing:
            supports = {
                name: np.pad(part, [(0, missing)] + [(0, 0)] * (part.ndim - 1)) for name, part in supports.items()
            }
        return supports | dict(support_num=np.array(num, np.int64))

    def _link_weights(
        self, found: dict[str, np.ndarray], kept: np.ndarray, key: PreparedFrame
    ) -> NextFrameWeights | None:
        """Return the relation weights to the supports of the next frame; None where the model gives none."""
        if 'link_weights' not in found:
            return None
        inds = found['proposal_inds'][kept]  # (n,)
        num_support = min(self._memory['num_support'], int(key.found['num']))
        likely = np.flatnonzero(found['scores'][kept] >= _LINK_SCORE)
        return NextFrameWeights(
            support_inds=np.where(inds < num_support, inds, -1),
            detection_inds=likely,
            weights=found['link_weights'][kept][likely],
            next_frame_id=self._waiting[0].index if self._waiting else None,
        )
