# Copyright (c) mmrdn contributors. All rights reserved.
"""Converted models compute what MEGA's formulas say, block by block.

The formulas (naive_mega.py) work on the source's state dict in float64. Where a block of ours runs
in float64 too, the numbers agree to 1e-9; else float32 is the limit. Geometry is the most sensitive
part: where two boxes have almost the same centre, a rounding of 1e-5 pixels moves 100 log(distance
+ 1e-3) by some hundredths.
"""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample

from helpers import mega, naive_mega
from helpers.mega import FEATURES, Layout
from mmrdn.apis import VideoInferencer
from mmrdn.apis.model_loading import build_model
from mmrdn.model_converters import convert_mega, convert_state_dict
from mmrdn.models.memory import FrameProposals

SIZE = (96, 150)  # of images
LAYOUTS = [
    Layout('single-frame', 101, False),
    Layout('single-frame', 50, True),
    Layout('rdn-basic', 50, True),
    Layout('rdn', 50, True),
    Layout('rdn', 101, False),
]
# Of which no two detections tie: the order of those would be left to chance.
SEEDS = dict(zip(((x.kind, x.depth) for x in LAYOUTS), (5, 4, 0, 5, 3)))
FULL = LAYOUTS[3]
every_layout = pytest.mark.parametrize('layout', LAYOUTS, ids=lambda x: f'{x.kind}-r{x.depth}')


def weights(layout):
    return mega.state_dict(layout, SEEDS[layout.kind, layout.depth])


def converted(layout, directory, dtype=torch.float32):
    """MEGA's state dict, and our model filled from it."""
    path = mega.write_config(directory / 'tiny.py', layout)
    model = build_model(Config.fromfile(path)).to(dtype).eval()
    state = {key: value.to(dtype) for key, value in weights(layout).items()}
    parameters, _ = convert_state_dict(state, model, layout.kind)
    model.load_state_dict(parameters)
    return state, model


@pytest.fixture(scope='module')
def full(tmp_path_factory):
    """The full RDN in float64."""
    return converted(FULL, tmp_path_factory.mktemp('mega'), torch.double)


def bgr_image(size=SIZE, seed=0):
    """Smooth, so that resizing means something."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 9, 13, generator=generator, dtype=torch.double)
    large = torch.nn.functional.interpolate(small, size, mode='bicubic', align_corners=True)
    pixels = (large[0].permute(1, 2, 0) * 255).clamp(0, 255)
    return pixels.numpy().astype(np.uint8)


def preprocessed(model, frame):
    """Return a frame as the model's data preprocessor makes it."""
    frames = torch.from_numpy(frame).permute(2, 0, 1)[None]
    samples = [TrackDataSample(metainfo=dict(img_shape=frame.shape[:2]))]
    data = model.data_preprocessor(dict(inputs=dict(img=[frames]), data_samples=samples))
    return data['inputs']['img'][:, 0]


def test_images(full):
    """BGR minus means: neither scaled, nor swapped, nor padded."""
    out = preprocessed(full[1], bgr_image())
    assert out.shape == (1, 3, *SIZE)
    torch.testing.assert_close(out.double(), naive_mega.image(bgr_image()), atol=1e-4, rtol=0)


