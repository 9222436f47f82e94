# Copyright (c) mmrdn contributors. All rights reserved.
"""mmtrack's detectors on videos find what their test finds in the data set, frame by frame."""

import re
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope, init_default_scope

from helpers.mmtrack_detectors import SAMPLERS, build_small
from helpers.videos import read_mp4, tiny_inferencer
from mmrdn.apis import VideoInferencer
from mmrdn.comparison.video_comparison import compare_on_video
from mmrdn.inference.video_run import detect
from mmrdn.models import ByteTracker
from mmrdn.setup_env import register_all_modules
from mmrdn.video import BaseSource, FrameBuffer, ImageFolderSource, LiveSource
from mmrdn.visualization import FrameDrawer
from mmrdn.visualization.canvas import panel_margin

CASES = [(kind, way) for kind in ('selsa', 'fgfa', 'temporal_roi_align') for way in SAMPLERS] + [('dff', None)]
LOOKAHEAD = {'stride 1': 1, 'stride 2': 2, 'adaptive': None, None: 0}


@pytest.fixture(autouse=True)
def scope():
    """The default scope afterwards is what it was."""
    register_all_modules(init_default_scope=False)
    before = DefaultScope.get_current_instance()
    init_default_scope('mmrdn')
    yield
    if before is not None:
        init_default_scope(before.scope_name)


@pytest.fixture
def case(digits):
    """A detector, the directories of its two videos, and a function that tests on the data set."""

    def make(kind, way=None, **changes):
        if kind == 'dff':
            changes.setdefault('test_cfg', dict(key_frame_interval=2))
        cfg, model, dataset = build_small(kind, digits, way, **changes)
        paths = [dataset.get_data_info(i)['img_path'] for i in range(10)]
        directories = [ImageFolderSource(path.rpartition('/')[0]) for path in (paths[0], paths[5])]
        assert [*directories[0].paths, *directories[1].paths] == paths

        @torch.no_grad()
        def test_data_set():
            results = [model.test_step(pseudo_collate([dataset[i]]))[0].pred_det_instances for i in range(10)]
            assert all(len(found.scores) > 10 and found.scores.std() > 0 for found in results)
            return results

        return SimpleNamespace(cfg=cfg, model=model, videos=directories, test=test_data_set)

    return make


def infer(case, **kwargs):
    return VideoInferencer(case.cfg, model=case.model, device='cpu', **kwargs)


