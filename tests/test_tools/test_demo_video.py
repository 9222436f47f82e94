# Copyright (c) mmrdn contributors. All rights reserved.
"""``tools/demo_video.py`` as a user runs it."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from helpers.tools import ROOT, run_tool, tool_env
from helpers.videos import files_in, flat, lines_of, noise, read_mp4, write_mp4
from mmrdn.fileio.checkpoint import load_checkpoint_file
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.video import VideoWriter

TOOL = 'demo_video.py'


@pytest.fixture
def clip(tmp_path):
    return write_mp4(tmp_path / 'clip.mp4', noise(10, (128, 128)))


@pytest.fixture
def tool(run_main, tiny_config, trained):
    """Run the tool in this process: status, stdout, lines of stderr."""

    def call(video, *args, config=tiny_config, checkpoint=None):
        if checkpoint is None:
            checkpoint = trained / 'iter_8.pth'
        status, out, err = run_main(TOOL, video, config, checkpoint, '--device', 'cpu', '--score-thr', '.02', *args)
        return status, out, err.splitlines()

    return call


def test_a_file_in_a_process_of_its_own(clip, tiny_config, trained, tmp_path):
    """Nothing but the progress and the summary is said."""
    done = run_tool(
        TOOL,
        clip,
        tiny_config,
        trained / 'iter_8.pth',
        *files_in(tmp_path),
        '--out-images',
        tmp_path / 'o',
        '--score-thr',
        '.02',
    )
    assert done.stderr == ''
    *progress, summary = done.stdout.splitlines()
    assert progress == [f'frames {i}/10' for i in range(1, 11)]
    assert summary.startswith('10 frames in ')
    for name in ('o.mp4', 'o.jsonl', 'o.txt', 'o'):
        assert f'{tmp_path}/{name}' in summary
    assert [line['frame'] for line in lines_of(tmp_path / 'o.jsonl')] == list(range(10))
    assert len(read_mp4(tmp_path / 'o.mp4')[0]) == 10
    assert len(os.listdir(tmp_path / 'o')) == 10


def test_quiet_options_and_names(tool, clip, tmp_path):
    status, out, err = tool(
        clip,
        '--out-json',
        tmp_path / 'o.json',
        '--quiet',
        '--max-frames',
        4,
        '--lookahead',
        0,
        '--amp',
        '--classes',
        'one',
        'two',
        '--score-thr',
        0,
        '--cfg-options',
        'model.support_sampler.num_support=4',
    )
    assert (status, out, err) == (0, '', [])
    coco = CocoVidFile(str(tmp_path / 'o.json')).data
    assert len(coco['images']) == 4
    assert {a['category_id'] for a in coco['annotations']} <= {2, 3}
    highest = max(a['score'] for a in coco['annotations'])
    # A model that is too weak for the threshold is not silent, even so.
    options = ['--quiet', '--max-frames', 4, '--lookahead', 0, '--amp', '--classes', 'one', 'two', '--score-thr', 0.99]
    options += ['--cfg-options', 'model.support_sampler.num_support=4']
    status, out, err = tool(clip, '--out-json', tmp_path / 'none.json', *options)
    assert (status, out) == (0, '')
    assert err == [f'warning: {clip}: 0 detections above 0.99, highest {highest:.2g}']


def test_raw_frames_through_a_pipe(tiny_config, trained, tmp_path):
    frames = noise(3, (24, 32))
    command = [
        sys.executable,
        ROOT / 'tools' / TOOL,
        '-',
        tiny_config,
        trained / 'iter_8.pth',
        '--size',
        '32x24',
        '--fps',
        '10',
        '--out-json',
    ]

    def run(data, out):
        return subprocess.run(
            [str(word) for word in [*command, out]], input=data, env=tool_env(), capture_output=True, timeout=100
        )

    data = b''.join(frame.tobytes() for frame in frames)
    done = run(data, tmp_path / 'o.jsonl')
    assert done.returncode == 0, done.stderr
    found = lines_of(tmp_path / 'o.jsonl')
    assert [line['time'] for line in found] == [0, 0.1, 0.2]
    assert {(line['width'], line['height']) for line in found} == {(32, 24)}

    done = run(data[:-5], tmp_path / 'cut.jsonl')
    assert done.returncode == 3
    cut, weak = done.stderr.decode().splitlines()
    assert cut == 'warning: stdin ends inside frame 2: got 2299 bytes, expected 2304 for 32x24 BGR24'
    assert weak.startswith('warning: stdin: 0 detections above 0.3, highest 0.')
    assert len(lines_of(tmp_path / 'cut.jsonl')) == 2

    # Out through a pipe too: lines and nothing else.
    done = run(data, '-')
    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == found
    assert b'3 frames' in done.stderr


# ------------------------------------------------------------------ bad videos


@pytest.mark.parametrize(
    'content, message',
    [
        (None, 'error: video {path} does not exist'),
        (b'', 'error: video {path} is empty'),
        (b'words\n' * 99, 'error: video {path} is no video, or so truncated that nothing can be read'),
    ],
)
def test_no_video(content, message, tool, tmp_path):
    path = tmp_path / 'a.mp4'
    if content is not None:
        path.write_bytes(content)
    status, _, err = tool(path, '--out-video', tmp_path / 'o.mp4')
    assert (status, err) == (1, [message.format(path=path)])
    assert not (tmp_path / 'o.mp4').exists()


def test_zero_frames(tool, clip, tmp_path):
    data = clip.read_bytes()
    clip.write_bytes(data[: data.index(b'mdat') + 4])
    status, _, err = tool(clip, '--out-video', tmp_path / 'o.mp4')
    assert status == 1
    assert err[-1] == f'error: {clip} has no frames that can be read'
    assert all(line.startswith('warning: ') for line in err[:-1])
    assert os.listdir(tmp_path) == ['clip.mp4']


def test_truncated(tool, clip, tmp_path):
    """Exit status 3, one warning with the frame, and what decodes."""
    data = clip.read_bytes()
    clip.write_bytes(data[: 2 * len(data) // 3])
    status, out, err = tool(clip, '--out-video', tmp_path / 'o.mp4', '--out-json', tmp_path / 'o.jsonl')
    num = len(lines_of(tmp_path / 'o.jsonl'))
    assert status == 3 and 0 < num < 10
    assert len(err) == 1 and err[0].startswith(f'warning: video {clip} is truncated or damaged at frame {num} (')
    assert f'{num} frames in ' in out
    assert len(read_mp4(tmp_path / 'o.mp4')[0]) == num


def test_one_bad_image(tool, tmp_path):
    for i in range(4):
        cv2.imwrite(str(tmp_path / f'{i}.png'), noise(1, (32, 48))[0])
    path = tmp_path / '2.png'
    path.write_bytes(path.read_bytes()[:900])
    status, out, err = tool(tmp_path, '--out-json', tmp_path / 'o.jsonl')
    assert (status, err) == (0, [f'warning: image {path} is truncated; left out'])
    assert '3 frames in ' in out and ', 1 left out: ' in out
    assert len(lines_of(tmp_path / 'o.jsonl')) == 3

    status, _, err = tool(tmp_path, '--out-json', tmp_path / 'p.jsonl', '--strict')
    assert (status, err) == (1, [f'error: image {path} is truncated'])
    assert not (tmp_path / 'p.jsonl').exists()


@pytest.mark.parametrize(
    'image',
    [
        flat(9, (1, 1)),
        flat(9, (1, 40)),
        np.full((32, 48), 99, np.uint8),
        np.full((32, 48, 4), 99, np.uint8),
        np.full((32, 48), 9999, np.uint16),
        flat(9, (4320, 7680)),
    ],
)
def test_unusual_images(image, tool, tmp_path):
    """A pixel, a line, gray, with alpha, 16 bits, 8K: all the way through."""
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    status, _, err = tool(tmp_path, '--out-video', tmp_path / 'o.mp4', '--out-json', tmp_path / 'o.jsonl', '--scale', 1)
    assert status == 0
    assert all('0 detections above 0.02, ' in line for line in err)  # as it may be with 8 iterations
    height, width = image.shape[:2]
    (line,) = lines_of(tmp_path / 'o.jsonl')
    assert (line['height'], line['width']) == (height, width)
    ((frame,), _) = read_mp4(tmp_path / 'o.mp4')
    assert frame.shape == (height + height % 2, width + width % 2, 3)


def test_too_thin_for_the_pipeline(tool, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), flat(9, (1, 999)))
    status, _, err = tool(tmp_path, '--out-json', tmp_path / 'o.json')
    assert status == 1 and len(err) == 1
    assert err[0].startswith('error: frame 0, 999x1: the test pipeline cannot')


def test_size_changes_in_the_middle(tool, tmp_path):
    for i, size in enumerate([(48, 64), (80, 60)]):
        cv2.imwrite(str(tmp_path / f'{i}.png'), noise(1, size)[0])
    status, _, err = tool(tmp_path, '--out-json', tmp_path / 'o.jsonl')
    assert (status, err) == (0, [])
    assert [(line['height'], line['width']) for line in lines_of(tmp_path / 'o.jsonl')] == [(48, 64), (80, 60)]


# ----------------------------------------------------------------- bad outputs


@pytest.mark.parametrize(
    'args, message',
    [
        ([], 'no output asked for'),
        (['--out-json', 'x.txt'], 'out_json must end in .jsonl or .json'),
        (['--out-video', 'x.avi'], 'out_video must end in .mp4'),
        (['--out-json', 'x.json', '--max-frames', '0'], 'max_frames must be 1 or'),
        (['--out-json', 'x.json', '--size', '5x5'], 'size is that of raw frames'),
        (['--out-video', 'x.mp4', '--font', 'clip.mp4'], 'clip.mp4 is no font, expected a TrueType or OpenType file'),
        (['--out-video', 'x.mp4', '--font', 'no.ttf'], 'font no.ttf does not exist'),
    ],
)
def test_refused_options(args, message, tool, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = tool(clip, *args, checkpoint='nowhere.pth')
    assert status == 1 and len(err) == 1 and message in err[0]
    assert os.listdir(tmp_path) == ['clip.mp4']


@pytest.mark.parametrize(
    'option, name',
    [
        ('--out-video', 'o.mp4'),
        ('--out-json', 'o.json'),
        ('--out-json', 'o.jsonl'),
        ('--out-mot', 'o.txt'),
        ('--out-images', 'o/000000.jpg'),
    ],
)
def test_existing_outputs(option, name, tool, clip, tmp_path):
    """Refused before even the model is loaded; replaced if told so."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('precious')
    target = path.parent if option == '--out-images' else path
    status, _, err = tool(clip, option, target, checkpoint='nowhere.pth')
    assert status == 1 and len(err) == 1
    assert f'{target} ' in err[0] and 'pass --overwrite' in err[0]
    assert path.read_text() == 'precious'
    status, _, err = tool(clip, option, target, '--overwrite', '--max-frames', 2)
    assert (status, err) == (0, [])
    assert b'precious' not in path.read_bytes()


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full of Linux')
def test_disk_full(tool, clip, tmp_path, monkeypatch):
    """The video's temporary file never has room, which shows at its end."""
    begin = VideoWriter._begin

    def begin_on_a_full_disk(writer, *size):
        writer.partial.unlink()
        writer.partial.symlink_to('/dev/full')
        begin(writer, *size)

    monkeypatch.setattr(VideoWriter, '_begin', begin_on_a_full_disk)
    status, _, err = tool(clip, '--out-video', tmp_path / 'o.mp4', '--out-json', tmp_path / 'o.json')
    assert status == 1 and len(err) == 1
    assert err[0].startswith('error: ')
    assert 'No space left on device' in err[0]
    assert sorted(os.listdir(tmp_path)) == ['clip.mp4', 'o.json']
    assert len(CocoVidFile(str(tmp_path / 'o.json')).data['images']) == 10


