# Copyright (c) mmrdn contributors. All rights reserved.
"""A file with planted faults: all are found, and what can be mended is."""

import json
import re

import cv2
import numpy as np
import pytest

from helpers.tools import run_tool
from helpers.videos import noise, write_mp4
from mmrdn.datasets import VideoDetDataset
from mmrdn.own_videos.checking import CheckedFiles
from mmrdn.own_videos.findings import ERRORS, WARNINGS

SIZE = (96, 64)  # width, height


def clean_file():
    """3 videos of 6 frames with an object each, which moves by 2 pixels a frame."""
    data = dict(
        info=dict(name='mine'),
        categories=[dict(id=i, name=name) for i, name in enumerate(('cat', 'dog', 'eel'), 1)],
        videos=[dict(id=v, name=f'clip{v}') for v in range(3)],
        images=[
            dict(id=10 * v + t, video_id=v, frame_id=t, file_name=f'clip{v}/{t}.png', width=96, height=64)
            for v in range(3)
            for t in range(6)
        ],
    )
    data['annotations'] = [
        dict(id=100 + i, image_id=image['id'], video_id=image['video_id'], category_id=1 + image['video_id'])
        | dict(instance_id=0, bbox=[5 + 2 * image['frame_id'], 10, 20, 16], area=320)
        for i, image in enumerate(data['images'])
    ]
    return data


def write(data, path):
    """Write a file and give its path."""
    path.write_text(json.dumps(data))
    return str(path)


@pytest.fixture(scope='module')
def frames(tmp_path_factory):
    """The image files of clean_file()."""
    root = tmp_path_factory.mktemp('frames')
    rng = np.random.default_rng(0)
    for image in clean_file()['images']:
        path = root / image['file_name']
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 255, (64, 96, 3), np.uint8))
    return root


# Name of each fault: what is done to the file, and the findings that it gives: kind, list, index, id, field.
def _plant(data):
    """Plant faults; return where each must be found."""
    images, boxes = data['images'], data['annotations']
    found = []

    def fault(kind, part, index, field, **changes):
        entry = data[part][index] if part else data
        for key, value in changes.items():
            entry.pop(key) if value is None else entry.update({key: value})
        found.append((kind, part, index, entry.get('id') if isinstance(entry, dict) else None, field))

    fault('missing-field', 'images', 0, 'file_name', file_name=None)
    fault('unknown-reference', 'annotations', 0, 'image_id')  # that image cannot be used
    fault('frame-ids', 'images', 1, 'frame_id')  # and so its video begins at 1
    fault('wrong-field', 'annotations', 1, 'bbox', bbox=[1, 2, 3])
    fault('degenerate-box', 'annotations', 2, 'bbox', bbox=[9, 9, 0, 5])
    fault('box-outside', 'annotations', 3, 'bbox', bbox=[200, 9, 20, 16])
    fault('box-cut', 'annotations', 4, 'bbox', bbox=[-9, 10, 20, 16])
    fault('no-area', 'annotations', 5, 'area', area=0)
    fault('unknown-reference', 'annotations', 6, 'category_id', category_id=77)
    fault('wrong-video', 'annotations', 7, 'video_id', video_id=2)
    fault('class-change', 'annotations', 9, 'category_id', category_id=3)
    found.append(('class-change', 'annotations', 10, 110, 'category_id'))  # and back
    boxes[7]['bbox'] = [80, 54, 6, 6]
    fault('jump', 'annotations', 8, 'bbox')
    fault('frame-ids', 'images', 11, 'frame_id', frame_id=7)  # a gap
    fault('frame-ids', 'images', 13, 'frame_id', frame_id=0)  # twice
    fault('frame-ids', 'images', 14, 'frame_id')
    fault('duplicate-file', 'images', 15, 'file_name', file_name='clip2/2.png')
    fault('duplicate-id', 'annotations', 16, 'id', id=101)
    fault('no-instance', 'annotations', 17, 'instance_id', instance_id=None)
    fault('other-size', 'images', 16, 'width, height', width=100)
    fault('file-absent', 'images', 17, 'file_name', file_name='clip2/gone.png')
    fault('file-undecodable', 'images', 9, 'file_name', file_name='broken.png')
    boxes.append(dict(boxes[8], id=900, bbox=[30, 30, 20, 16]))
    fault('two-boxes', 'annotations', 18, 'instance_id')
    boxes.append(dict(boxes[15], id=901, instance_id=5))
    boxes.append(dict(boxes[15], id=902, instance_id=5))
    fault('duplicate-box', 'annotations', 20, 'bbox')
    boxes.append(dict(boxes[15], id=None))
    fault('missing-field', 'annotations', 21, 'id', bbox=[60, 40, 20, 16], instance_id=6, id=None)
    boxes.append(7)
    found.append(('wrong-field', 'annotations', 22, None, 'annotations'))
    images.append(dict(images[8], file_name='clip1/twice.png', frame_id=6))
    fault('duplicate-id', 'images', 18, 'id')
    data['categories'] += [dict(id=8, name='fox'), dict(id=9, name='cat')]
    fault('no-boxes', 'categories', 3, 'name')
    fault('duplicate-name', 'categories', 4, 'name')
    found.append(('no-boxes', 'categories', 4, 9, 'name'))
    data['videos'].append(dict(id=7, name='empty'))
    fault('no-frames', 'videos', 3, 'id')
    return found


