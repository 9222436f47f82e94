# Copyright (c) mmrdn contributors. All rights reserved.
import json
import os
import re
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from helpers.tools import ROOT
from helpers.videos import CLASSES, noise, read_mp4, tiny_inferencer
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.inference.video_outputs import VideoOutputs, fit_scale
from mmrdn.video import open_source
from mmrdn.visualization.vid_visualizer import VIDVisualizer

REAL_CLIP = ROOT.parent / 'shared' / 'data' / 'demo.mp4'  # see its README


@pytest.mark.slow
@pytest.mark.parametrize('lookahead', [0, None])
def test_all_outputs(lookahead, clip, tmp_path):
    path, times = clip
    inferencer = tiny_inferencer(lookahead)
    outputs = dict(
        out_video=tmp_path / 'o.mp4',
        out_json=tmp_path / 'o.jsonl',
        out_mot=tmp_path / 'o.txt',
        out_images=str(tmp_path / 'images'),
    )
    ticks = []
    summary = inferencer(path, **outputs, score_thr=0.2, progress=lambda *args: ticks.append(args))
    assert (summary.frames, summary.truncated, summary.skipped) == (8, False, [])
    assert list(map(str, summary.outputs)) == list(map(str, outputs.values()))
    assert str(summary).startswith('8 frames in ')
    assert ticks == [(i, 8) for i in range(1, 9)]

    expected = list(inferencer.stream(frame.image for frame in open_source(path)))
    lines = list(map(json.loads, outputs['out_json'].read_text().splitlines()))
    assert [line['frame'] for line in lines] == list(range(8))
    assert [line['time'] for line in lines] == pytest.approx(times)
    num = 0
    for line, sample in zip(lines, expected):
        found = sample.pred_det_instances
        found = found[found.scores >= 0.2]
        assert (line['width'], line['height']) == (64, 48)
        assert len(line['detections']) == len(found)
        for detection, box, score, label in zip(line['detections'], found.bboxes, found.scores, found.labels):
            num += 1
            assert detection['bbox'] == pytest.approx(box.tolist(), abs=1e-3)
            assert detection['score'] == pytest.approx(float(score), abs=1e-4)
            assert detection['class'] == CLASSES[label]
            assert 'track_id' not in detection
    assert num > 0
    assert len(outputs['out_mot'].read_text().splitlines()) == num

    pictures, written = read_mp4(outputs['out_video'])
    assert written == pytest.approx(times, abs=2e-5)
    names = sorted(os.listdir(outputs['out_images']))
    assert names == [f'{i:06d}.jpg' for i in range(8)]
    visualizer = VIDVisualizer(classes=CLASSES, score_thr=0.2)
    drawn = [visualizer.draw(frame.image, sample) for frame, sample in zip(open_source(path), expected)]
    for i, name in enumerate(names):
        image = cv2.imread(str(tmp_path / 'images' / name)).astype(int)
        own, video, other = (np.abs(image - picture).mean() for picture in (drawn[i], pictures[i], drawn[(i + 3) % 8]))
        assert max(own, video) < 0.5 * other
    assert sorted(os.listdir(tmp_path)) == ['clip.mp4', 'images', 'o.jsonl', 'o.mp4', 'o.txt']


@pytest.mark.slow
def test_coco_vid_and_classes(clip, tmp_path):
    inferencer = tiny_inferencer()
    whole, part = tmp_path / 'whole.json', tmp_path / 'part.json'
    inferencer(clip[0], out_json=whole, score_thr=0.0)
    inferencer(clip[0], out_json=part, score_thr=0.0, classes=['owl'], max_frames=3)
    whole, part = CocoVidFile(str(whole)).data, CocoVidFile(str(part)).data
    assert [c['name'] for c in part['categories']] == list(CLASSES)
    assert whole['videos'][0]['name'] == 'clip.mp4'
    assert len(whole['images']) == 8 and len(part['images']) == 3
    owls = [a for a in whole['annotations'] if a['category_id'] == 3 and a['image_id'] == 1]
    found = [a for a in part['annotations'] if a['image_id'] == 1]
    assert len(owls) == len(found) > 0
    assert {a['category_id'] for a in part['annotations']} == {3}
    assert {a['category_id'] for a in whole['annotations']} > {3}
    with pytest.raises(ValueError, match='no class "cow", .*: cat, dog, owl'):
        inferencer(clip[0], out_json=tmp_path / 'x.json', classes=['cow'])


@pytest.mark.parametrize(
    'outputs, error, message',
    [
        (dict(), ValueError, 'no output asked for'),
        (dict(out_json='x.txt'), ValueError, 'must end in .jsonl or .json, got x'),
        (dict(out_video='x.avi'), ValueError, 'out_video must end in .mp4, got x'),
        (dict(out_json='x.json', out_mot='x.json'), ValueError, 'different names, got x.json, x.json'),
        (dict(out_json='old.json'), FileExistsError, 'old.json exists'),
        (dict(out_video='clip.mp4', overwrite=True), ValueError, 'clip.mp4 is the input'),
        (dict(out_json='x.json', show_relations=True), ValueError, 'show_relations needs out_video or out_images'),
    ],
)
def test_refused_before_anything_runs(outputs, error, message, clip, monkeypatch):
    monkeypatch.chdir(clip[0].parent)
    Path('old.json').write_text('precious')
    before = {path: path.read_bytes() for path in Path('.').iterdir()}
    inferencer = tiny_inferencer()
    inferencer.model.extract = None  # would fail
    with pytest.raises(error, match=message):
        inferencer('clip.mp4', **outputs)
    assert {path: path.read_bytes() for path in Path('.').iterdir()} == before