# -------------------------------------------------------- configs, checkpoints


class Foreign:
    pass


def test_checkpoints(tool, clip, trained, tmp_path):
    whole = load_checkpoint_file(trained / 'iter_8.pth')
    kept = dict(state_dict=whole['state_dict'], meta=whole['meta'])
    path, out = tmp_path / 'x.pth', tmp_path / 'o.jsonl'

    def refused(message, **changes):
        torch.save(dict(kept, **changes), path)
        status, _, err = tool(clip, '--out-json', out, checkpoint=path)
        assert status == 1 and len(err) == 1, err
        assert err[0].startswith('error: ') and message in err[0]
        assert str(path) in err[0] and not out.exists()

    name = 'neck.basic.0.query_proj.weight'
    bad = dict(kept['state_dict'], **{name: torch.full((32, 32), torch.nan)})
    refused(f'{name} of the checkpoint holds NaN', state_dict=bad)
    refused(
        'checkpoint is of other classes than the config: class 1',
        meta=dict(dataset_meta=dict(classes=['zero', *'123456789'])),
    )
    refused('say --trust-checkpoint', extra=Foreign())
    status, _, err = tool(clip, '--out-json', out, '--trust-checkpoint', checkpoint=path)
    assert (status, err) == (0, []) and len(lines_of(out)) == 10


def test_no_such_config(tool, clip, tmp_path):
    status, _, err = tool(clip, '--out-json', tmp_path / 'o.json', config='rdn/nothing')
    assert (status, err) == (
        1,
        ['error: config rdn/nothing does not exist, and no config of the package has that name'],
    )
