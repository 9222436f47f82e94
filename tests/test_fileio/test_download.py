# Copyright (c) mmrdn contributors. All rights reserved.
"""Downloads, and the hash that a published file has in its name."""

import contextlib
import hashlib
import socket
import threading
import time

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader

from helpers.http import serving
from mmrdn.apis import build_runner
from mmrdn.datasets import LoadFrame
from mmrdn.fileio.checkpoint import install_safe_loading, load_checkpoint_file, read_checkpoint
from mmrdn.fileio.coco_vid import CocoVidFile
from mmrdn.fileio.download import cache_name, fetch, named_hash, shown_url
from mmrdn.own_videos.coco_vid_tables import CocoVidTables


@pytest.fixture
def files(tmp_path):
    """A directory with a checkpoint under several names, and its hash."""
    directory = tmp_path / 'served'
    directory.mkdir()
    torch.save(dict(state_dict=dict(a=torch.arange(3))), directory / 'plain.pth')
    data = (directory / 'plain.pth').read_bytes()
    digits = hashlib.sha256(data).hexdigest()[:8]
    for name in (f'good-{digits}.pth', 'bad-00decade.pth', 'short-rdn.pth', f'short-{digits}.pth', 'rdn_r50-dc5.pth'):
        (directory / name).write_bytes(data)
    return directory, digits


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where torch keeps downloads."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    return tmp_path / 'torch' / 'hub' / 'checkpoints'


@pytest.mark.parametrize(
    'name, expected',
    [
        ('rdn_r50-1a2b3c4d.pth', '1a2b3c4d'),
        ('a/b-00000000/resnet50-0676ba61.pth', '0676ba61'),
        ('selsa_20201227_204835-2f5a4952.pth', '2f5a4952'),
        ('rdn-12345678.pth', '12345678'),
        ('iter_60000.pth', None),
        ('rdn_r50-dc5.pth', None),
        ('rdn-1A2B3C4D.pth', None),
        ('rdn-1a2b3c4d5.pth', None),
        ('rdn-1a2b3c4d.pth.txt', None),
        ('rdn-20200130.pth', None),
        ('rdn-00060000.pth', None),
        ('rdn_1a2b3c4d.pth', None),
    ],
)
def test_hash_in_a_name(name, expected):
    assert named_hash(name) == expected


@pytest.mark.parametrize('through', [read_checkpoint, 'mmengine'])
def test_what_is_right_is_fetched_once(files, cache, through):
    directory, digits = files
    if through == 'mmengine':
        install_safe_loading()
        through = CheckpointLoader.load_checkpoint
    with serving(directory) as url:
        for name, query in ((f'good-{digits}.pth', '?token=y'), ('rdn_r50-dc5.pth', '?token=x')):
            loaded = through(f'{url}/{name}?token=x')
            assert loaded['state_dict']['a'].tolist() == [0, 1, 2]
            assert (cache / cache_name(f'{url}/{name}?token=x')).read_bytes() == (directory / name).read_bytes()
            (directory / name).unlink()
            through(f'{url}/{name}{query}')  # from the cache
    assert len(list(cache.iterdir())) == 2


def test_copies_of_two_addresses_are_two_files(tmp_path, cache):
    """Unless their common name holds a hash, which says that they are the same."""
    for directory, value in (('a', 1), ('b', 2)):
        (tmp_path / directory).mkdir()
        torch.save(dict(state_dict=dict(a=torch.tensor(value))), tmp_path / directory / 'rdn.pth')
    with serving(tmp_path) as url:
        for directory, value in (('a', 1), ('b', 2)):
            assert read_checkpoint(f'{url}/{directory}/rdn.pth')['state_dict']['a'] == value
    assert cache_name('https://a.org/rdn-1a2b3c4d.pth?x=1') == 'rdn-1a2b3c4d.pth'
    assert cache_name('https://me:pw@a.org/x.pth') == cache_name('https://a.org/x.pth')
    assert cache_name('https://a.org/x.pth?id=1') != cache_name('https://a.org/x.pth?id=2')
    digits = hashlib.sha256(b'https://a.org/x.pth').hexdigest()[:16]
    assert cache_name('https://a.org/x.pth') == f'x.{digits}.pth'