@pytest.mark.parametrize('layout', [LAYOUTS[0], FULL], ids=['r101', 'r50'])
@torch.no_grad()
def test_feature_maps(layout, tmp_path):
    """Stride in the 1x1, dilation in conv5, no epsilon, reduced channels."""
    state, model = converted(layout, tmp_path, torch.double)
    x = naive_mega.image(bgr_image())
    (conv4,), (conv5,) = model.feature_maps(x)
    expected = naive_mega.conv4(state, x)
    assert conv4.shape == (1, 64, 6, 10) and conv4.std() > 0.1
    torch.testing.assert_close(conv4, expected, rtol=1e-9, atol=1e-9)
    assert conv5.shape == (1, 16 if layout.reduced else 128, 6, 10)
    torch.testing.assert_close(conv5, naive_mega.conv5(state, expected), rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_proposals(full):
    """Anchors, deltas, clipping, NMS; and the top 75 of 300 are those of an
    NMS that stops at 75."""
    state, model = full
    model = copy.deepcopy(model).float()
    maps = naive_mega.conv4(state, naive_mega.image(bgr_image()))
    sample = TrackDataSample(metainfo=dict(img_shape=SIZE))
    (found,) = model.propose((maps.float(),), [sample])
    boxes, scores = naive_mega.proposals(state, maps, SIZE, 200, 20)
    assert len(boxes) == 20
    np.testing.assert_allclose(found.bboxes, boxes, atol=1e-3)
    np.testing.assert_allclose(found.scores, scores, atol=1e-5)
    supports = model.support_sampler.select_support(found.scores)
    alone, _ = naive_mega.proposals(state, maps, SIZE, 200, 8)
    np.testing.assert_allclose(found.bboxes[supports], alone, atol=1e-3)


@torch.no_grad()
def test_proposals_without_width_stay(full):
    """Off the image all of a box is on its border, and NMS still sees it."""
    state, model = dict(full[0]), copy.deepcopy(full[1])
    for name, row, more in (('bbox_pred', 16, 5), ('cls_logits', 4, 3)):
        key = f'rpn.head.{name}.bias'
        state[key] = state[key].clone()
        state[key][row] += more  # 64 pixels go far to the right, and first
    model.load_state_dict(convert_state_dict(state, model, 'rdn')[0])
    maps = naive_mega.conv4(state, naive_mega.image(bgr_image()))
    sample = TrackDataSample(metainfo=dict(img_shape=SIZE))
    (found,) = model.float().propose((maps.float(),), [sample])
    boxes, _ = naive_mega.proposals(state, maps, SIZE, 200, 20)
    np.testing.assert_allclose(found.bboxes, boxes, atol=1e-3)
    assert sum(x1 == x2 == SIZE[1] - 1 for x1, _, x2, _ in boxes) >= 3


BOXES = np.array(
    [
        [0.0, 0.0, 149.0, 95.0],  # everything
        [10.3, 5.2, 80.7, 60.1],
        [130.0, 80.0, 149.0, 95.0],
        [149.0, 95.0, 149.0, 95.0],  # one pixel, in the corner
        [20.0, 30.0, 25.0, 90.0],
        [0.0, 40.0, 149.0, 44.0],
    ]
)


@pytest.mark.parametrize('layout', [LAYOUTS[1], FULL], ids=['fc7', 'fcs.0'])
@torch.no_grad()
def test_roi_features(layout, tmp_path):
    """RoI layer without the half-pixel shift, and the fcs before relation."""
    state, model = converted(layout, tmp_path)
    p = naive_mega.doubles(state)
    maps = naive_mega.conv5(p, naive_mega.conv4(p, naive_mega.image(bgr_image())))
    boxes = torch.tensor(BOXES, dtype=torch.float32)
    (found,) = model.detector.roi_head.extract((maps.float(),), [boxes])
    expected = naive_mega.first_fc(p, maps, BOXES)
    if layout.kind == 'single-frame':
        expected = naive_mega.fc(p, f'{FEATURES}fc7', expected).relu()
    assert expected.std() > 0.1
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)


def _pool(frames, num, seed):
    """(features, boxes) of each frame."""
    generator = torch.Generator().manual_seed(seed)
    pool = []
    for _ in range(frames):
        corner = torch.rand(num, 2, generator=generator, dtype=torch.double)
        size = torch.rand(num, 2, generator=generator, dtype=torch.double)
        boxes = torch.cat([corner * 90, corner * 90 + size * 50], 1)
        feats = torch.randn(num, 32, generator=generator, dtype=torch.double).relu()
        pool.append((feats, boxes))
    return pool


@torch.no_grad()
def test_relation(full):
    """Eq. 3-7 with fc + ReLU after Eq. 6, the first 2 of each frame's 8 as
    advanced supports: 1e-9, so W_G's ReLU(x) + 1e-6 is met exactly."""
    state, model = full
    pool = _pool(3, 8, seed=1)
    ((feats, boxes),) = _pool(1, 9, seed=2)
    boxes[0], boxes[1] = pool[0][1][0], pool[1][1][3]  # same place and size
    supports = torch.cat([f for f, _ in pool])
    support_boxes = torch.cat([b for _, b in pool])
    advanced = torch.tensor([0, 1, 8, 9, 16, 17])
    out = model.neck(feats, boxes, supports, support_boxes, advanced)
    expected = naive_mega.related(state, 4, feats, boxes.tolist(), [(f, b.tolist()) for f, b in pool], 2)
    assert (out - feats).std() > 0.1
    torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_without_the_summand_geometry_would_differ(full):
    """The converter's addition to W_G's bias is not lost in rounding."""
    state, model = full
    (feats, boxes), (supports, support_boxes) = _pool(2, 30, seed=3)
    relation = copy.deepcopy(model.neck.basic[0])
    expected = naive_mega.relation(state, 0, 4, feats, boxes.tolist(), supports, support_boxes.tolist())
    torch.testing.assert_close(relation(feats, boxes, supports, support_boxes), expected, rtol=1e-10, atol=1e-10)
    relation.geometry_proj.bias -= 1e-6
    off = relation(feats, boxes, supports, support_boxes) - expected
    assert 1e-8 < off.abs().max() < 1e-4


