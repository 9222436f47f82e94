# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

_INTEGERS = ('labels', 'track_ids', 'detected_inds')

Boxes = TypeVar('Boxes', bound='FrameBoxes')


def to_numpy(values: Any) -> np.ndarray:
    """Return a tensor, an array or a list as an array; bfloat16 as float32.

    Tensors are recognized by their methods, so torch is not imported.
    """
    if hasattr(values, 'detach'):
        values = values.detach().cpu()
        if str(values.dtype) == 'torch.bfloat16':
            values = values.float()
    return np.asarray(values)


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameBoxes:
    """Boxes of a frame, checked: what detections and annotations have in common.

    Attributes:
        bboxes (np.ndarray): (n, 4) xyxy in pixels of the original frame.
        labels (np.ndarray): (n,) int64 indices into the list of classes.
        frame_id (int, optional): Index of the frame in its video, from 0.
        video_id (int | str, optional): Video of the frame.
        img_id (int | str, optional): Image id of the frame in its data set.

    Raises:
        ValueError: A field has the wrong shape or kind, or holds NaN; names the frame.
    """

    bboxes: np.ndarray
    labels: np.ndarray
    frame_id: int | None = None
    video_id: int | str | None = None
    img_id: int | str | None = None

    # Arrays with a row for each box.
    required: ClassVar[tuple[str, ...]] = ('bboxes', 'labels')
    optional: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in (*self.required, *self.optional):
            values = getattr(self, name)
            if values is not None:
                object.__setattr__(self, name, self._checked(name, to_numpy(values)))
            elif name in self.required:
                raise self.error(f"must have the field '{name}'")

    def _checked(self, name: str, values: np.ndarray) -> np.ndarray:
        """Return an array in its shape and type."""
        if values.size == 0 and (name == 'bboxes' or len(self) == 0):
            values = values.reshape(0, 4) if name == 'bboxes' else values.reshape(0)
        shape: tuple[int, ...]
        shape = (len(values) if values.ndim else 1, 4) if name == 'bboxes' else (len(self),)
        if values.shape != shape:
            raise self.error(f'{name} must be {shape}, got {values.shape}')
        if values.dtype.kind not in 'biuf':
            raise self.error(f'{name} must be numbers, got {values.dtype}')
        if not np.isfinite(values).all():
            raise self.error(f'{name} must be finite, got {values[~np.isfinite(values)][0]}')
        if name in _INTEGERS:
            whole = values.astype(np.int64)
            if (whole != values).any():
                raise self.error(f'{name} must be integers, got {values[whole != values][0]}')
            return whole
        return values if values.dtype.kind == 'f' else values.astype(np.float64)

    def __len__(self) -> int:
        return len(self.bboxes)

    def error(self, text: str) -> ValueError:
        """Return an error that names the frame, as far as it is known."""
        names = (('video', self.video_id), ('frame', self.frame_id), ('img_id', self.img_id))
        known = ', '.join(f'{name} {value}' for name, value in names if value is not None)
        return ValueError(f'{known}: {text}' if known else text)

    @classmethod
    def of_all(cls: type[Boxes], frames: Sequence[Boxes | Mapping[str, Any]], name: str) -> list[Boxes]:
        """Convert the frames that are dicts.

        Args:
            frames (Sequence): Frames as objects, or as dicts of their arrays.
            name (str): Name of the argument, for messages.

        Raises:
            ValueError: A field is missing or wrong; names the index of the frame.
        """
        converted = []
        for i, frame in enumerate(frames):
            if not isinstance(frame, cls):
                given = frame if isinstance(frame, Mapping) else {}
                fields: dict[str, Any] = {field: given.get(field) for field in (*cls.required, *cls.optional)}
                try:
                    frame = cls(**fields)
                except ValueError as error:
                    raise ValueError(f'{name}[{i}]: {error}') from None
            converted.append(frame)
        return converted


def concatenate(frames: Sequence[FrameBoxes], name: str) -> np.ndarray:
    """Return an array of all frames in one, float64 or int64, also of no frames."""
    empty = np.zeros((0, 4) if name == 'bboxes' else 0, np.int64 if name in _INTEGERS else np.float64)
    return np.concatenate([empty] + [getattr(frame, name) for frame in frames])