def test_a_server_that_sends_no_length(files, tmp_path):
    """Only a hash in the name tells then whether a file is whole."""
    directory, digits = files
    with serving(directory) as url:
        fetch(f'{url}/nolength/good-{digits}.pth', tmp_path / 'a.pth')
        assert (tmp_path / 'a.pth').read_bytes() == (directory / 'plain.pth').read_bytes()
        for name, reason in (('plain.pth', 'does not say how long'), (f'short-{digits}.pth', 'is corrupt')):
            with pytest.raises(ValueError, match=reason):
                fetch(f'{url}/nolength/{name}', tmp_path / 'b.pth')
    assert not (tmp_path / 'b.pth').exists()


def test_limits_of_size_and_time(files, tmp_path):
    size = (files[0] / 'plain.pth').stat().st_size
    with serving(files[0]) as url:
        fetch(f'{url}/plain.pth', tmp_path / 'a.pth', max_bytes=size)
        for name, kwargs, message in (
            ('plain.pth', dict(max_bytes=size - 1), f'plain.pth is larger than {size - 1} bytes'),
            ('endless', dict(max_bytes=100000), 'endless is larger than 100000 bytes'),
            ('endless', dict(max_seconds=0.2), 'endless: the download takes too long'),
        ):
            with pytest.raises(ValueError) as error:
                fetch(f'{url}/{name}', tmp_path / 'b.pth', **kwargs)
            assert str(error.value) == f'{url}/{message}; nothing was kept'
    assert not (tmp_path / 'b.pth').exists()


def test_a_runner_sees_no_secrets_of_an_address(files, cache, monkeypatch):
    """MMEngine logs ``load_from``, and writes it into the work directory."""
    built = []

    class Stop(Exception):
        pass

    def build(cfg):
        built.append(cfg)
        raise Stop

    monkeypatch.setattr('mmrdn.apis.runner.Runner.from_cfg', build)
    with serving(files[0]) as url, pytest.raises(Stop):
        build_runner(Config(dict(load_from=f'{url}/plain.pth?token=secret', launcher='none')))
    assert built[0].load_from == str(cache / cache_name(f'{url}/plain.pth?token=secret'))


