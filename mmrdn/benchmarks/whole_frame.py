# Copyright (c) mmrdn contributors. All rights reserved.
"""A whole frame of 600 x 1000 pixels: RDN, one frame alone, SELSA.

Weights and frames are random: what is computed does not depend on them, as RPN keeps as many
proposals of a frame as it may, 300, either way (this is checked).
"""

import copy
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from mmtrack.structures import TrackDataSample

from mmrdn.benchmarks.timing import Stages, take_turns
from mmrdn.models import RDN
from mmrdn.registry import MODELS

SIZE = (600, 1000)  # pixels, height and width
CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'rdn'
SINGLE = 'single-frame_faster-rcnn_{}-dc5_4xb1-120k_imagenetvid.py'
RDN_CONFIG = 'rdn_faster-rcnn_{}-dc5_4xb1-60k_imagenetvid.py'
_SELSA = 'mmtrack::vid/selsa/selsa_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py'


def random_model(cfg: ConfigDict, seed: int, device: torch.device | str = 'cpu') -> torch.nn.Module:
    """Build a model without downloading weights."""
    init_default_scope('mmrdn')
    torch.manual_seed(seed)
    cfg = copy.deepcopy(cfg)
    cfg.detector.backbone.init_cfg = None
    cfg.detector.pop('init_cfg', None)
    model = MODELS.build(cfg)
    model.init_weights()
    return model.eval().to(device)


def sample(frame_id: int, size: tuple[int, int] = SIZE) -> TrackDataSample:
    """Make the meta information of a frame of an endless video."""
    shapes = dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0))
    return TrackDataSample(metainfo=dict(shapes, img_id=frame_id, frame_id=frame_id, video_id=0, video_length=10**9))


class Contender:
    """A detector that takes a frame at each call, and the time of its stages.

    Args:
        step (callable): Function that takes a frame.
        *parts (tuple[Any, str, str]): See :meth:`Stages.watching`.
    """

    def __init__(self, step: Callable[[], Any], *parts: tuple[Any, str, str]) -> None:
        self.step, self.parts = step, parts
        self.stages = Stages()

    def __call__(self) -> None:
        with torch.inference_mode(), self.stages.watching(*self.parts):
            self.step()


def rdn_frames(model: RDN, image: torch.Tensor) -> Contender:
    """Make a contender of an RDN (or single-frame detector), window full.

    Args:
        model (RDN): The detector.
        image (Tensor): (1, 1, 3, H, W) input of every frame.
    """
    frame_ids = itertools.count()
    with torch.inference_mode():
        (first,) = model.extract(image[0], [sample(0)])
        expected = model.detector.rpn_head.test_cfg.max_per_img
        if len(first) != expected:
            raise ValueError(f'RPN gave {len(first)} proposals, expected {expected}')
        # The window fills without a pass of the backbone for each frame.
        for frame_id in itertools.islice(frame_ids, 2 * model.temporal_range + 1):
            frame = copy.copy(first)
            frame.data_sample = sample(frame_id)
            model.stream.advance(frame, rescale=True)

    def step() -> None:
        results = model.predict(dict(img=image), [sample(next(frame_ids))])
        assert len(results) == 1

    head = model.detector.roi_head
    parts = [
        (model.detector, 'extract_feat', 'backbone'),
        (model.detector.rpn_head, 'predict', 'RPN'),
        (head, 'extract', 'RoI'),
        (head.bbox_head, 'forward', 'head'),
        (head, 'detect', 'NMS'),
    ]
    if model.window is not None:
        parts.append((model.window.memory, 'aggregate', 'relation'))
    return Contender(step, *([] if image.is_cuda else parts))  # a GPU would wait at the end of each stage


def selsa_frames(model: torch.nn.Module, image: torch.Tensor, supports: int) -> Contender:
    """Make a contender of mmtrack's SELSA in its adaptive-stride test.

    The feature maps of the support frames are there already, as after the first frame of a video;
    RPN and RoI head run on all of them again.

    Args:
        model (nn.Module): mmtrack's detector.
        image (Tensor): (1, 1, 3, H, W) input of every frame.
        supports (int): Number of support frames.
    """
    detector = model.detector
    with torch.inference_mode():
        maps = detector.extract_feat(image[0])
    model.memo = ConfigDict(
        feats=[level.repeat(supports, 1, 1, 1) for level in maps], img_metas=[sample(0).metainfo] * supports
    )
    return Contender(
        lambda: model.predict(dict(img=image), [sample(1)]),
        (detector, 'extract_feat', 'backbone'),
        (detector.rpn_head, 'predict', 'RPN'),
        (detector.roi_head, 'predict', 'RoI, relation, head'),
    )


