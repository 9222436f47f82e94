# Copyright (c) mmrdn contributors. All rights reserved.
"""``tools/detect_videos.py`` in this process; many of them meet in tests/fuzz/test_soak_detect_videos.py."""

import json
import os

import cv2
import pytest

from helpers.videos import noise, write_mp4

TOOL = 'detect_videos.py'
OUTPUTS = {'--out-video': 'o.mp4', '--out-json': 'o.jsonl', '--out-mot': 'o.txt'}


@pytest.fixture
def tool(run_main, tiny_config, trained, tmp_path):
    """Run the tool on tmp_path/videos: status, lines of stdout and of stderr."""

    def call(*args, tool=TOOL, videos=tmp_path / 'videos', out=tmp_path / 'out'):
        words = [videos, out, '--config', tiny_config, '--checkpoint', trained / 'iter_8.pth']
        if tool != TOOL:
            words = [videos, tiny_config, trained / 'iter_8.pth']
        args = args if '--score-thr' in args else (*args, '--score-thr', '.02')
        status, out, err = run_main(tool, *words, '--device', 'cpu', *args)
        return status, out.splitlines(), err.splitlines()

    return call


@pytest.fixture
def videos(tmp_path):
    """Two files of one name, images, a file that is cut, one that is no video."""
    root = tmp_path / 'videos'
    for directory in ('a', 'b', 'frames'):
        (root / directory).mkdir(parents=True)
    write_mp4(root / 'a' / 'clip.mp4', noise(5, (96, 96)))
    write_mp4(root / 'b' / 'clip.mp4', noise(4, (96, 128), seed=1))
    for i, image in enumerate(noise(3, (64, 64), seed=2)):
        cv2.imwrite(str(root / 'frames' / f'{i}.png'), image)
    cut = write_mp4(root / 'cut.mp4', noise(8, (96, 96), seed=3))
    cut.write_bytes(cut.read_bytes()[: 2 * cut.stat().st_size // 3])
    (root / 'text.mp4').write_bytes(b'words\n' * 99)
    return root


def times(directory):
    return {str(path): path.stat().st_mtime_ns for path in directory.rglob('*') if path.name != 'failures.jsonl'}


@pytest.mark.filterwarnings('ignore:.*truncated or damaged')
def test_outputs_are_those_of_demo_video(tool, videos, tmp_path):
    """Each video has its own directory; bad ones are listed, and finished ones stay."""
    names = [word for pair in OUTPUTS.items() for word in pair]
    status, told, err = tool(*names, '--fps', 5)
    assert status == 3
    assert told[-1] == 'videos 5/5 2 failed'
    assert err[-1] == f'2 videos failed, see {tmp_path}/out/failures.jsonl'
    keys = {'a/clip.mp4': 5, 'b/clip.mp4': 4, 'frames': 3, 'cut.mp4': None}
    assert {path.name for path in (tmp_path / 'out').iterdir()} - {'.mmrdn', 'failures.jsonl'} == {
        key.replace('/', '%2F') for key in keys
    }
    for key, length in keys.items():
        expected, found = tmp_path / 'expected' / key, tmp_path / 'out' / key.replace('/', '%2F')
        paths = [word for option, name in OUTPUTS.items() for word in (option, expected / name)]
        rate = ('--fps', 5) if key == 'frames' else ()
        assert tool(*paths, *rate, tool='demo_video.py', videos=videos / key)[0] == (0 if length else 3)
        assert sorted(os.listdir(found)) == sorted(OUTPUTS.values())
        for name in OUTPUTS.values():
            assert (found / name).read_bytes() == (expected / name).read_bytes()
        assert length is None or len((found / 'o.jsonl').read_text().splitlines()) == length
    failures = list(map(json.loads, (tmp_path / 'out' / 'failures.jsonl').read_text().splitlines()))
    assert [failure['video'] for failure in failures] == ['cut.mp4', 'text.mp4']
    num = len((tmp_path / 'out' / 'cut.mp4' / 'o.jsonl').read_text().splitlines())
    assert failures[0]['error'] == f'truncated or damaged: the outputs hold what decodes, {num} frames'
    path = videos / 'text.mp4'
    assert failures[1]['error'] == f'video {path} is no video, or so truncated that nothing can be read'

    before = times(tmp_path / 'out')
    assert tool(*names, '--fps', 5)[0] == 3
    after = times(tmp_path / 'out')
    assert {path for path in before if before[path] != after[path]} == {
        str(tmp_path / 'out' / '.mmrdn' / name) for name in ('failed', 'failed/text.mp4', 'locks', 'partial')
    } & before.keys() - {str(tmp_path / 'out' / '.mmrdn' / 'locks')}


def test_the_same_directory_with_another_checkpoint(tool, videos, trained, tmp_path):
    """Named, and nothing is mixed; lines of JSON are the default."""
    for name in ('cut.mp4', 'text.mp4'):
        (videos / name).unlink()
    assert tool()[0] == 0
    assert os.listdir(tmp_path / 'out' / 'frames') == ['detections.jsonl']
    assert not (tmp_path / 'out' / 'failures.jsonl').exists()
    status, _, err = tool('--checkpoint', trained / 'iter_4.pth', '--cfg-options', 'model.temporal_range=1')
    assert status == 1
    (line,) = err
    assert line.startswith(f'error: {tmp_path}/out holds results of other settings (config "')
    assert '; checkpoint "' in line and 'outputs' not in line
    status, _, err = tool('--score-thr', '.5', '--out-mot', 'o.txt')
    assert status == 1 and 'outputs {"out_json": "detections.jsonl"}, now {"out_mot": "o.txt"}' in err[0]
    assert 'score_thr 0.02, now 0.5' in err[0]
    # Other videos of the same names.
    status, _, err = tool(videos=videos / 'a')
    assert status == 1 and f'directory "{videos}", now "{videos}/a"' in err[0]


@pytest.mark.parametrize(
    'args, message',
    [
        (['--out-json', 'a/b.jsonl'], 'out_json must be a name in the directory of each video, got a/b.jsonl'),
        (['--out-json', '-'], 'out_json must be a name in the directory of each video, got -'),
        (['--out-mot', '/tmp/x.txt'], 'out_mot must be a name in the directory of each video, got /tmp/x.txt'),
        (['--out-video', 'o.avi'], 'out_video must end in .mp4, got o.avi'),
        (['--classes', 'cow'], 'there is no class "cow", expected some of: '),
        (['--show-relations'], 'show_relations needs out_video or out_images'),
        (['--max-frames', 0], 'max_frames must be an integer number of frames, 1 or more, got 0'),
        (['--fps', 'nan'], 'fps must be positive, got nan'),
        (['--scale', 0], 'scale must be 1, 2 or more, got 0'),
        (['--score-thr', '-1'], 'score_thr must be 0 or more, got -1.0'),
        (['--lookahead', 5], 'lookahead must be an integer number of frames, from 0 to 2, got 5'),
    ],
)
def test_options_are_no_faults_of_the_videos(args, message, tool, videos, tmp_path):
    status, _, err = tool(*args)
    assert status == 1
    assert len(err) == 1 and err[0].startswith(f'error: {message}')
    assert not list((tmp_path / 'out').glob('*'))