def all_findings(checked):
    """Return kind, list, index, id and field of the findings of the first file, sorted."""
    kept = [finding for found in checked.tables[0].findings.kept.values() for finding in found]
    return sorted(((f.kind, f.part, f.index, f.id, f.field) for f in kept), key=str)


def test_a_clean_file_has_no_findings(frames, tmp_path):
    checked = CheckedFiles([write(clean_file(), tmp_path / 'a.json')], [str(frames)])
    assert all_findings(checked) == [] and checked.num_errors == 0
    assert checked.lines()[0].endswith('3 videos, 18 images, 18 boxes, 3 classes')


@pytest.mark.parametrize('name', ['', ' '])
def test_a_class_needs_a_name_and_a_video_does_not(name, frames, tmp_path):
    data = clean_file()
    data['categories'][1]['name'] = name
    data['videos'][1]['name'] = name
    checked = CheckedFiles([write(data, tmp_path / 'a.json')], [str(frames)])
    assert all_findings(checked) == [('wrong-field', 'categories', 1, data['categories'][1]['id'], 'name')]
    assert checked.num_errors == 1


@pytest.fixture
def faulty(frames, tmp_path):
    """A file with planted faults, and where they are."""
    whole = (frames / 'clip0/0.png').read_bytes()
    (frames / 'broken.png').write_bytes(whole[: len(whole) // 2])
    data = clean_file()
    planted = _plant(data)
    return write(data, tmp_path / 'faulty.json'), planted


def test_all_planted_faults_are_found_with_list_index_id_and_field(faulty, frames):
    path, planted = faulty
    checked = CheckedFiles([path], [str(frames)])
    assert len({kind for kind, *_ in planted}) >= 20
    assert set(ERRORS) | set(WARNINGS) == {kind for kind, *_ in planted} | {'leakage'}
    assert all_findings(checked) == sorted(planted, key=str)
    assert checked.num_errors == sum(kind in ERRORS for kind, *_ in planted)
    lines = '\n'.join(checked.lines())
    for kind, part, index, entry_id, _ in planted:
        name = '' if entry_id is None else rf' \(id {entry_id}\)'
        assert re.search(rf'{re.escape(path)}: {part}\[{index}\]{name}: ', lines), (kind, part, index)


def test_the_order_of_the_lists_does_not_matter(faulty, frames, tmp_path):
    path, planted = faulty
    data = json.loads(open(path).read())
    turned = write(dict(reversed(data.items())), tmp_path / 'turned.json')
    assert all_findings(CheckedFiles([turned], [str(frames)])) == sorted(planted, key=str)


def test_a_mended_file_loads_and_keeps_all_that_was_right(faulty, frames, tmp_path):
    path, _ = faulty
    fixed = str(tmp_path / 'fixed.json')
    checked = CheckedFiles([path], [str(frames)])
    lines = checked.write_fixed([fixed])
    assert f'{fixed}: box-outside: entry dropped, 1 times' in lines
    again = CheckedFiles([fixed], [str(frames)])
    left = {'class-change', 'duplicate-file', 'duplicate-name', 'jump', 'no-boxes', 'no-instance'}
    assert set(again.tables[0].findings.kept) <= left
    data = json.loads(open(fixed).read())
    assert data['info'] == dict(name='mine')
    by_id = {box['id']: box for box in data['annotations']}
    assert len(by_id) == len(data['annotations'])
    assert by_id[104]['bbox'] == [0, 10, 11, 16] and by_id[104]['area'] == 11 * 16
    assert by_id[105]['area'] == 320 and by_id[107]['video_id'] == 1
    assert not {100, 102, 103, 106, 109, 902} & set(by_id)
    numbers = [image['frame_id'] for image in data['images'] if image['video_id'] == 1]
    assert numbers == list(range(5))  # one of six frames is broken
    assert [image['width'] for image in data['images']] == [96] * len(data['images'])
    data['categories'].pop()  # two of one name are left for a person
    dataset = VideoDetDataset(
        ann_file=write(data, tmp_path / 'named.json'),
        metainfo=dict(classes=('cat', 'dog', 'eel')),
        data_prefix=dict(img_path=str(frames)),
        test_mode=True,
        pipeline=[],
    )
    assert len(dataset) == len(data['images'])


def test_videos_in_two_files_leak(frames, tmp_path):
    train, val = clean_file(), clean_file()
    for image in val['images']:
        image['file_name'] = image['file_name'].replace('clip', 'other')
    for video in val['videos']:
        video['name'] = video['name'].replace('clip', 'other')
    paths = [write(train, tmp_path / 'train.json'), write(val, tmp_path / 'val.json')]
    assert not CheckedFiles(paths).num_errors  # nothing in the files says so
    for video in range(3):
        (frames / f'other{video}').mkdir(exist_ok=True)
        for frame in range(6):
            image = cv2.imread(str(frames / f'clip{video}/{frame}.png'))
            other = image if (video, frame) == (1, 4) else 255 - image
            cv2.imwrite(str(frames / f'other{video}/{frame}.png'), other)
    found = CheckedFiles(paths, [str(frames)]).tables[1].findings.kept['leakage']
    assert [(f.part, f.index) for f in found] == [('videos', 1)]
    assert 'shares 1 frames under other names' in found[0].text
    val['videos'][2]['name'] = 'clip0'
    val['images'][0]['file_name'] = 'clip2/../clip1/1.png'
    write(val, tmp_path / 'val.json')
    found = CheckedFiles(paths).tables[1].findings.kept['leakage']
    assert [(f.index, f.field) for f in found] == [(0, 'file_name'), (2, 'name')]
    assert 'shares 1 files' in found[0].text and 'has the name of videos[0]' in found[1].text


@pytest.mark.parametrize(
    'content, message',
    [('{"images": [', 'truncated or broken JSON, Expecting value'), ('[]', 'expected a JSON object, got list')],
)
def test_broken_json_gets_the_line_of_the_reader(content, message, tmp_path):
    (tmp_path / 'a.json').write_text(content)
    with pytest.raises(ValueError, match=re.escape(f'{tmp_path / "a.json"}: {message}')):
        CheckedFiles([str(tmp_path / 'a.json')])


def test_lists_that_are_missing_are_findings(tmp_path):
    checked = CheckedFiles([write(dict(images=5, categories=[]), tmp_path / 'a.json')])
    assert all_findings(checked) == [
        ('missing-field', '', 0, None, 'annotations'),
        ('missing-field', '', 0, None, 'videos'),
        ('wrong-field', '', 0, None, 'images'),
    ]


def test_a_wrong_directory_of_images_is_reported_once(frames, tmp_path):
    path = write(clean_file(), tmp_path / 'a.json')
    with pytest.raises(ValueError, match='none of the 18 files of .* is there; is the directory right'):
        CheckedFiles([path], [str(tmp_path)])
    with pytest.raises(ValueError, match='is no directory of images'):
        CheckedFiles([path], [path])


def test_frames_in_video_files(tmp_path):
    """Each is decoded: one beyond the end, a wrong size and a broken file are found, and pictures are in the report."""
    data = clean_file()
    for image in data['images']:
        image['file_name'] = f'clip{image["video_id"]}.mp4/{image["frame_id"]:06d}'
    for v in range(3):
        write_mp4(tmp_path / f'clip{v}.mp4', noise(6 - (v == 1), (64, 96), seed=v))
    for headers_only in (False, True):
        checked = CheckedFiles([write(data, tmp_path / 'a.json')], [str(tmp_path)], headers_only)
        (finding,) = all_findings(checked)
        assert finding[:3] == ('file-absent', 'images', 11)
        assert f'video {tmp_path / "clip1.mp4"} has 5 frames, there is no frame 5' in checked.lines()[2]
    checked.write_html(tmp_path / 'r.html')
    assert (tmp_path / 'r.html').read_text().count('data:image/jpeg') == 3 * 5 - 1  # the absent frame is one of them
    (tmp_path / 'clip1.mp4').write_bytes(b'no video')
    data['images'][17]['width'] = 95
    for headers_only in (False, True):
        found = all_findings(CheckedFiles([write(data, tmp_path / 'a.json')], [str(tmp_path)], headers_only))
        assert sorted(row[:3] for row in found) == [
            *(('file-undecodable', 'images', i) for i in range(6, 12)),
            ('other-size', 'images', 17),
        ]


def test_the_same_frames_in_other_video_files_leak(tmp_path):
    data = clean_file()
    for name, seed in (('a', 0), ('b', 1), ('c', 1)):
        write_mp4(tmp_path / f'{name}.mp4', noise(6, (64, 96), seed=seed))
    files = []
    for name, image_names in (('train', 'ab'), ('val', 'c')):
        part = dict(data, videos=data['videos'][: len(image_names)], annotations=[])
        part['videos'] = [dict(id=v, name=f'{name}{v}') for v in range(len(image_names))]
        part['images'] = [
            dict(image, file_name=f'{image_names[image["video_id"]]}.mp4/{image["frame_id"]:06d}')
            for image in data['images']
            if image['video_id'] < len(image_names)
        ]
        files.append(write(part, tmp_path / f'{name}.json'))
    (leak,) = CheckedFiles(files, [str(tmp_path)]).tables[1].findings.kept['leakage']
    assert (leak.part, leak.index) == ('videos', 0) and '6 frames' in leak.text


@pytest.mark.slow
def test_a_report_is_one_page_without_markup_of_the_file(frames, tmp_path):
    data = clean_file()
    data['categories'][0]['name'] = '<script>alert(1)</script> $x^$'
    data['videos'][0]['name'] = '"><img src=x onerror=alert(1)>'
    data['annotations'][0]['area'] = -1
    CheckedFiles([write(data, tmp_path / 'a.json')], [str(frames)]).write_html(tmp_path / 'r.html')
    page = (tmp_path / 'r.html').read_text()
    assert '<script' not in page and '<img src=x' not in page
    assert '&lt;script&gt;alert(1)&lt;/script&gt; $x^$' in page
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) == 4 + 3 * 5 and all(source.startswith('data:image/') for source in sources)
    assert not re.findall(r'https?://(?!www.w3.org)', re.sub(r'base64,[^"]*', '', page))
    # A box that moves by k of its 21 pixels has IoU (21 - k) / (21 + k) with itself; each meets those of all frames.
    shifts = [[abs(2 * (t - s)) for s in range(6) if s != t] for t in range(6)]
    ious = [sum((21 - k) / (21 + k) for k in row) / 5 for row in shifts]
    share = 100 * sum(0.7 <= iou < 0.9 for iou in ious) / 6
    assert 0 < share < 100 and f'medium {share:.1f}%' in page
    assert re.search(r'no-area</b>, 1 times', page)


@pytest.mark.slow
def test_the_command_ends_with_1_for_errors_and_writes_what_it_is_asked(faulty, frames, tmp_path):
    path, planted = faulty
    outs = [tmp_path / name for name in ('fixed.json', 'report.html', 'findings.json')]
    args = ['--images', frames, '--fix', outs[0], '--html', outs[1], '--json', outs[2]]
    done = run_tool('analysis_tools/check_coco_vid.py', path, *args, status=1)
    assert f'{sum(kind in ERRORS for kind, *_ in planted)} errors' in done.stdout
    written = json.loads(outs[2].read_text())['findings']
    assert len(written) == len(planted) and all(out.exists() for out in outs)
    done = run_tool('analysis_tools/check_coco_vid.py', path, *args, status=1)
    assert done.stderr == f'error: {outs[0]} exists; choose another name\n'
    run_tool('analysis_tools/check_coco_vid.py', write(clean_file(), tmp_path / 'clean.json'), status=0)
