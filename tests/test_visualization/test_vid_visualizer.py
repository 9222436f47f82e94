# Copyright (c) mmrdn contributors. All rights reserved.
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer
from mmtrack.structures import TrackDataSample
from torch import Tensor

from mmrdn.registry import VISUALIZERS
from mmrdn.setup_env import register_all_modules
from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.visualization import FrameDrawer, class_color
from mmrdn.visualization.canvas import panel_margin, title_height
from mmrdn.visualization.support_strip import StripLayout
from mmrdn.visualization.vid_visualizer import VIDVisualizer

CLASSES = ('zero', 'one', 'two')
BOXES = [[20, 40, 70, 90], [100, 40, 140, 90], [30, 60, 50, 80]]
IMAGE = np.full((120, 160, 3), 128, np.uint8)


def instances(boxes=BOXES, labels=(0, 1, 2), **kwargs):
    return InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.long),
        **{k: torch.tensor(v) for k, v in kwargs.items()},
    )


def sample(scores=(0.9, 0.5, 0.2), boxes=BOXES, labels=(0, 1, 2), **kwargs):
    data_sample = TrackDataSample()
    data_sample.pred_det_instances = instances(boxes, labels, scores=list(scores), **kwargs)
    return data_sample


def add_supports(data_sample, rows, offsets):
    """Supports of detections ``rows``, all at one place."""
    shape = (len(rows), len(offsets))
    data_sample.top_supports = InstanceData(
        detection_inds=torch.tensor(rows, dtype=torch.long),
        frame_offsets=torch.tensor(offsets).expand(shape),
        bboxes=torch.tensor([60.0, 40, 80, 60]).expand(*shape, 4),
        weights=torch.linspace(0.2, 0.1, shape[1]).expand(shape),
    )
    return data_sample


def drawn(image, boxes, **fields):
    """Boxes of class 0, 1, ...: detections if there are scores."""
    kind = FrameDetections if 'scores' in fields else FrameAnnotations
    return FrameDrawer(CLASSES).draw_boxes(image, kind(bboxes=boxes, labels=np.arange(len(boxes)), **fields))


def colored(picture, label):
    return (picture == class_color(label)).all(-1).any()


@pytest.mark.parametrize('width', [1, 5])
def test_arguments_of_mmdet_are_taken(width):
    """A config of mmdet works; of its arguments the line width counts."""
    visualizer = VIDVisualizer(
        classes=CLASSES, bbox_color='red', text_color=(200, 200, 200), mask_color=None, line_width=width, alpha=0.5
    )
    assert (visualizer.bbox_color, visualizer.alpha) == ('red', 0.5)
    box = sample(scores=(0.9,), boxes=[[20, 40, 120, 110]], labels=(1,))
    picture = visualizer.draw(IMAGE, box)
    # Along a row through the middle there are two edges, nothing else.
    is_edge = (picture[75] == class_color(1)).all(-1)
    plain = cv2.rectangle(np.zeros((120, 160)), (20, 40), (120, 110), 1, width)
    assert (is_edge == plain[75]).all() and is_edge.sum() >= 2 * width


@pytest.mark.parametrize(
    'kwargs, error, message',
    [
        (dict(line_width=0), ValueError, 'line_width must be 1 pixel or more, got 0'),
        (dict(line_widht=1), TypeError, 'line_widht'),
    ],
)
def test_bad_arguments_are_named(kwargs, error, message):
    with pytest.raises(error, match=message):
        VIDVisualizer(**kwargs)


def test_it_is_built_by_name():
    register_all_modules()
    visualizer = VISUALIZERS.build(dict(type='VIDVisualizer', name='built', classes=CLASSES))
    assert isinstance(visualizer, VIDVisualizer)
    Visualizer._instance_dict.pop('built')  # hooks take the newest


def test_detections_from_the_threshold_on_are_drawn():
    out = VIDVisualizer(classes=CLASSES, score_thr=0.5).draw(IMAGE, sample([0.9, 0.5, 0.2]))
    expected = drawn(IMAGE, BOXES[:2], scores=[0.9, 0.5])
    assert (out == expected).all() and not colored(out, 2)


def test_tracks_are_numbered():
    out = VIDVisualizer(classes=CLASSES).draw(IMAGE, sample(instances_id=[4, -1, 5]))
    expected = drawn(IMAGE, BOXES[:2], scores=[0.9, 0.5], track_ids=[4, -1])
    assert (out == expected).all()


