# Copyright (c) mmrdn contributors. All rights reserved.
import os

import pytest

from mmrdn.inference.video_list import directory_name, find_videos


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Videos, directories of images and other files; outputs among them."""
    root = tmp_path / 'videos'
    for name in (
        'b.mp4',
        'a.MKV',
        'poster.jpg',
        'sub/b.mp4',
        'sub/notes.txt',
        'frames/1.png',
        'frames/inner/1.jpg',
        '.hidden/c.mp4',
        '.d.mp4',
        'out/b.mp4/annotated.mp4',
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b'')
    (root / 'loop').symlink_to(root)
    monkeypatch.chdir(tmp_path)
    return root


def test_a_directory(tree):
    found = find_videos(tree, tree / 'out')
    expected = ['a.MKV', 'b.mp4', 'frames', 'frames/inner', 'sub/b.mp4']
    assert list(found.paths) == expected
    assert list(found.paths.values()) == [str(tree / name) for name in expected]
    assert sorted(found.left_out) == [str(tree / 'poster.jpg'), str(tree / 'sub' / 'notes.txt')]
    # By a relative path too.
    assert find_videos('videos', 'videos/out').paths == found.paths


def test_a_linked_directory(tree, tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere' / 'x.avi').touch()
    (tree / 'link').symlink_to(tmp_path / 'elsewhere')
    assert 'link/x.avi' in find_videos(tree, tree / 'out').paths


@pytest.mark.parametrize(
    'pattern, root, expected',
    [
        ('videos/*', 'videos', ['a.MKV', 'b.mp4', 'frames']),
        ('videos/*/b.mp4', 'videos', ['sub/b.mp4']),
        ('videos/**/*.mp4', 'videos', ['b.mp4', 'sub/b.mp4']),
        ('videos/s*/*', 'videos', ['sub/b.mp4']),
    ],
)
def test_a_pattern(pattern, root, expected, tree, tmp_path):
    (tree / 'loop').unlink()
    found = find_videos(pattern, tree / 'out')
    assert (found.root, list(found.paths)) == (str(tmp_path / root), expected)


def test_a_manifest(tree, tmp_path):
    """In its order, relative to its directory; another name of a file is another video."""
    manifest = tmp_path / 'lists' / 'some.txt'
    manifest.parent.mkdir()
    (manifest.parent / '#2.mp4').touch()
    lines = ['../videos/sub/b.mp4', 'c.mp4', '', './c.mp4', f'{tree}/b.mp4', 'not there.mp4\r']
    lines += ['# of today', '  #c.mp4', './#2.mp4', 'd#.mp4']
    manifest.write_text('\n'.join(lines))
    inner = manifest.parent
    assert find_videos(manifest, 'out').paths == {
        f'{tree}/sub/b.mp4': f'{tree}/sub/b.mp4',
        'c.mp4': f'{inner}/c.mp4',
        '#2.mp4': f'{inner}/#2.mp4',
        'd#.mp4': f'{inner}/d#.mp4',
        f'{tree}/b.mp4': f'{tree}/b.mp4',
        'not there.mp4': f'{inner}/not there.mp4',
    }


def test_a_name_that_is_no_text(tmp_path):
    manifest = tmp_path / 'list.txt'
    manifest.write_bytes(b'z\xe9.mp4\n')
    (path,) = find_videos(manifest, 'out').paths.values()
    assert os.fsencode(path) == os.fsencode(tmp_path) + b'/z\xe9.mp4'
    assert os.fsencode(directory_name('z\udce9.mp4')) == b'z\xe9.mp4'


def test_a_single_video(tree):
    assert find_videos('videos/b.mp4', 'out').paths == {'b.mp4': str(tree / 'b.mp4')}


@pytest.mark.parametrize(
    'content, message',
    [
        (b'a.mp4\nrtsp://user:secret@host/\n', 'list.txt, line 2: expected the path of a file or directory, got rtsp'),
        (b'-\n', 'line 1: expected the path of a file or directory, got -'),
        (b'\0\0', 'list.txt is neither a manifest .text with a path a line. nor a video by its name'),
        (b'\n#a.mp4\n', 'list.txt: there is no video'),
        (b'#1.mp4\n', 'list.txt, line 1: # begins a comment, but #1.mp4 exists: write ./#1.mp4$'),
    ],
)
def test_bad_manifests(content, message, tmp_path):
    (tmp_path / 'list.txt').write_bytes(content)
    (tmp_path / '#1.mp4').touch()
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        find_videos(tmp_path / 'list.txt', 'out')


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match='x does not exist'):
        find_videos(tmp_path / 'x', 'out')
    with pytest.raises(FileNotFoundError, match='there is no video$'):
        find_videos(tmp_path, 'out')
    (tmp_path / '0.png').touch()
    with pytest.raises(FileNotFoundError, match='there is no video, but images: of a single video give the directory'):
        find_videos(tmp_path, 'out')


def test_names_of_directories():
    """Each differs from the others, is no path, and short enough for a file system."""
    names = ['a.mp4', 'a/a.mp4', 'a%2Fa.mp4', 'a/b', '/a/b', '.a', '%2Ea', 'failures.jsonl', 'ä' * 120, 'ä' * 121]
    keys = [directory_name(name) for name in names]
    assert keys[:6] == ['a.mp4', 'a%2Fa.mp4', 'a%252Fa.mp4', 'a%2Fb', '%2Fa%2Fb', '%2Ea']
    assert len(set(keys)) == len(keys)
    assert 'failures.jsonl' not in keys
    assert max(len(key.encode()) for key in keys) <= 180
