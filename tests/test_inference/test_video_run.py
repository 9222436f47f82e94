# Copyright (c) mmrdn contributors. All rights reserved.
import json
import os
import signal

import cv2
import pytest

from helpers.videos import noise, read_mp4, tiny_inferencer
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.models import NextFrameRelations
from mmrdn.models.vid.data_samples import to_frame_detections
from mmrdn.post_processing import BoxLinkingWithRelations, SeqNMS, TubeLinking
from mmrdn.post_processing.video_linker import pair_relations
from mmrdn.video import LiveSource, RawSource, open_source
from mmrdn.visualization import FrameDrawer


def test_ctrl_c_completes_the_files(clip, tmp_path):
    inferencer = tiny_inferencer()

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupt:
        inferencer(clip[0], out_video=tmp_path / 'o.mp4', out_json=tmp_path / 'o.json', progress=stop)
    assert str(interrupt.value) == (f'interrupted after 3 frames: {tmp_path}/o.mp4, {tmp_path}/o.json')
    assert len(read_mp4(tmp_path / 'o.mp4')[0]) == 3
    assert len(CocoVidFile(str(tmp_path / 'o.json')).data['images']) == 3
    assert not inferencer.model.recorders


# ------------------------------------------------------------------- relations


@pytest.mark.slow
def test_images_of_supports_are_at_hand(clip, tmp_path, monkeypatch):
    """T = 2, look-ahead 1: of frames t - 2 to t + 1, and no others."""
    sources = [frame.image for frame in open_source(clip[0])]
    seen = []

    def draw(drawer, image, detections, supports=None):
        i = len(seen)
        assert (image == sources[i]).all()
        for offset, support in supports.items():
            assert (support == sources[i + offset]).all()
        top_supports = detections.top_supports
        assert set(top_supports.frame_offsets.ravel().tolist()) <= set(supports)
        assert (detections.labels[top_supports.detection_inds] != 1).all()
        seen.append(sorted(supports))
        return image

    monkeypatch.setattr(FrameDrawer, 'draw', draw)
    inferencer = tiny_inferencer(lookahead=1)
    inferencer(clip[0], out_video=tmp_path / 'o.mp4', show_relations=True, score_thr=0.1, classes=['cat', 'owl'])
    assert seen == [[j - i for j in range(max(0, i - 2), min(8, i + 2))] for i in range(8)]
    assert inferencer.model.recorders == []


def test_relations_need_a_model_that_has_them(clip, tmp_path):
    inferencer = tiny_inferencer()
    inferencer.model.neck = None
    with pytest.raises(ValueError, match='needs a model with a basic stage'):
        inferencer(clip[0], out_video=tmp_path / 'o.mp4', show_relations=True)


# --------------------------------------------------------------------- linking


@pytest.mark.parametrize('source', [LiveSource.__new__(LiveSource), RawSource((64, 48), open(os.devnull, 'rb'))])
@pytest.mark.parametrize('output', ['out_video', 'out_images'])
def test_linked_boxes_are_drawn_in_a_second_reading(source, output, tmp_path):
    source.name = 'a source'
    inferencer = tiny_inferencer(linker=dict(type='SeqNMS'))
    with pytest.raises(ValueError, match='a source cannot be read a second time'):
        inferencer(source, **{output: tmp_path / 'o.mp4'})
    assert os.listdir(tmp_path) == []


LINKERS = [BoxLinkingWithRelations, TubeLinking, SeqNMS]


def linked_results(kind, images, lookahead=1):
    """Scores and tracks of each frame, by the linker itself."""
    inferencer = tiny_inferencer(lookahead=lookahead)
    inferencer.model.recorders.append(NextFrameRelations())
    found = [to_frame_detections(sample) for sample in inferencer.stream(images)]
    return kind().trace(found, [pair_relations(a, b) for a, b in zip(found, found[1:])])


@pytest.mark.slow
@pytest.mark.parametrize('show_relations', [False, True])
@pytest.mark.parametrize('kind', LINKERS)
def test_linked_boxes(kind, show_relations, clip, tmp_path, monkeypatch):
    """Scores and tracks of the whole video, on frames that are read again."""
    sources = [frame.image for frame in open_source(clip[0])]
    expected = linked_results(kind, sources)
    seen = []

    def draw(drawer, image, detections, supports=None):
        assert (image == sources[len(seen)]).all()
        seen.append(supports and sorted(supports))
        for offset, support in (supports or {}).items():
            assert (support == sources[len(seen) - 1 + offset]).all()
        return image

    monkeypatch.setattr(FrameDrawer, 'draw', draw)
    inferencer = tiny_inferencer(lookahead=1, linker=dict(type=kind.__name__))
    inferencer(
        clip[0],
        out_video=tmp_path / 'o.mp4',
        out_json=tmp_path / 'o.jsonl',
        out_mot=tmp_path / 'o.txt',
        show_relations=show_relations,
    )
    lines = (tmp_path / 'o.jsonl').read_text().splitlines()
    assert len(lines) == 8
    for i, line in enumerate(map(json.loads, lines)):
        assert line['time'] == pytest.approx(clip[1][i])
        scores, ids = expected.scores[i], expected.track_ids[i]
        shown = [
            (pytest.approx(float(score), abs=1e-5), int(number)) for score, number in zip(scores, ids) if score >= 0.3
        ]
        assert [(d['score'], d.get('track_id', -1)) for d in line['detections']] == shown
        rows = [
            row
            for row in map(lambda text: text.split(','), (tmp_path / 'o.txt').read_text().splitlines())
            if int(row[0]) == i + 1
        ]
        assert [(float(row[6]), int(row[1])) for row in rows] == shown
    assert max(map(max, expected.track_ids)) > 0  # several tracks
    assert (max(map(max, expected.scores)) > 1) == (kind is not SeqNMS)
    around = [[j - i for j in range(max(0, i - 2), min(8, i + 2))] for i in range(8)]
    assert seen == (around if show_relations else [None] * 8)
    assert not inferencer.model.recorders