def assert_same(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        for field in ('bboxes', 'scores', 'labels'):
            assert torch.equal(ours.pred_det_instances[field], theirs[field])


@pytest.mark.slow
@pytest.mark.parametrize('kind, way', CASES)
def test_results_are_those_of_the_data_set(kind, way, case):
    """Two videos through one detector, as arrays and as images; and as late as they must be."""
    given = case(kind, way)
    expected = given.test()
    inferencer = infer(given)
    assert inferencer.lookahead == LOOKAHEAD[way]
    delay = 5 if inferencer.lookahead is None else inferencer.lookahead
    for i, source in enumerate(given.videos):
        images = [cv2.imread(path) for path in source.paths]
        stream, results, lengths = inferencer.open_stream(), [], []
        for image in images:
            results += stream.feed(stream.prepare(image))
            lengths.append(len(results))
        assert lengths == [max(n - delay, 0) for n in range(1, 6)]
        results += stream.flush()
        assert [result.frame_id for result in results] == list(range(5))
        assert_same(results, expected[5 * i : 5 * i + 5])
        results[0].pred_det_instances.bboxes += 1  # may be changed
        found = [detections for detections, *_ in detect(inferencer.open_stream(), source, FrameBuffer(), False)]
        for ours, theirs in zip(found, expected[5 * i : 5 * i + 5]):
            assert (ours.scores == theirs.scores.numpy()).all() and (ours.bboxes == theirs.bboxes.numpy()).all()


@pytest.mark.slow
def test_tracks_are_those_of_the_results(case):
    """Given to a tracker afterwards, the results get the same tracks; the next video starts over."""
    given, options = case('selsa', 'stride 1'), dict(obj_score_thrs=dict(high=0.02, low=0.01))
    inferencer = infer(given, tracker=dict(options, type='ByteTracker'))
    for source in given.videos:
        images = [cv2.imread(path) for path in source.paths]
        found, plain = list(inferencer.stream(images)), list(infer(given).stream(images))
        tracker, seen = ByteTracker(**options), set()
        for ours, theirs in zip(found, plain, strict=True):
            assert torch.equal(ours.pred_det_instances.bboxes, theirs.pred_det_instances.bboxes)
            tracker.add_ids(theirs)
            ids = theirs.pred_det_instances.instances_id.tolist()
            assert ours.pred_det_instances.instances_id.tolist() == ids
            seen.update(ids)
        assert len(seen - {-1}) > 1


class Claims(ImageFolderSource):
    """A video whose header tells another number of frames, or none."""

    def __init__(self, directory, claimed):
        super().__init__(directory)
        self.num_frames = claimed
        self.num_read = 0

    def _frames(self):
        for frame in super()._frames():
            self.num_read += 1
            yield frame


@pytest.mark.slow
@pytest.mark.parametrize('claimed, num_passes', [(5, 1), (3, 2), (50, 2), (None, 2)])
def test_the_whole_video_is_looked_at_first(claimed, num_passes, case):
    """Frames that are no reference are not kept: the first result comes as the first frame does."""
    given = case('selsa', 'adaptive')
    expected = given.test()[:5]
    source = Claims(given.videos[0].name, claimed)
    stream = infer(given).open_stream()
    stream.begin(source)
    assert source.num_read == 5 * num_passes
    results = []
    for i, path in enumerate(source.paths):
        results += stream.feed(stream.prepare(cv2.imread(path)))
        assert len(results) == i + 1
    assert_same(results, expected)


class Camera(LiveSource):
    """A camera that is not opened."""

    def __init__(self):
        BaseSource.__init__(self, 'camera 0')


@pytest.mark.slow
def test_outputs_and_a_linker(case, tmp_path):
    """Through the outputs of videos; without a linker the boxes have the scores of the data set's test."""
    given = case('selsa', 'stride 1')
    expected = given.test()[:5]
    linker = dict(type='TubeLinking')
    summary = infer(given, linker=linker)(
        given.videos[0].name, tmp_path / 'o.mp4', tmp_path / 'o.jsonl', tmp_path / 'o.txt', score_thr=0
    )
    assert summary.frames == len(read_mp4(tmp_path / 'o.mp4')[0]) == 5
    assert re.search('"track_id": [0-9]', (tmp_path / 'o.jsonl').read_text())
    infer(given)(given.videos[0].name, out_mot=tmp_path / 'p.txt', score_thr=0)
    rows = [line.split(',') for line in (tmp_path / 'p.txt').read_text().splitlines()]
    for i, theirs in enumerate(expected):
        scores = sorted(float(row[6]) for row in rows if row[0] == str(i + 1))
        assert scores == pytest.approx(sorted(theirs.scores.tolist()), abs=1e-6)


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(lookahead=0), 'SELSA cannot do with lookahead=0: its test config looks at 1 frames ahead'),
        (
            dict(linker=dict(type='BoxLinkingWithRelations')),
            'BoxLinkingWithRelations needs relation weights, which SELSA does not give; TubeLinking and SeqNMS do',
        ),
    ],
)
def test_what_cannot_be_done_is_refused(kwargs, message, case):
    with pytest.raises(ValueError, match=re.escape(message)):
        infer(case('selsa', 'stride 1'), **kwargs)