def test_frames_of_several_sizes_in_a_video(tmp_path):
    for i, size in enumerate([(48, 64), (96, 64), (48, 64)]):
        cv2.imwrite(str(tmp_path / f'{i}.png'), noise(1, size)[0])
    tiny_inferencer()(tmp_path, out_video=tmp_path / 'o.mp4', out_json=tmp_path / 'o.jsonl')
    assert [f.shape for f in read_mp4(tmp_path / 'o.mp4')[0]] == [(48, 64, 3)] * 3
    sizes = [
        (line['height'], line['width']) for line in map(json.loads, (tmp_path / 'o.jsonl').read_text().splitlines())
    ]
    assert sizes == [(48, 64), (96, 64), (48, 64)]


def test_an_error_in_the_middle_leaves_nothing_half_written(clip, tmp_path):
    inferencer = tiny_inferencer()

    def stop(done, total):
        if done == 3:
            raise OSError(28, 'No space left on device')

    with pytest.raises(OSError, match='No space left'):
        inferencer(
            clip[0],
            out_video=tmp_path / 'o.mp4',
            out_json=tmp_path / 'o.json',
            out_images=tmp_path / 'images',
            progress=stop,
        )
    assert os.listdir(tmp_path) == ['clip.mp4']


@pytest.mark.skipif(not REAL_CLIP.exists(), reason=f'needs the clip {REAL_CLIP}')
def test_real_clip(tmp_path):
    summary = tiny_inferencer(scale=(320, 180))(REAL_CLIP, out_video=tmp_path / 'o.mp4', out_json=tmp_path / 'o.jsonl')
    assert summary.frames == 8
    frames, times = read_mp4(tmp_path / 'o.mp4')
    assert {f.shape for f in frames} == {(1080, 1920, 3)}
    assert times == pytest.approx([i / 3 for i in range(8)], abs=1e-4)
    with av.open(str(tmp_path / 'o.mp4')) as file:
        assert file.streams.video[0].average_rate == 3


@pytest.mark.parametrize(
    'size, scale',
    [
        ((1080, 1920), 1),
        ((480, 640), 1),
        ((240, 320), 2),
        ((128, 160), 3),
        ((1, 1), 480),
        ((40, 1000), 1),
        ((1, 60), 21),
    ],
)
def test_small_images_are_drawn_larger(size, scale):
    """The shorter side up to 480 pixels, the longer one up to 1280."""
    assert fit_scale(*size) == fit_scale(*size[::-1]) == scale


@pytest.mark.slow
@pytest.mark.parametrize('scale, expected', [(1, (48, 64)), (2, (96, 128)), (None, (480, 640))])
def test_scale_of_what_is_drawn(scale, expected, clip, tmp_path):
    tiny_inferencer()(clip[0], out_video=tmp_path / 'o.mp4', scale=scale)
    frames, _ = read_mp4(tmp_path / 'o.mp4')
    assert {frame.shape[:2] for frame in frames} == {expected}


@pytest.mark.parametrize('scale', [0, -1, 1.5])
def test_wrong_scale_is_named(scale, tmp_path):
    with pytest.raises(ValueError, match=f'scale must be .* got {scale}'):
        VideoOutputs(out_video=tmp_path / 'o.mp4', scale=scale)


@pytest.mark.slow
def test_a_weak_model_is_not_silent(clip, tmp_path):
    """Where nothing reaches the threshold, the highest score is said."""
    inferencer = tiny_inferencer()
    summary = inferencer(clip[0], out_json=tmp_path / 'all.json', score_thr=0)
    found = json.loads((tmp_path / 'all.json').read_text())['annotations']
    scores = [entry['score'] for entry in found]
    assert summary.detections == len(scores) > 8
    assert summary.highest_score == max(scores) < 0.97
    text = f'{clip[0]}: 0 detections above 0.98, highest {max(scores):.2g}'
    with pytest.warns(UserWarning, match=f'^{re.escape(text)}$'):
        summary = inferencer(clip[0], out_video=tmp_path / 'o.mp4', score_thr=0.98)
    assert summary.detections == 0 and summary.highest_score == max(scores)
    # Of the classes that were asked for.
    of_class = [entry['score'] for entry in found if entry['category_id'] == 2]
    assert max(of_class) < max(scores)
    with pytest.warns(UserWarning, match=f'highest {max(of_class):.2g}$'):
        inferencer(clip[0], out_json=tmp_path / 'dog.json', score_thr=0.98, classes=['dog'])
    inferencer.model.detector.roi_head.test_cfg.score_thr = 1.0
    with pytest.warns(UserWarning, match='0 detections above 0.3, no detection at all$'):
        assert inferencer(clip[0], out_json=tmp_path / 'none.json').highest_score is None