@pytest.mark.parametrize('convert', [Tensor.bfloat16, Tensor.numpy])
def test_results_of_any_kind_are_drawn(convert):
    """Results may be bfloat16 tensors or arrays."""
    visualizer, data_sample = VIDVisualizer(classes=CLASSES), sample()
    expected = visualizer.draw(IMAGE, data_sample)
    found = data_sample.pred_det_instances
    for key in ('bboxes', 'scores'):
        found[key] = convert(found[key])
    assert (visualizer.draw(IMAGE, data_sample) == expected).all()


def test_scale_makes_images_larger():
    out = VIDVisualizer(classes=CLASSES, scale=3).draw(IMAGE, sample())
    assert out.shape == (360, 480, 3)
    assert (out[200, 60] == class_color(0)).all()


def test_classes_come_from_the_data_set():
    visualizer = VIDVisualizer()
    with pytest.raises(ValueError, match='needs class names'):
        visualizer.draw(IMAGE, sample())
    for key in ('CLASSES', 'classes'):
        visualizer.dataset_meta = {key: CLASSES}
        assert colored(visualizer.draw(IMAGE, sample()), 0)


def test_strip_shows_the_supports_of_the_best_detection():
    """Frames of one color each; those at -2 and 1 are the supports."""
    visualizer = VIDVisualizer(classes=CLASSES, num_supports=2)
    frames = {t: np.full_like(IMAGE, 128 + 20 * t) for t in range(-3, 4)}
    data_sample = add_supports(sample(), [0, 1], [-2, 1])
    out = visualizer.draw(IMAGE, data_sample, frames)
    layout = StripLayout(120, 160, 2)
    assert out.shape == (120 + layout.height, 160, 3)
    strip = out[120:]
    counts = np.bincount(strip[(strip == strip[..., :1]).all(2)][:, 0], minlength=256)
    half = layout.tile**2 // 2
    assert (np.flatnonzero(counts > half) == [32, 88, 128, 148]).all()
    assert colored(strip, 0) and not colored(strip, 1)
    # The detection is marked in the image, the others are not.
    assert (out[65, 19] == 255).all() and (out[65, 99] == 128).all()


def test_another_detection_can_be_explained():
    visualizer = VIDVisualizer(classes=CLASSES)
    data_sample = add_supports(sample(), [0, 1], [0])
    out = visualizer.draw(IMAGE, data_sample, {0: IMAGE}, explain=1)
    assert colored(out[120:], 1) and not colored(out[120:], 0)
    assert (out[65, 99] == 255).all()
    with pytest.raises(ValueError, match=r'explain=2, but .* detections \[0, 1\] only'):
        visualizer.draw(IMAGE, data_sample, {0: IMAGE}, explain=2)


@pytest.mark.parametrize('size', [(120, 160), (121, 333), (480, 640)])
def test_images_of_a_video_have_one_size(size):
    """With detections, without, with few supports and with missing frames."""
    visualizer = VIDVisualizer(classes=CLASSES)
    image = np.zeros((*size, 3), np.uint8)
    samples = [
        add_supports(sample(), [0, 1], list(range(-2, 3))),
        add_supports(sample(), [0], [0]),
        add_supports(sample([], [], []), [], [0]),
        add_supports(sample([0.2, 0.1, 0.1]), [], [0]),
    ]
    shapes = {visualizer.draw(image, s, {0: image}).shape for s in samples}
    assert len(shapes) == 1
    strip = visualizer.draw(image, samples[2], {0: image})[size[0] :]
    assert len(strip) > 20 and (strip == 32).all()


def test_supports_must_be_known():
    with pytest.raises(ValueError, match='no top_supports: append TopSupp'):
        VIDVisualizer(classes=CLASSES).draw(IMAGE, sample(), {0: IMAGE})


@pytest.mark.parametrize(
    'data_sample, message',
    [
        (sample(labels=(0, 7, 2)), 'box 1: label 7, but there are 3 classes'),
        (sample([0.9, np.nan, 0.5]), 'scores must be finite, got nan'),
        (TrackDataSample(), "a data sample must have the field 'pred_det_instances'"),
    ],
)
def test_bad_results_are_named(data_sample, message):
    with pytest.raises(ValueError, match=message):
        VIDVisualizer(classes=CLASSES).draw(IMAGE, data_sample)