def test_what_cannot_be_done_with_a_video_is_refused(case, tmp_path):
    given = case('selsa', 'adaptive')
    inferencer = infer(given)
    images = [cv2.imread(path) for path in given.videos[0].paths]
    with pytest.raises(ValueError, match='SELSA keeps the features of one video: it cannot detect in several at once'):
        next(inferencer.stream_many([images, images]))
    with pytest.raises(ValueError, match='SELSA has no relation weights to record'):
        inferencer.open_stream(recorders=[object()])
    with pytest.raises(ValueError, match='show_relations needs a model with a basic stage'):
        inferencer(given.videos[0].name, tmp_path / 'o.mp4', show_relations=True)
    with pytest.raises(ValueError, match='SELSA looks at the whole video first: it cannot detect in camera 0'):
        inferencer(Camera(), out_json=tmp_path / 'o.jsonl')
    with pytest.raises(ValueError, match='SELSA needs frames of one size, got .* after the test pipeline'):
        list(inferencer.stream([images[0], images[0][:90]]))
    assert list(tmp_path.iterdir()) == []


def test_two_videos_at_once_are_noticed(case):
    """The features of the second one are in the place of the first one's."""
    given = case('dff')
    inferencer = infer(given, lookahead=0)
    image = cv2.imread(given.videos[0].paths[0])
    first, second = inferencer.open_stream(), inferencer.open_stream()
    for stream in (first, second):
        assert len(stream.feed(stream.prepare(image))) == 1
    assert len(second.feed(second.prepare(image))) == 1
    with pytest.raises(ValueError, match='DFF keeps the features of one video, and another one was begun meanwhile'):
        first.feed(first.prepare(image))


@pytest.mark.parametrize(
    'sampler, message',
    [
        (
            dict(num_ref_imgs=2, frame_range=9, method='bilateral_uniform'),
            'ref_img_sampler must have method test_with_adaptive_stride or test_with_fix_stride, or be None, got '
            'bilateral_uniform',
        ),
        (SAMPLERS['stride 1'], 'a test pipeline with a ref_img_sampler must begin with a TransformBroadcaster'),
    ],
)
def test_configs_that_are_of_no_use(sampler, message, case):
    given = case('dff')
    given.cfg.test_dataloader.dataset.ref_img_sampler = sampler
    with pytest.raises(ValueError, match=message):
        infer(given)


@pytest.mark.slow
def test_side_by_side(case, tmp_path):
    """RDN and SELSA, each in its panel, each with the boxes that it finds alone."""
    given = case('selsa', 'stride 1')
    detectors = dict(RDN=tiny_inferencer(), SELSA=infer(given))
    directory = given.videos[0].name
    seen = []
    count = compare_on_video(
        directory,
        tmp_path / 'side.mp4',
        {name: lambda found=found: found for name, found in detectors.items()},
        score_thr=0.4,
        progress=lambda *state: seen.append(state),
    )
    frames, _ = read_mp4(tmp_path / 'side.mp4')
    assert count == len(frames) == 5 and seen == [(i, 5) for i in range(1, 6)]
    drawn = {}
    for name, inferencer in detectors.items():
        found = [f for f, *_ in detect(inferencer.open_stream(), ImageFolderSource(directory), FrameBuffer(), False)]
        drawer = FrameDrawer(inferencer.classes, scale=3)
        drawn[name] = [
            drawer.draw_boxes(cv2.imread(path), boxes.select(boxes.scores >= 0.4))
            for path, boxes in zip(given.videos[0].paths, found)
        ]
    height, width = drawn['RDN'][0].shape[:2]
    margin = panel_margin(height, width)
    # The video differs from the drawing of the right detector by its compression only.
    errors = np.array(
        [
            [
                np.mean([np.abs(f[-height:, x : x + width].astype(int) - p).mean() for f, p in zip(frames, panels)])
                for panels in drawn.values()
            ]
            for x in (margin, 2 * margin + width)
        ]
    )
    assert (errors.argmin(axis=1) == (0, 1)).all() and (errors.min(axis=1) < 0.5 * errors.max(axis=1)).all(), errors