@torch.no_grad()
def test_advanced_supports_are_the_first_of_each_frame(full):
    """The 2 of 8 with the highest objectness, whatever other frames have."""
    sampler = full[1].support_sampler
    assert sampler.num_support == 8
    scores = torch.tensor([*range(24, 8, -1), *range(8)]).double()
    scores[16:] = torch.arange(7, -1, -1)
    assert sampler.select_advanced(scores, [8, 8, 8]).tolist() == [0, 1, 8, 9, 16, 17]


@torch.no_grad()
def test_detections(full):
    """Softmax with background, boxes of classes, NMS with the last pixel."""
    state, model = full
    model = copy.deepcopy(model).float()
    ((feats, boxes),) = _pool(1, 30, seed=4)
    boxes[:, 2].clamp_(max=SIZE[1] - 1)
    boxes[:, 3].clamp_(max=SIZE[0] - 1)
    sample = TrackDataSample(metainfo=dict(img_shape=SIZE, scale_factor=(1.0, 1.0)))
    feats, boxes = feats.float(), boxes.float()
    found = model.detector.roi_head.detect(feats, FrameProposals(feats, boxes, feats.new_ones(30), sample))
    expected = naive_mega.detections(state, feats.double(), boxes.tolist(), SIZE, 40)
    assert len(expected) == 40 and {label for label, *_ in expected} == {0, 1, 2}
    assert found.labels.tolist() == [label for label, *_ in expected]
    np.testing.assert_allclose(found.scores, [score for _, score, _ in expected], atol=1e-5)
    np.testing.assert_allclose(found.bboxes, [box for *_, box in expected], atol=1e-3)


@pytest.mark.slow
@every_layout
def test_videos(layout, tmp_path):
    """From the file to detections: a clip of 4 frames, shorter than 2T + 1, so
    that both ends are repeated; resized, and boxes in pixels of the frame.

    Scores agree to 1e-3 and boxes to 0.05 pixels: float32, see above.
    """
    state = weights(layout)
    source = mega.save(tmp_path / 'mega.pth', state)
    extra = (
        "\nresize = dict(type='ShorterSideResize', shorter=96, longest=170)\n"
        "test_dataloader['dataset'].update(pipeline=[dict(type='LoadFrame'), "
        "resize, dict(type='PackTrackInputs', pack_single_img=True)])\n"
    )
    config = mega.write_config(tmp_path / 'tiny.py', layout, extra)
    torch.save(convert_mega(source, str(config)).checkpoint, tmp_path / 'ours.pth')
    frames = [bgr_image((120, 171), seed) for seed in range(4)]
    inferencer = VideoInferencer(str(config), tmp_path / 'ours.pth', 'cpu')
    expected = naive_mega.detect(
        state,
        frames,
        heads=4,
        temporal_range=2,
        before=200,
        after=20,
        supports=8,
        advanced=2,
        limit=40,
        shorter=96,
        longest=170,
    )
    outs = list(inferencer.stream(frames))
    assert len(outs) == 4 and sum(map(len, expected)) > 80
    for out, wanted in zip(outs, expected):
        assert_same(out.pred_det_instances, wanted)


def assert_same(found: InstanceData, expected):
    """Each expected detection is there, and no other."""
    left = list(zip(found.labels.tolist(), found.scores.tolist(), found.bboxes.tolist()))
    assert len(left) == len(expected)
    for label, score, box in expected:
        close = [
            other
            for other in left
            if other[0] == label and abs(other[1] - score) < 1e-3 and np.abs(np.subtract(other[2], box)).max() < 0.05
        ]
        assert close, (label, score, box)
        left.remove(close[0])


@torch.no_grad()
def test_repeated_frames_matter(tmp_path):
    """A pool of each frame once gives other features."""
    state, model = converted(FULL, tmp_path, torch.double)
    pool = _pool(2, 8, seed=5)
    feats, boxes = pool[0]
    frames = [(f, b.tolist()) for f, b in pool]
    expected = naive_mega.related(state, 4, feats, boxes.tolist(), [frames[i] for i in (0, 0, 0, 1, 1)], 2)
    once = naive_mega.related(state, 4, feats, boxes.tolist(), frames, 2)
    assert (expected - once).abs().max() > 1e-2
    memory = model.window.memory
    for i in (0, 0, 0, 1, 1):
        memory.append(*pool[i], torch.arange(8, 0, -1).double())
    torch.testing.assert_close(memory.aggregate(feats, boxes), expected, rtol=1e-9, atol=1e-9)
