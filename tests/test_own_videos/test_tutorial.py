# Copyright (c) mmrdn contributors. All rights reserved.
"""The commands of docs/own_videos.md, from top to bottom, on the first frames of some clips of DAVIS."""

import csv
import json
import re
import shlex
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from helpers.pages import blocks, blocks_to_run
from helpers.tools import ROOT

DAVIS = ROOT.parent / 'shared' / 'data' / 'davis'
CLIPS = ('blackswan', 'breakdance', 'camel', 'car-roundabout', 'cows', 'drift-chicane', 'kite-surf')
NUM_FRAMES = 8
CLASSES = dict(bird='animal', person='person', camel='animal', car='vehicle', cattle='animal')

NO_WORKERS = [
    f'{name}_dataloader.{key}'
    for name in ('train', 'val', 'test')
    for key in ('num_workers=0', 'persistent_workers=False')
]
SHORT = [
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
    'default_hooks.checkpoint.interval=2',
    'default_hooks.logger.interval=1',
    'train_dataloader.batch_size=1',
    'model.detector.backbone.init_cfg=None',  # no download
]
MORE = {  # what the test adds to the commands of the page
    'train.py': ['--cfg-options', *NO_WORKERS, *SHORT],
    'test.py': ['--cfg-options', *NO_WORKERS],
    'demo_video.py': ['--score-thr', '0.01'],
    'label_video.py': ['--score-thr', '0.01'],
}


def commands():
    """(tool, arguments) of each command of the page."""
    for block in blocks_to_run('docs/own_videos.md', 'shell'):
        for line in block.commands():
            program, tool, *arguments = shlex.split(line)
            assert program == 'python' and tool.startswith('tools/')
            yield tool.removeprefix('tools/'), arguments


def expanded(arguments):
    """Arguments with patterns replaced by the files here, as a shell does it."""
    for word in arguments:
        yield from sorted(map(str, Path().glob(word))) if '*' in word else [word]


@pytest.fixture
def truth(tmp_path, monkeypatch):
    """The reader's directory, in which the commands run; its annotations."""
    if not DAVIS.is_dir():
        pytest.skip('no ../shared/data/davis')
    data = json.loads((DAVIS / 'train.json').read_text())
    data['categories'] = [entry for entry in data['categories'] if entry['name'] != 'goat']  # which the page lacks
    data['videos'] = [video for video in data['videos'] if video['name'] in CLIPS]
    kept = {video['id'] for video in data['videos']}
    data['images'] = [im for im in data['images'] if im['video_id'] in kept and im['frame_id'] < NUM_FRAMES]
    kept = {image['id'] for image in data['images']}
    data['annotations'] = [entry for entry in data['annotations'] if entry['image_id'] in kept]
    for clip in (*CLIPS, 'parkour'):
        target = tmp_path / 'data' / 'davis' / 'frames' / clip
        target.mkdir(parents=True)
        for t in range(NUM_FRAMES):
            shutil.copyfile(DAVIS / 'frames' / clip / f'{t:05d}.jpg', target / f'{t:05d}.jpg')
    (tmp_path / 'data' / 'davis' / 'train.json').write_text(json.dumps(data))
    monkeypatch.chdir(tmp_path)
    return data


def boxes_in(path):
    """(file, class) and box of all annotations, in order."""
    data = json.loads(Path(path).read_text())
    names = {entry['id']: entry['name'] for entry in data['categories']}
    files = {image['id']: image['file_name'] for image in data['images']}
    return sorted((files[e['image_id']], names[e['category_id']], *e['bbox']) for e in data['annotations'])


def clips_in(path):
    """Number of frames of each clip."""
    return Counter(image['file_name'].split('/')[0] for image in json.loads(Path(path).read_text())['images'])


def test_boxes_around_the_masks_of_davis(truth):
    """Masks made from the boxes, which lie on half pixels, at twice their size."""
    names = {entry['id']: entry['name'] for entry in truth['categories']}
    files = {image['id']: image['file_name'] for image in truth['images']}
    expected = []
    for entry in truth['annotations']:
        file = files[entry['image_id']]
        x, y, width, height = (int(2 * value) for value in entry['bbox'])
        mask = np.zeros((480, 854), np.uint8)
        mask[y : y + height, x : x + width] = 38
        path = (Path('DAVIS/Annotations/480p') / file).with_suffix('.png')
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), mask)
        expected.append((file, names[entry['category_id']], x, y, width, height))
    code = next(block for block in blocks('docs/own_videos.md') if block.language == 'python')
    made = {}
    exec(code.text, made)
    renamed = {word.split('=')[0] for _, words in commands() for word in words if re.fullmatch(r'\w+=\w+', word)}
    assert renamed == set(made['classes']) - {'person'}  # the converter refuses to rename others
    assert boxes_in('data/davis/train.json') == sorted(expected)
    assert clips_in('data/davis/train.json') == dict.fromkeys(CLIPS, NUM_FRAMES)


