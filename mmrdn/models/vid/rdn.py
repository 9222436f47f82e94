# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation Distillation Networks for Video Object Detection, ICCV 2019.

Paper sections 3 and 4, Algorithm 1. A frame passes backbone and RPN once; its proposals wait until
the frames ahead have come; then its pool is complete.

Legend: B samples, S support frames, P proposals, C channels.

Deviations from the paper: none by default; ``lookahead`` below T shows fewer frames ahead in
testing, a ``RepeatedFrameWindow`` repeats those at the ends. In training the pool is the reference
frame and the support frames drawn from [-T, T], none repeated: the pool of Algorithm 1 with frames
left out (the "temporal dropout" of FGFA).
"""

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from mmengine.structures import InstanceData
from mmtrack.models import BaseVideoDetector
from mmtrack.structures import TrackDataSample
from mmtrack.utils import OptConfigType, OptSampleList, SampleList
from torch import Tensor

from mmrdn.models.memory import FrameProposals, RelationMemory, SlidingWindow, build_recorders
from mmrdn.models.vid.frame_stream import FrameStream
from mmrdn.models.vid.rpn import rpn_losses, rpn_proposals
from mmrdn.models.vid.training_frames import check_losses, plain_samples, training_frames
from mmrdn.registry import MODELS, TASK_UTILS
from mmrdn.utils.checks import check_num_frames


@MODELS.register_module()
class RDN(BaseVideoDetector):
    """A two-stage detector whose proposals relate to those of other frames.

    Args:
        detector (dict): A two-stage detector of mmdet with an ``RDNRoIHead`` or, for a cascade, an
            ``RDNCascadeRoIHead``.
        neck (dict, optional): A ``RelationAggregator``. Without one this is the single-frame
            detector (Table 3, first row).
        support_sampler (dict, optional): A ``SelectiveSupportSampler``, which is also the default.
        temporal_range (int): T, frames looked at on either side. 0 relates the proposals of a frame
            among themselves (Table 3, second row).
        lookahead (int, optional): Frames ahead that a frame waits for in testing, 0 (online) to T;
            T if not given.
        window (dict, optional): How the ends of a video are treated in testing: a
            ``SlidingWindow``, which is also the default.
        rpn_in_indices (Sequence[int], optional): Feature maps that RPN sees; all by default. ``(0,
            )`` of a backbone with ``out_indices=(2, 3)`` puts RPN on conv4 as in section 4.
        roi_in_indices (Sequence[int], optional): Feature maps that the RoI head sees; all by
            default.
        frozen_modules (str or Sequence[str], optional): Parts of this module to freeze, such as
            ``'detector'``.
        lookahead_batch (int): Frames at the beginning of a video, where no result is due, that wait
            to pass the backbone together.
        recorders (Sequence[dict]): What to note of the relation weights in testing, such as
            ``NextFrameRelations``; nothing by default.
        data_preprocessor (dict, optional): A ``TrackDataPreprocessor``.
        init_cfg (dict, optional): Initialization config.
    """

    def __init__(
        self,
        detector: dict,
        neck: OptConfigType = None,
        support_sampler: OptConfigType = None,
        temporal_range: int = 18,
        lookahead: int | None = None,
        window: OptConfigType = None,
        rpn_in_indices: Sequence[int] | None = None,
        roi_in_indices: Sequence[int] | None = None,
        frozen_modules: str | Sequence[str] | None = None,
        lookahead_batch: int = 1,
        recorders: Sequence[dict] = (),
        data_preprocessor: OptConfigType = None,
        init_cfg: OptConfigType = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        check_num_frames('temporal_range', temporal_range, 0)
        check_num_frames('lookahead_batch', lookahead_batch, 1)
        if lookahead is not None:
            check_num_frames('lookahead', lookahead, 0, temporal_range)
        self.detector = MODELS.build(detector)
        if not hasattr(getattr(self.detector, 'roi_head', None), 'detect'):
            raise ValueError(
                "detector must have roi_head=dict(type='mmrdn."
                "RDNRoIHead', ...), got a "
                f'{type(self.detector).__name__} without one'
            )
        self.neck = MODELS.build(neck) if neck is not None else None
        self.support_sampler = TASK_UTILS.build(support_sampler or dict(type='mmrdn.SelectiveSupportSampler'))
        self.temporal_range = temporal_range
        self.lookahead = lookahead
        self.window_cfg = window or dict(type='mmrdn.SlidingWindow')
        self.rpn_in_indices = rpn_in_indices
        self.roi_in_indices = roi_in_indices
        self.recorders = build_recorders(recorders, self.neck)
        self.stream = FrameStream(self, lookahead_batch)
        if frozen_modules is not None:
            self.freeze_module(frozen_modules if isinstance(frozen_modules, str) else list(frozen_modules))

    @property
    def window(self) -> SlidingWindow | None:
        """SlidingWindow or None: The state of the video that is tested."""
        return self.stream.window

    def new_window(self, lookahead: int | None = None) -> SlidingWindow | None:
        """The state of one more video, None for single-frame detectors.

        With :meth:`extract` and :meth:`detect` several videos run at once: their frames pass
        backbone and RPN in one batch.

        Args:
            lookahead (int, optional): Frames ahead that a frame waits for; those of the model if
                not given.
        """
        if self.neck is None:
            return None
        for given in (lookahead, self.lookahead, self.temporal_range):
            if given is not None:
                break
        return TASK_UTILS.build(
            self.window_cfg,
            default_args=dict(
                memory=self._new_memory(self.temporal_range + given + 1),
                temporal_range=self.temporal_range,
                lookahead=given,
            ),
        )

    def _new_memory(self, max_frames: int) -> RelationMemory:
        return RelationMemory(self.neck, self.support_sampler, max_frames)

    # ---------------------------------------------------------------- parts

    def _feature_maps(self, imgs: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor]]:
        """Feature maps (B, c, h, w) for RPN and for the RoI head."""
        x = self.detector.extract_feat(imgs)

        def pick(inds):
            return tuple(x) if inds is None else tuple(x[i] for i in inds)

        return pick(self.rpn_in_indices), pick(self.roi_in_indices)

    # ------------------------------------------------------------- training

    def loss(self, inputs: dict[str, Tensor], data_samples: SampleList, **kwargs) -> dict:
        """Losses of B reference frames, each with its own pool.

        Args:
            inputs (dict[str, Tensor]): ``img`` (B, 1, 3, H, W), the reference frames, and
                ``ref_img`` (B, S, 3, H, W), their support frames (left out where there are none).
            data_samples (list[TrackDataSample]): B samples with ground truth.

        Returns:
            dict[str, Tensor]: Loss components of RPN and RoI head.
        """
        imgs, supports, owners = training_frames(inputs, data_samples, self.neck is not None)
        batch = len(data_samples)
        rpn_x, roi_x = self._feature_maps(imgs)
        losses, proposals = rpn_losses(self.detector, tuple(level[:batch] for level in rpn_x), data_samples)
        if supports:
            proposals += rpn_proposals(self.detector, tuple(level[batch:] for level in rpn_x), supports)
        owners = list(range(batch)) + owners
        with self._seeing(roi_x, owners):
            memories = None
            if self.neck is not None:
                memories = self._training_pools(roi_x, proposals, data_samples + supports, owners)
            losses.update(
                self.detector.roi_head.loss(
                    tuple(level[:batch] for level in roi_x), proposals[:batch], data_samples, memories=memories
                )
            )
        return losses

    def _seeing(self, x: tuple[Tensor], owners: Sequence[int]) -> AbstractContextManager:
        """What RoI features may see of other frames in training: nothing.

        Args:
            x (tuple[Tensor]): Feature maps of all frames, each (n, c, h, w).
            owners (Sequence[int]): For each frame the sample it belongs to.
        """
        return contextlib.nullcontext()

    def parse_losses(self, losses: dict) -> tuple[Tensor, dict]:
        """Sum the losses; stop before the backward pass if one is no number.

        On CPUs the backward pass of a diverged training may even crash.

        Raises:
            ValueError: A loss is NaN or infinite; names it.
        """
        total, log_vars = super().parse_losses(losses)
        check_losses(total, log_vars)
        return total, log_vars

    def _training_pools(
        self, x: tuple[Tensor], proposals: Sequence[InstanceData], data_samples: SampleList, owners: Sequence[int]
    ) -> list[RelationMemory]:
        """The pool of each sample: top K proposals of each of its frames."""
        chosen = [p[self.support_sampler.select_support(p.scores)] for p in proposals]
        memories = [self._new_memory(owners.count(i)) for i in range(max(owners) + 1)]
        frames = self.detector.roi_head.frames(x, chosen, data_samples)
        for owner, frame in zip(owners, frames):
            memories[owner].append(frame.feats, frame.boxes, frame.scores)
        return memories

    # -------------------------------------------------------------- testing

    def predict(
        self, inputs: dict[str, Tensor], data_samples: SampleList, rescale: bool = True, **kwargs
    ) -> SampleList:
        """Take the next frames of a video, give the results that are ready.

        Results come in frame order, T frames late; those of the last T frames come with the video's
        last frame, known by ``frame_id`` and ``video_length``. An image without them is a video of
        one frame. The state is reset when the video changes.

        Args:
            inputs (dict[str, Tensor]): ``img`` (B, 1, 3, H, W): B frames in order.
            data_samples (list[TrackDataSample]): Their meta information.
            rescale (bool): Whether boxes are those of the original frame.

        Returns:
            list[TrackDataSample]: The frames that are ready, 0 or more, with
            ``pred_det_instances``.
        """
        return self.stream.push(inputs['img'].flatten(0, 1), data_samples, rescale)

    def extract(self, imgs: Tensor, data_samples: SampleList) -> list[FrameProposals]:
        """Proposals of frames, of one video or of several.

        Args:
            imgs (Tensor): (B, 3, H, W), preprocessed.
            data_samples (list[TrackDataSample]): B samples.

        Returns:
            list[FrameProposals]: B of them.
        """
        rpn_x, roi_x = self._feature_maps(imgs)
        proposals = rpn_proposals(self.detector, rpn_x, data_samples)
        return self.detector.roi_head.frames(roi_x, proposals, data_samples)

    def flush(self, rescale: bool = True) -> SampleList:
        """End the video: the results of the frames that still wait.

        Args:
            rescale (bool): Whether boxes are those of the original frame.

        Returns:
            list[TrackDataSample]: At most T frames, in order.
        """
        return self.stream.flush(rescale)

    def detect(self, frame: FrameProposals, window: SlidingWindow | None, rescale: bool = True) -> TrackDataSample:
        """Detections of a frame that its window handed out.

        Args:
            frame (FrameProposals): The frame.
            window (SlidingWindow, optional): Of :meth:`new_window`.
            rescale (bool): Whether boxes are those of the original frame.

        Returns:
            TrackDataSample: The frame's, with ``pred_det_instances``:
            ``bboxes`` (n, 4), ``scores``, ``labels`` and ``proposal_inds`` (n,), and with what the
            recorders note.
        """
        feats, recorders = frame.feats, self.recorders if window else []
        if recorders:
            feats, weights = window.memory.aggregate(feats, frame.boxes, return_weights=True)
        elif window is not None:
            feats = window.memory.aggregate(feats, frame.boxes)
        data_sample = frame.data_sample
        data_sample.pred_det_instances = self.detector.roi_head.detect(feats, frame, rescale)
        for recorder in recorders:
            recorder.record(frame, window, weights, rescale)
        return data_sample

    def train(self, mode: bool = True) -> 'RDN':
        """Switch mode; a video that was cut short is forgotten."""
        self.stream.reset()
        return super().train(mode)

    # --------------------------------------------------------------- tensor

    def _forward(
        self, inputs: dict[str, Tensor], data_samples: OptSampleList = None, **kwargs
    ) -> tuple[Tensor, Tensor]:
        """Raw predictions for the proposals of B reference frames.

        Args:
            inputs (dict[str, Tensor]): As in :meth:`loss`.
            data_samples (list[TrackDataSample], optional): Meta information.

        Returns:
            tuple[Tensor, Tensor]: Class logits (B * P, num_classes + 1) and
            box deltas (B * P, 4 * num_classes), of a cascade's last stage.
        """
        if data_samples is None:
            data_samples = plain_samples(inputs)
        imgs, supports, owners = training_frames(inputs, data_samples, self.neck is not None)
        batch = len(data_samples)
        rpn_x, roi_x = self._feature_maps(imgs)
        samples = data_samples + supports
        proposals = rpn_proposals(self.detector, rpn_x, samples)
        head, owners = self.detector.roi_head, list(range(batch)) + owners
        with self._seeing(roi_x, owners):
            frames = head.frames(tuple(level[:batch] for level in roi_x), proposals[:batch], data_samples)
            feats = [frame.feats for frame in frames]
            if self.neck is not None:
                memories = self._training_pools(roi_x, proposals, samples, owners)
                feats = [memory.aggregate(frame.feats, frame.boxes) for memory, frame in zip(memories, frames)]
        return head.relation_head(torch.cat(feats))
