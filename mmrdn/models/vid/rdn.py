# Copyright (c) mmrdn contributors. All rights reserved.
"""Relation Distillation Networks for Video Object Detection, ICCV 2019.

Paper sections 3 and 4, Algorithm 1. A frame passes backbone and RPN once; its proposals wait until
the frames ahead have come; then its pool is complete.

Legend: B samples, S support frames, P proposals, C channels.

Deviations from the paper: none by default; ``lookahead`` below T shows fewer frames ahead in
testing, a ``RepeatedFrameWindow`` repeats those at the ends. In training the pool is the key frame
(the paper's reference frame) and the support frames drawn from [-T, T], none repeated: the pool of
Algorithm 1 with frames left out (the "temporal dropout" of FGFA).
"""

from collections.abc import Sequence

import numpy as np
import torch
from mmdet.models.task_modules import OHEMSampler
from mmengine.structures import InstanceData
from mmtrack.models import BaseVideoDetector
from mmtrack.structures import TrackDataSample
from mmtrack.utils import OptConfigType, OptSampleList, SampleList
from torch import Tensor

from mmrdn.models.memory import FrameProposals, Recorder, RelationMemory, SlidingWindow, build_recorders
from mmrdn.models.roi_heads import FrameMaps
from mmrdn.models.vid.freezable_mixin import FreezableMixin
from mmrdn.models.vid.stream import VideoStream
from mmrdn.models.vid.training_inputs import plain_samples, rpn_losses, training_frames
from mmrdn.registry import MODELS, TASK_UTILS
from mmrdn.utils.checks import check_num_frames