@pytest.mark.slow
def test_the_tutorial_from_top_to_bottom(truth, run_main):
    said = []
    for tool, arguments in commands():
        words = [*expanded(arguments), *MORE.get(tool, [])]
        status, stdout, stderr = run_main(tool, *words)
        assert status == 0, (tool, stderr)
        said.append((tool, words, stdout + stderr))
    assert [Path(tool).stem for tool, *_ in said] == [
        *('from_coco_vid', 'to_coco_vid', 'check_coco_vid', 'suggest_config', 'train', 'analyze_logs'),
        *('test', 'demo_video', 'label_video', 'to_coco_vid'),
    ]
    parts = [f'data/davis/clips_{part}.json' for part in ('train', 'val')]
    check_converted(truth, parts)
    empty = sum(3 - len({name for _, name, *_ in boxes_in(part)}) for part in parts)  # classes
    assert said[2][2].endswith(f'0 errors, {empty} warnings\n')
    # Contact sheet: each clip by its name, and pictures within the file.
    report = Path('report.html').read_text()
    assert all(clip in report for clip in CLIPS) and report.count('data:image/') >= len(CLIPS)
    tool, words, _ = said[3]
    status, _, stderr = run_main(tool, *words)
    assert (status, stderr) == (1, 'error: davis.py exists; choose another name\n')
    check_trained(parts[1], said[6][2])
    check_new_clip(said[8][2], parts)


def check_converted(truth, parts):
    """All boxes of the clips are there, under their new classes, and no clip is in both parts."""
    for clip in CLIPS:
        boxes = ElementTree.parse(f'data/davis/cvat/{clip}.xml').findall('.//box')
        assert sum(box.get('outside') == '0' for box in boxes) == NUM_FRAMES
    names = {entry['id']: CLASSES.get(entry['name']) for entry in truth['categories']}
    files = {image['id']: image['file_name'] for image in truth['images']}
    expected = [(files[e['image_id']], names[e['category_id']], *e['bbox']) for e in truth['annotations']]
    assert len(expected) == len(CLIPS) * NUM_FRAMES
    assert sorted(boxes_in(parts[0]) + boxes_in(parts[1])) == sorted(expected)
    train, val = map(clips_in, parts)
    assert not train.keys() & val.keys() and train + val == Counter(dict.fromkeys(CLIPS, NUM_FRAMES))


def check_trained(val, said):
    """The best checkpoint is that of the one validation, which the test repeats; up to 12 of its frames are drawn."""
    work_dir = Path('work_dirs/davis')
    assert [path.name for path in work_dir.glob('best*')] == ['best_vid_mAP50_iter_2.pth']
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [record['step'] for record in records if 'loss' in record] == [1, 2]
    (scores,) = [record for record in records if 'vid/mAP50' in record]
    assert float(re.findall(r'vid/mAP50: (\S+)', said)[-1]) == pytest.approx(scores['vid/mAP50'], abs=1e-4)
    for name, count in Counter(name for _, name, *_ in boxes_in(val)).items():
        assert re.search(rf'\| {name} +\| +{count} \|', said)
    frames = [f'{clip}_{t:05d}' for clip in clips_in(val) for t in range(NUM_FRAMES)]
    step = -(-len(frames) // 12)
    drawn = {path.name for path in log.parent.glob('vis_image/val_*')}
    assert drawn == {f'val_{frame}_2.png' for frame in frames[step - 1 :: step]}
    assert cv2.imread('curves.png') is not None


def check_new_clip(said, parts):
    """Video, detections and labels have all frames; what was labeled comes back beside the other clips."""
    capture = cv2.VideoCapture('parkour.mp4')
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1].shape)
    assert len(frames) == NUM_FRAMES and len(set(frames)) == 1
    assert clips_in('parkour.json').total() == NUM_FRAMES and boxes_in('parkour.json')
    with open('parkour.csv') as file:
        ranked = list(csv.DictReader(file))
    assert sorted(int(row['frame']) for row in ranked) == list(range(NUM_FRAMES))
    values = [float(row['disagreement']) for row in ranked]
    assert values == sorted(values, reverse=True)
    tracks, keyframes, boxes = map(int, re.search(r'(\d+) tracks, (\d+) keyframes for (\d+) boxes', said).groups())
    with zipfile.ZipFile('parkour.zip') as archive:
        root = ElementTree.fromstring(archive.read('annotations.xml'))
    assert len(root.findall('track')) == tracks > 0
    shown = [box for box in root.findall('.//box') if box.get('outside') == '0']
    assert sum(box.get('keyframe') == '1' for box in shown) == keyframes
    more = ['data/davis/more_train.json', 'data/davis/more_val.json']
    found = boxes_in(more[0]) + boxes_in(more[1])
    new = [row for row in found if row[0].startswith('parkour/')]
    assert len(new) == boxes and {row[1] for row in new} <= {'animal', 'vehicle', 'person'}
    assert sorted(set(found) - set(new)) == sorted(boxes_in(parts[0]) + boxes_in(parts[1]))
    assert (clips_in(more[0]) + clips_in(more[1]))['parkour'] == NUM_FRAMES