@pytest.mark.slow
def test_suppressed_boxes_are_in_no_output(clip, tmp_path, monkeypatch):
    """However low the threshold."""
    sources = [frame.image for frame in open_source(clip[0])]
    scores = linked_results(SeqNMS, sources).scores
    counts = [int((found > 0).sum()) for found in scores]
    assert sum(counts) < sum(map(len, scores)) and min(counts) > 0
    drawn = []

    def draw(drawer, image, detections, supports=None):
        drawn.append(len(detections))
        assert (detections.scores > 0).all()
        return image

    monkeypatch.setattr(FrameDrawer, 'draw', draw)
    outputs = dict(out_json=tmp_path / 'o.jsonl', out_mot=tmp_path / 'o.txt', out_video=tmp_path / 'o.mp4')
    inferencer = tiny_inferencer(lookahead=1, linker=dict(type='SeqNMS'))
    inferencer(clip[0], **outputs, score_thr=0)
    inferencer(clip[0], out_json=tmp_path / 'o.json', score_thr=0)
    lines = list(map(json.loads, (tmp_path / 'o.jsonl').read_text().splitlines()))
    rows = [int(row.split(',')[0]) - 1 for row in (tmp_path / 'o.txt').read_text().splitlines()]
    content = json.loads((tmp_path / 'o.json').read_text())
    images = [annotation['image_id'] - 1 for annotation in content['annotations']]
    assert [len(line['detections']) for line in lines] == drawn == counts
    assert [rows.count(i) for i in range(8)] == [images.count(i) for i in range(8)] == counts
    assert 'suppressed' not in content


@pytest.mark.slow
def test_seq_nms_records_no_relations(clip, tmp_path):
    """It would not read them."""
    recorders = []
    for kind in LINKERS:
        inferencer = tiny_inferencer(linker=dict(type=kind.__name__))
        detect = inferencer.model.detect

        def keep(frame, window, rescale, given):
            recorders.append((kind, len(inferencer.model.recorders) + len(given)))
            return detect(frame, window, rescale, given)

        inferencer.model.detect = keep
        inferencer(clip[0], out_json=tmp_path / f'{kind.__name__}.json')
    assert set(recorders) == {(BoxLinkingWithRelations, 1), (TubeLinking, 0), (SeqNMS, 0)}


@pytest.mark.slow
def test_ctrl_c_before_linking(clip, tmp_path):
    """Frames that have results are linked and written."""
    sources = [frame.image for frame in open_source(clip[0])]
    expected = linked_results(TubeLinking, sources[:4], lookahead=0)
    inferencer = tiny_inferencer(lookahead=0, linker=dict(type='TubeLinking'))
    detect = inferencer.model.detect
    frames = []

    def stop(frame, *args):
        if len(frames) == 4:
            raise KeyboardInterrupt
        frames.append(frame)
        return detect(frame, *args)

    inferencer.model.detect = stop
    with pytest.raises(KeyboardInterrupt, match='interrupted after 4 frames'):
        inferencer(clip[0], out_video=tmp_path / 'o.mp4', out_json=tmp_path / 'o.jsonl')
    assert len(read_mp4(tmp_path / 'o.mp4')[0]) == 4
    lines = (tmp_path / 'o.jsonl').read_text().splitlines()
    for line, scores in zip(lines, expected.scores, strict=True):
        assert [d['score'] for d in json.loads(line)['detections']] == pytest.approx(
            [s for s in scores if s >= 0.3], abs=1e-5
        )


def test_progress_of_a_linked_video_is_that_of_the_detector(clip, tmp_path):
    """And not of the writing, which only begins when all is detected."""
    told = []
    tiny_inferencer(linker=dict(type='SeqNMS'))(
        clip[0],
        out_json=tmp_path / 'o.jsonl',
        progress=lambda *args: told.append((args, (tmp_path / 'o.jsonl').stat().st_size)),
    )
    assert told == [((i, 8), 0) for i in range(1, 9)]


@pytest.mark.slow
def test_second_reading_forgets_no_damage(clip, tmp_path):
    """Neither that a video is truncated nor that an image was left out."""
    content = clip[0].read_bytes()
    (tmp_path / 'cut.mp4').write_bytes(content[: -len(content) // 4])
    (tmp_path / 'images').mkdir()
    for i, image in enumerate(noise(3)):
        cv2.imwrite(str(tmp_path / 'images' / f'{i}.png'), image)
    (tmp_path / 'images' / '2.png').write_bytes(b'')
    inferencer = tiny_inferencer(linker=dict(type='TubeLinking'))
    for video, truncated, skipped in (('cut.mp4', True, 0), ('images', False, 1)):
        with pytest.warns(UserWarning):
            summary = inferencer(tmp_path / video, out_video=tmp_path / 'o.mp4', overwrite=True)
        assert summary.truncated == truncated
        assert len(summary.skipped) == skipped


def test_ctrl_c_while_boxes_are_linked(clip, tmp_path, monkeypatch):
    """It takes effect afterwards, so that nothing is lost."""
    trace = TubeLinking.trace

    def slow(self, *args):
        signal.raise_signal(signal.SIGINT)
        return trace(self, *args)

    monkeypatch.setattr(TubeLinking, 'trace', slow)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            tiny_inferencer(linker=dict(type='TubeLinking'))(clip[0], out_json=tmp_path / 'o.jsonl')
    finally:
        signal.signal(signal.SIGINT, before)
    assert len((tmp_path / 'o.jsonl').read_text().splitlines()) == 8