@pytest.mark.parametrize(
    'name, message',
    [
        (
            'bad-00decade.pth',
            '{url}/bad-00decade.pth is corrupt: its SHA-256 starts with '
            '{digits}, expected 00decade as in its name; nothing was kept',
        ),
        ('short-rdn.pth', '{url}/short-rdn.pth: the download broke off after {half} of {size} bytes; nothing was kept'),
        (
            'short-{digits}.pth',
            '{url}/short-{digits}.pth: the download broke off after {half} of {size} bytes; nothing was kept',
        ),
        ('none.pth', '{url}/none.pth cannot be downloaded: HTTP Error 404: File not found'),
    ],
)
def test_what_is_wrong_is_refused_and_not_kept(files, cache, name, message):
    directory, digits = files
    size = (directory / 'plain.pth').stat().st_size
    with serving(directory) as url:
        values = dict(url=url, digits=digits, size=size, half=size // 2)
        with pytest.raises((ValueError, OSError)) as error:
            read_checkpoint(f'{url}/{name.format(**values)}?token=secret')
        assert str(error.value) == message.format(**values)
    assert list(cache.iterdir()) == []


def test_a_failed_download_leaves_what_was_there(files, tmp_path):
    target = tmp_path / 'mine.pth'
    target.write_text('mine')
    with serving(files[0]) as url, pytest.raises(ValueError):
        fetch(f'{url}/short-rdn.pth', target)
    assert target.read_text() == 'mine'


def test_nobody_serves(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    for url, message in (
        (
            f'http://127.0.0.1:{port}/a.pth?token=secret',
            f'http://127.0.0.1:{port}/a.pth cannot be downloaded: <urlopen error',
        ),
        (
            f'http://me:secret@127.0.0.1:{port}/a.pth',
            f'http://127.0.0.1:{port}/a.pth cannot be downloaded: <urlopen error',
        ),
        ('http://me:secret@127.0.0.1/a.pth', 'http://127.0.0.1/a.pth cannot be downloaded: no valid URL'),
    ):
        with pytest.raises(OSError) as error:
            fetch(url, tmp_path / 'a.pth')
        assert str(error.value).startswith(message)
        assert 'secret' not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_what_its_name_says(files):
    """Wherever it comes from, such as ``mim download``, which checks none."""
    directory, digits = files
    assert load_checkpoint_file(directory / f'good-{digits}.pth')
    damaged = directory / 'bad-00decade.pth'
    for trusted in (False, True):
        with pytest.raises(ValueError) as error:
            load_checkpoint_file(damaged, trust_checkpoint=trusted)
        assert str(error.value) == (
            f'checkpoint {damaged} is damaged or was changed: its SHA-256 '
            f'starts with {digits}, expected 00decade as in its name (if that '
            'is no hash, rename the file)'
        )
    damaged.rename(directory / 'renamed.pth')
    assert load_checkpoint_file(directory / 'renamed.pth')


@pytest.mark.parametrize(
    'given, expected',
    [
        ('https://me:secret@zoo.org/a/x.pth?token=secret#1', 'https://zoo.org/a/x.pth'),
        ('http://zoo.org/x.pth', 'http://zoo.org/x.pth'),
        ('rtsp://me:p@ss@camera/live?key=secret', 'rtsp://camera/live'),
        ('S3://key@bucket/x.json', 'S3://bucket/x.json'),
        ('work/x?y@z.pth', 'work/x?y@z.pth'),
        ('rtsp://admin:pa?ss@cam/x', 'rtsp://cam/x'),
        ('rtsp://admin:pa#ss@cam/x?key=secret', 'rtsp://cam/x'),
        ('https://u:pa/ss@h/x.pth', 'https://h/x.pth'),
        ('https://u:p@s/s@h/x.pth', 'https://h/x.pth'),
        (' https://u:pa@h/x.pth', 'https://h/x.pth'),
        ('https://h:80/x.pth?Id=a@b&Signature=secret', 'https://h:80/x.pth'),
        ('https://u:pa/ss@h/x.pth?Id=a@b&Signature=secret', 'https://h/x.pth'),
        ('http://[::1]:80/x.pth?sig=secret', 'http://[::1]:80/x.pth'),
    ],
)
def test_shown_url(given, expected):
    assert shown_url(given) == expected


@pytest.mark.parametrize(
    'read, named',
    [
        (load_checkpoint_file, 'checkpoint '),
        (read_checkpoint, ''),
        (CocoVidFile, ''),
        (CocoVidTables, ''),
        (lambda url: LoadFrame().transform(dict(img_path=url)), 'image '),
    ],
)
@pytest.mark.parametrize(
    'url, shown',
    [
        ('http://u:SECRET@127.0.0.1:1/x', 'http://127.0.0.1:1/x'),
        ('http://u:SECRET@:x/x', 'http://:x/x'),
        ('HTTP://127.0.0.1:1/x?sig=SECRET', 'HTTP://127.0.0.1:1/x'),
        (' http://127.0.0.1:1/x?sig=SECRET', 'http://127.0.0.1:1/x'),
        ('http://u:SE/CRET@127.0.0.1/x', 'http://127.0.0.1/x'),
        ('nowhere://u:SECRET@bucket/x', 'nowhere://bucket/x'),
    ],
)
def test_what_cannot_be_read_is_named_without_its_secrets(read, named, url, shown, cache):
    with pytest.raises(OSError) as error:
        read(url)
    assert f'{named}{shown} ' in str(error.value) and '\n' not in str(error.value)
    assert 'SE' not in str(error.value) and 'CRET' not in str(error.value)


def test_a_bad_image_of_a_server_is_named_without_its_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    (tmp_path / 'x.png').write_bytes(b'text')
    with serving(tmp_path) as url, pytest.raises(ValueError) as error:
        LoadFrame().transform(dict(img_path=f'{url}/x.png?sig=SECRET'))
    assert str(error.value).startswith(f'image {url}/x.png cannot be decoded')


@pytest.mark.parametrize('head', [b'HTTP/1.1 200 OK\r\nX: ', b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'])
def test_bytes_that_drip_in_front_of_the_content(head, tmp_path):
    """In a header, or in the size of a chunk: no read returns."""

    def drip():
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(9999)
            connection.sendall(head)
            while not is_over.wait(0.05):
                connection.sendall(b'0')

    is_over = threading.Event()
    with socket.create_server(('127.0.0.1', 0)) as server:
        thread = threading.Thread(target=drip)
        thread.start()
        start = time.monotonic()
        with pytest.raises(ValueError, match='a.pth: the download takes too long; nothing was kept'):
            fetch(f'http://127.0.0.1:{server.getsockname()[1]}/a.pth', tmp_path / 'a.pth', max_seconds=0.3)
        assert time.monotonic() - start < 5
        is_over.set()
        thread.join()
    assert not list(tmp_path.iterdir())