@MODELS.register_module()
class RDN(FreezableMixin, BaseVideoDetector):
    """A two-stage detector whose proposals relate to those of other frames.

    Args:
        detector (dict): A two-stage detector of mmdet with an ``RDNRoIHead`` or, for a cascade, an
            ``RDNCascadeRoIHead``.
        neck (dict, optional): A ``RelationAggregator``. Without one this is the single-frame
            detector (Table 3, first row).
        support_sampler (dict, optional): A ``SelectiveSupportSampler``, which is also the default.
        temporal_range (int): T, number of frames looked at on either side. 0 relates the proposals
            of a frame among themselves (Table 3, second row).
        lookahead (int, optional): Number of frames ahead that a frame waits for in testing, 0
            (online) to T; T if not given.
        window (dict, optional): Window that treats the ends of a video in testing: a
            ``SlidingWindow``, which is also the default.
        rpn_in_indices (Sequence[int], optional): Feature maps that RPN sees; all by default.
            ``(0,)`` of a backbone with ``out_indices=(2, 3)`` puts RPN on conv4 as in section 4.
        roi_in_indices (Sequence[int], optional): Feature maps that the RoI head sees; all by
            default.
        frozen_modules (str or Sequence[str], optional): Parts of this module to freeze, such as
            ``'detector'`` or ``'detector.backbone'``.
        lookahead_batch (int): Number of frames at the beginning of a video, where no result is due,
            that wait to pass the backbone together.
        recorders (Sequence[dict]): Recorders of relation weights in testing, such as
            ``NextFrameRelations``; none by default.
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
        self.temporal_range = temporal_range
        self.lookahead = temporal_range if lookahead is None else lookahead
        check_num_frames('lookahead', self.lookahead, 0, temporal_range)
        self.detector = MODELS.build(detector)
        if not hasattr(getattr(self.detector, 'roi_head', None), 'detect'):
            raise ValueError(
                "detector must have roi_head=dict(type='mmrdn.RDNRoIHead', ...), "
                f'got a {type(self.detector).__name__} without one'
            )
        self.neck = MODELS.build(neck) if neck is not None else None
        samplers = getattr(self.detector.roi_head, 'bbox_sampler', None)
        if neck is not None and any(isinstance(x, OHEMSampler) for x in np.atleast_1d(samplers)):
            raise ValueError('train_cfg.rcnn.sampler must not be an OHEMSampler: it would mine without relation')
        self.support_sampler = TASK_UTILS.build(support_sampler or dict(type='mmrdn.SelectiveSupportSampler'))
        self.window_cfg = window or dict(type='mmrdn.SlidingWindow')
        self.rpn_in_indices = rpn_in_indices
        self.roi_in_indices = roi_in_indices
        self.lookahead_batch = lookahead_batch
        self.recorders = build_recorders(recorders, self.neck)
        self.stream = VideoStream(self)
        if frozen_modules is not None:
            self.freeze_module(frozen_modules)

    @property
    def window(self) -> SlidingWindow | None:
        """SlidingWindow or None: The state of the video that is tested."""
        return self.stream.window

    def new_window(self, lookahead: int | None = None) -> SlidingWindow | None:
        """Make the state of one more video, None for single-frame detectors.

        With :meth:`extract` and :meth:`detect` several videos run at once: their frames pass
        backbone and RPN in one batch.

        Args:
            lookahead (int, optional): Number of frames ahead that a frame waits for; that of the
                model if not given.
        """
        if self.neck is None:
            return None
        lookahead = self.lookahead if lookahead is None else lookahead
        memory = RelationMemory(self.neck, self.support_sampler, self.temporal_range + lookahead + 1)
        defaults = dict(memory=memory, temporal_range=self.temporal_range, lookahead=lookahead)
        return TASK_UTILS.build(self.window_cfg, default_args=defaults)

    def feature_maps(self, imgs: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return feature maps (B, c, h, w) for RPN and for the RoI head."""
        x = tuple(self.detector.extract_feat(imgs))
        chosen = (self.rpn_in_indices, self.roi_in_indices)
        rpn_x, roi_x = (x if inds is None else tuple(x[i] for i in inds) for inds in chosen)
        return rpn_x, roi_x

    def propose(self, x: tuple[Tensor, ...], data_samples: SampleList) -> list[InstanceData]:
        """Return RPN's proposals, for each frame ``bboxes`` (P, 4) and ``scores`` (P,).

        RPN runs in fp32 under autocast too: box coordinates need it, and mmcv's NMS has no bf16.
        """
        x = tuple(level.float() for level in x)
        with torch.autocast(x[0].device.type, enabled=False):
            return list(self.detector.rpn_head.predict(x, data_samples, rescale=False))

    def seen_maps(self, x: tuple[Tensor, ...], owners: Sequence[int]) -> list[Tensor] | None:
        """Return maps of other frames that RoI features see in training; none here, see ``TemporalRDN``."""
        return None

    # ------------------------------------------------------------- training

    def loss(self, inputs: dict[str, Tensor], data_samples: SampleList, **kwargs) -> dict:
        """Return the losses of B key frames, each with its own pool.

        Args:
            inputs (dict[str, Tensor]): ``img`` (B, 1, 3, H, W), the key frames, and ``ref_img``
                (B, S, 3, H, W), their support frames (left out where there are none).
            data_samples (list[TrackDataSample]): B samples with ground truth.

        Returns:
            dict[str, Tensor]: Loss components of RPN and RoI head.
        """
        batch = len(data_samples)
        imgs, samples, owners = training_frames(inputs, data_samples, self.neck is not None)
        rpn_x, roi_x = self.feature_maps(imgs)
        x = FrameMaps(roi_x, seen=self.seen_maps(roi_x, owners))
        losses, proposals = rpn_losses(self.detector, tuple(level[:batch] for level in rpn_x), data_samples)
        if len(samples) > batch:
            proposals += self.propose(tuple(level[batch:] for level in rpn_x), samples[batch:])
        memories = self._training_pools(x, proposals, samples, owners)
        losses.update(self.detector.roi_head.loss(x.first(batch, memories), proposals[:batch], data_samples))
        return losses

    def parse_losses(self, losses: dict) -> tuple[Tensor, dict]:
        """Sum the losses; on the CPU stop before the backward pass if one is no number.

        There the backward pass of a diverged training may even crash. On accelerators, where a look
        at the losses waits for them, ``FiniteLossHook`` looks from time to time.

        Raises:
            ValueError: A loss is NaN or infinite; names it.
        """
        total, log_vars = super().parse_losses(losses)
        if total.device.type == 'cpu' and not torch.isfinite(total):
            bad = [name for name, value in log_vars.items() if not torch.isfinite(torch.as_tensor(value)).all()]
            raise ValueError(f'{", ".join(bad)} became NaN or infinite: the training diverged')
        return total, log_vars

    def _training_pools(
        self, x: FrameMaps, proposals: Sequence[InstanceData], data_samples: SampleList, owners: Sequence[int]
    ) -> list[RelationMemory] | None:
        """Make the pool of each sample, top K proposals of each of its frames; None without neck."""
        if self.neck is None:
            return None
        chosen = [p[self.support_sampler.select_support(p.scores)] for p in proposals]
        memories = [RelationMemory(self.neck, self.support_sampler, owners.count(i)) for i in range(max(owners) + 1)]
        for owner, frame in zip(owners, self.detector.roi_head.frames(x, chosen, data_samples)):
            memories[owner].append(frame.feats, frame.boxes, frame.scores)
        return memories

    # -------------------------------------------------------------- testing

    def predict(
        self, inputs: dict[str, Tensor], data_samples: SampleList, rescale: bool = True, **kwargs
    ) -> SampleList:
        """Take the next frames of a video; return the results that are ready.

        Results come in frame order, delayed by T frames; those of the last T frames come with the
        video's last frame, known by ``frame_id`` and ``video_length``. An image without them is a video of
        one frame. The state is reset when the video changes.

        Args:
            inputs (dict[str, Tensor]): ``img`` (B, 1, 3, H, W): B frames in order.
            data_samples (list[TrackDataSample]): B samples with meta information.
            rescale (bool): Whether boxes are those of the original frame.

        Returns:
            list[TrackDataSample]: 0 or more frames with ``pred_det_instances``.
        """
        return self.stream.feed_batch(inputs['img'].flatten(0, 1), data_samples, rescale)

    def extract(self, imgs: Tensor, data_samples: SampleList) -> list[FrameProposals]:
        """Return the proposals of B frames, of one video or of several.

        Args:
            imgs (Tensor): (B, 3, H, W), preprocessed.
            data_samples (list[TrackDataSample]): B samples.
        """
        rpn_x, roi_x = self.feature_maps(imgs)
        return self.detector.roi_head.frames(roi_x, self.propose(rpn_x, data_samples), data_samples)

    def flush(self, rescale: bool = True) -> SampleList:
        """End the video; return the results of the frames that still wait, T at most."""
        return self.stream.flush(rescale)

    def detect(
        self,
        frame: FrameProposals,
        window: SlidingWindow | None,
        rescale: bool = True,
        recorders: Sequence[Recorder] = (),
    ) -> TrackDataSample:
        """Detect in a frame that its window handed out.

        Args:
            frame (FrameProposals): The key frame.
            window (SlidingWindow, optional): The window, made by :meth:`new_window`.
            rescale (bool): Whether boxes are those of the original frame.
            recorders (Sequence[Recorder]): Recorders beside those of the model.

        Returns:
            TrackDataSample: The frame's, with ``pred_det_instances``:
            ``bboxes`` (n, 4), ``scores``, ``labels`` and ``proposal_inds`` (n,), and with what the
            recorders record.
        """
        feats, recorders = frame.feats, [*self.recorders, *recorders] if window is not None else []
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
        """Return raw predictions for the proposals of B key frames.

        Args:
            inputs (dict[str, Tensor]): Inputs as in :meth:`loss`.
            data_samples (list[TrackDataSample], optional): B samples with meta information.

        Returns:
            tuple[Tensor, Tensor]: Class logits (B * P, num_classes + 1) and
            box deltas (B * P, 4 * num_classes), of a cascade's last stage.
        """
        if data_samples is None:
            data_samples = plain_samples(inputs)
        batch, head = len(data_samples), self.detector.roi_head
        imgs, samples, owners = training_frames(inputs, data_samples, self.neck is not None)
        rpn_x, roi_x = self.feature_maps(imgs)
        x = FrameMaps(roi_x, seen=self.seen_maps(roi_x, owners))
        proposals = self.propose(rpn_x, samples)
        memories = self._training_pools(x, proposals, samples, owners)
        frames = head.frames(x.first(batch), proposals[:batch], data_samples)
        feats = [frame.feats for frame in frames]
        if memories is not None:
            feats = [memory.aggregate(frame.feats, frame.boxes) for memory, frame in zip(memories, frames)]
        return head.relation_head(torch.cat(feats))