def test_gray_images_are_refused():
    visualizer = VIDVisualizer(classes=CLASSES)
    with pytest.raises(ValueError, match=r'image must .* got \(120, 160\)'):
        visualizer.draw(IMAGE[..., 0], sample())
    with pytest.raises(ValueError, match=r'supports\[-1\] must .* \(120, 160'):
        visualizer.draw(IMAGE, add_supports(sample(), [0], [-1]), {-1: IMAGE[..., 0]})
    with pytest.raises(ValueError, match=r'image must .* got \(120, 160\)'):
        visualizer.add_datasample('a', IMAGE[..., 0], sample())


@pytest.mark.parametrize('key', ['scale', 'num_supports'])
def test_arguments_are_checked(key):
    for value in (0, 1.5):
        with pytest.raises(ValueError, match=f'{key} must be'):
            VIDVisualizer(classes=CLASSES, **{key: value})


def test_models_stand_side_by_side():
    visualizer = VIDVisualizer(classes=CLASSES)
    samples = dict(a=sample(), b=sample([0.1, 0.9, 0.1]))
    out = visualizer.side_by_side(IMAGE, samples)
    top, margin = title_height(120, 160), panel_margin(120, 160)
    assert out.shape == (120 + top, 2 * 160 + 3 * margin, 3)
    for i, data_sample in enumerate(samples.values()):
        left = margin + i * (160 + margin)
        assert (out[top:, left : left + 160] == visualizer.draw(IMAGE, data_sample)).all()
    with pytest.raises(ValueError, match='one data sample or more'):
        visualizer.side_by_side(IMAGE, {})


def test_backends_get_the_image(tmp_path):
    """As MMEngine's hooks call it: RGB in, a file of it out."""
    visualizer = VIDVisualizer(vis_backends=[dict(type='LocalVisBackend')], save_dir=str(tmp_path), classes=CLASSES)
    image = IMAGE.copy()
    image[..., 0] = 200  # red
    data_sample = sample()
    data_sample.gt_instances = InstanceData()  # a test loads no ground truth
    visualizer.add_datasample('frame', image, data_sample, pred_score_thr=0.6, step=7)
    written = cv2.imread(str(tmp_path / 'vis_data/vis_image/frame_7.png'))
    expected = drawn(image[..., ::-1].copy(), BOXES[:1], scores=[0.9])
    assert (written == expected).all()
    assert (visualizer.get_image() == expected[..., ::-1]).all()


def test_ground_truth_stands_beside_detections(tmp_path):
    """Also of mmdet's data samples; into a file if one is named."""
    data_sample = DetDataSample()
    data_sample.gt_instances = instances()
    data_sample.pred_instances = instances(scores=[0.9, 0.1, 0.1])
    visualizer = VIDVisualizer(classes=CLASSES)
    path = tmp_path / 'out.png'
    visualizer.add_datasample('frame', IMAGE, data_sample, out_file=str(path))
    out = cv2.imread(str(path))
    top, margin = title_height(120, 160), panel_margin(120, 160)
    truth = out[top:, margin : margin + 160]
    assert (truth == drawn(IMAGE, BOXES)).all()
    found = out[top:, 160 + 2 * margin : 320 + 2 * margin]
    assert (found == drawn(IMAGE, BOXES[:1], scores=[0.9])).all()
    with pytest.raises(OSError, match='cannot be written'):
        visualizer.add_datasample('frame', IMAGE, out_file=str(tmp_path / 'no' / 'out.png'))


def test_hooks_draw_the_results_of_a_test(run_main, tiny_config, trained, digits, tmp_path):
    """Each frame of four videos by its own name, though results come late."""
    hook = 'default_hooks.visualization'
    status, _, err = run_main(
        'test.py',
        tiny_config,
        trained / 'iter_8.pth',
        '--work-dir',
        tmp_path,
        '--cfg-options',
        f'{hook}.draw=True',
        f'{hook}.interval=1',
    )
    assert status == 0, err
    images = json.loads((digits / 'annotations' / 'moving_digits_val.json').read_text())['images']
    paths = sorted(tmp_path.glob('*/vis_data/vis_image/*.png'))
    names = {'test_{0.parent.name}_{0.stem}_0'.format(Path(image['file_name'])) for image in images}
    assert len(names) == 20 and {path.stem for path in paths} == names
    assert {cv2.imread(str(path)).shape for path in paths} == {(128, 160, 3)}