def rdn_on_selsa_detector(cfg: ConfigDict) -> ConfigDict:
    """Return the config of RDN on the very detector that mmtrack gives to SELSA."""
    cfg = copy.deepcopy(cfg)
    head = cfg.detector.roi_head
    head.type = 'mmrdn.RDNRoIHead'
    head.bbox_roi_extractor.type = 'SingleRoIExtractor'
    head.bbox_head.update(type='mmrdn.RDNBBoxHead', num_shared_fcs=1)
    head.bbox_head.pop('aggregator')
    cfg.update(type='RDN', temporal_range=18, neck=dict(type='RelationAggregator'))
    return cfg


def time_decoding(repeats: int, seed: int) -> dict[str, dict]:
    """Time the decoding of a frame's JPEG to a float tensor."""
    noise = np.random.default_rng(seed).integers(0, 255, (30, 50, 3))
    image = cv2.resize(noise.astype(np.uint8), SIZE[::-1])
    data = cv2.imencode('.jpg', image)[1]

    def decode() -> torch.Tensor:
        frame = torch.from_numpy(cv2.imdecode(data, cv2.IMREAD_COLOR))
        return (frame.permute(2, 0, 1).flip(0).float() - 120) / 58

    return take_turns(dict(decode=decode), repeats)


def random_image(seed: int) -> torch.Tensor:
    """Draw an input (1, 1, 3, 608, 1008): SIZE, padded to a multiple of 16."""
    torch.manual_seed(seed)
    return torch.randn(1, 1, 3, 608, 1008)


def resnet101_contenders(image: torch.Tensor, seed: int) -> dict[str, Contender]:
    """Build a single-frame detector, and RDN at T = 3, 18, 24 around it.

    One detector for all, as the time of RoIAlign depends on the boxes.
    """
    single = random_model(Config.fromfile(CONFIGS / SINGLE.format('r101')).model, seed, image.device)
    contenders = {'single frame r101': rdn_frames(single, image)}
    for temporal_range in (3, 18, 24):
        cfg = Config.fromfile(CONFIGS / RDN_CONFIG.format('r101')).model
        cfg.temporal_range = temporal_range
        model = random_model(cfg, seed, image.device)
        model.detector = single.detector
        contenders[f'RDN T={temporal_range} r101'] = rdn_frames(model, image)
    return contenders


def selsa_contenders(image: torch.Tensor, seed: int) -> dict[str, Contender]:
    """Build mmtrack's SELSA and RDN on ResNet-50."""
    cfg = get_config(_SELSA).model
    ours = Config.fromfile(CONFIGS / RDN_CONFIG.format('r50')).model
    return {
        'RDN T=18 r50': rdn_frames(random_model(ours, seed, image.device), image),
        "RDN T=18 on SELSA's r50": rdn_frames(random_model(rdn_on_selsa_detector(cfg), seed, image.device), image),
        'SELSA 36 supports r50': selsa_frames(random_model(cfg, seed, image.device), image, 36),
    }


def time_frames(repeats: int, seed: int = 0, quick: bool = False) -> dict[str, dict]:
    """Time a frame of each detector, by stages.

    Args:
        repeats (int): Frames that count; SELSA has half of them.
        seed (int): Seed of weights and frames.
        quick (bool): Whether to leave out SELSA.

    Returns:
        dict[str, dict]: Summary by detector, with the mean seconds of its ``stages``.
    """
    image = random_image(seed)
    result = time_decoding(repeats, seed)
    groups = [(resnet101_contenders, repeats)]
    groups += [] if quick else [(selsa_contenders, max(1, repeats // 2))]
    for group, rounds in groups:
        contenders = group(image, seed)
        times = take_turns(contenders, rounds)
        for name, row in times.items():
            stages = {stage: seconds / (rounds + 1) for stage, seconds in contenders[name].stages.seconds.items()}
            result[name] = dict(row, stages=stages)
    return result
