# Copyright (c) mmrdn contributors. All rights reserved.
import copy
import glob
import itertools
import os
import platform
import random
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.visualization import Visualizer
from mmtrack.structures import TrackDataSample

from helpers.tools import ROOT
from mmrdn.engine import ChannelsLastHook, FiniteLossHook, IterSeedHook, LateVisualizationHook, ReportProgressHook


def draws(seed, rank, iteration):
    """Draws of an iteration, after whatever went before."""
    torch.rand(random.randrange(9) + 1)
    runner = SimpleNamespace(seed=seed, rank=rank, iter=iteration)
    IterSeedHook().before_train_iter(runner, iteration)
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_an_iteration_draws_what_it_always_draws():
    places = [(s, r, i) for s in (0, 1) for r in (0, 1) for i in (0, 1, 2)]
    first = [draws(*place) for place in places]
    assert [draws(*place) for place in reversed(places)] == first[::-1]
    # Nothing repeats between seeds, ranks, iterations or generators.
    assert len({value for values in first for value in values}) == 3 * 12


def runner_at(iteration, max_iters=100):
    return SimpleNamespace(iter=iteration, max_iters=max_iters, train_loop=SimpleNamespace(max_iters=max_iters))


@pytest.mark.parametrize(
    'iteration, interval, checked', [(9, 10, True), (8, 10, False), (99, 1000, True), (0, 1, True)]
)
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_losses_must_be_finite(iteration, interval, checked, value):
    hook = FiniteLossHook(interval)
    good, bad = torch.tensor(0.5), torch.tensor(value)
    hook.after_train_iter(runner_at(iteration), iteration, outputs={'a': good})
    outputs = dict(loss=bad, loss_cls=bad, loss_bbox=good, acc=[good])
    if checked:
        with pytest.raises(ValueError, match=f'iteration {iteration + 1}: loss, loss_cls became'):
            hook.after_train_iter(runner_at(iteration), iteration, outputs=outputs)
    else:
        hook.after_train_iter(runner_at(iteration), iteration, outputs=outputs)


def test_interval_of_losses():
    with pytest.raises(ValueError, match='interval must be at least 1'):
        FiniteLossHook(0)


def test_progress_is_reported(tmp_path):
    """Iterations and the loss in training, frames of batches elsewhere."""
    path = tmp_path / 'reports'
    loader = SimpleNamespace(sampler=range(5), batch_size=2)
    runner = SimpleNamespace(iter=49, max_iters=100, val_dataloader=loader, test_dataloader=loader)
    hook = ReportProgressHook(str(path), interval=0)
    hook.after_train_iter(runner, 0, None, dict(loss=torch.tensor(0.5)))
    hook.after_val_iter(runner, 0)
    hook.after_test_iter(runner, 2)
    lines = path.read_text().splitlines()
    assert lines == ['["train", 50, 100, 0.5]', '["val", 2, 5, null]', '["test", 5, 5, null]']


def test_progress_is_reported_from_time_to_time(tmp_path):
    """The first iteration, those after the interval, and the last."""
    path = tmp_path / 'reports'
    hook = ReportProgressHook(str(path), interval=3600)
    for i in range(5):
        hook.after_train_iter(SimpleNamespace(iter=i, max_iters=5), i, None, dict(loss=torch.tensor(float(i))))
    assert path.read_text().splitlines() == ['["train", 1, 5, 0.0]', '["train", 5, 5, 4.0]']


class Drawn:
    """Records what a hook gives to a visualizer."""

    def __init__(self):
        self.images = []

    def add_datasample(self, name, image, data_sample, out_file=None, step=0, **kwargs):
        self.images.append((name, int(image[0, 0, 0]), out_file and os.path.relpath(out_file), step))


def late_results(directory, monkeypatch, **settings):
    """A hook, what it draws, and results of two videos of four frames, whose gray value is 10 * video + frame."""
    monkeypatch.chdir(directory)
    samples = []
    for video, frame in itertools.product((1, 2), range(4)):
        path = directory / f'video{video}' / f'{frame:02d}.png'
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.full((4, 4, 3), 10 * video + frame, np.uint8))
        metainfo = dict(img_path=str(path), img_id=10 * video + frame)
        samples.append(TrackDataSample(metainfo=metainfo))
    monkeypatch.setattr(Visualizer, 'get_current_instance', Drawn)
    hook = LateVisualizationHook(**(dict(draw=True, interval=2) | settings))
    return hook, hook._visualizer.images, samples


def run_late(hook, mode, samples, trained=None, work_dir='work'):
    """Hand results to a hook as a detector does that looks two frames ahead."""
    info = {} if trained is None else dict(iter=trained - 1)
    hub = SimpleNamespace(runtime_info=info, get_info=info.get)
    runner = SimpleNamespace(message_hub=hub, work_dir=work_dir, timestamp='now')
    getattr(hook, f'before_{mode}_epoch')(runner)
    for video in (samples[:4], samples[4:]):
        for i, outputs in enumerate(([], [], video[:1], video[1:])):
            getattr(hook, f'after_{mode}_iter')(runner, i, {}, outputs)


def test_images_are_those_of_the_frame_they_are_named_after(tmp_path, monkeypatch):
    hook, drawn, samples = late_results(tmp_path, monkeypatch)
    run_late(hook, 'test', samples)
    assert drawn == [
        ('test_video1_01', 11, None, 0),
        ('test_video1_03', 13, None, 0),
        ('test_video2_01', 21, None, 0),
        ('test_video2_03', 23, None, 0),
    ]


def test_validations_overwrite_nothing(tmp_path, monkeypatch):
    """Neither each other's images nor those of a test."""
    hook, drawn, samples = late_results(tmp_path, monkeypatch, interval=4)
    run_late(hook, 'val', samples, trained=4)
    run_late(hook, 'val', samples, trained=8)
    run_late(hook, 'test', samples)
    assert [(name, step) for name, _, _, step in drawn] == [
        ('val_video1_03', 4),
        ('val_video2_03', 4),
        ('val_video1_03', 8),
        ('val_video2_03', 8),
        ('test_video1_03', 0),
        ('test_video2_03', 0),
    ]


def test_a_validation_without_training(tmp_path, monkeypatch):
    hook, drawn, samples = late_results(tmp_path, monkeypatch, interval=8)
    run_late(hook, 'val', samples)
    assert drawn == [('val_video2_03', 23, None, 0)]


def test_a_directory_for_each_video(tmp_path, monkeypatch):
    """Below a relative work directory too, and where another video has the same name."""
    hook, drawn, samples = late_results(tmp_path, monkeypatch, interval=1, test_out_dir='out')
    other = tmp_path / 'other' / 'video1'
    other.mkdir(parents=True)
    path = str(other / '00.png')
    cv2.imwrite(path, np.full((4, 4, 3), 99, np.uint8))
    samples[4] = TrackDataSample(metainfo=dict(img_path=path, img_id=20))
    run_late(hook, 'test', samples)
    files = [f'work/now/out/video1/{i:02d}.png' for i in range(4)]
    files += ['work/now/out/video1/00_20.png', *(f'work/now/out/video2/{i:02d}.png' for i in range(1, 4))]
    assert [file for _, _, file, _ in drawn] == files
    assert [gray for _, gray, _, _ in drawn] == [10, 11, 12, 13, 99, 21, 22, 23]
    assert all(os.path.isdir(os.path.dirname(file)) for file in files)


def test_frames_in_video_files(tmp_path, monkeypatch):
    """Drawn from the file by index, as PNG; an image without a suffix too."""
    hook, drawn, _ = late_results(tmp_path, monkeypatch, interval=1, test_out_dir='out')
    writer = cv2.VideoWriter(str(tmp_path / 'clip.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for gray in (20, 80, 140, 200):
        writer.write(np.full((48, 64, 3), gray, np.uint8))
    writer.release()
    (tmp_path / 'video1' / '00.png').rename(tmp_path / 'video1' / '00')
    paths = [tmp_path / 'clip.avi' / f'{i:06d}' for i in (2, 0, 3, 1)] + [tmp_path / 'video1' / '00']
    run_late(hook, 'test', [TrackDataSample(metainfo=dict(img_path=str(p), img_id=i)) for i, p in enumerate(paths)])
    names = [f'clip.avi/{i:06d}.png' for i in (2, 0, 3, 1)] + ['video1/00.png']
    assert [file for _, _, file, _ in drawn] == [f'work/now/out/{name}' for name in names]
    assert [gray for _, gray, _, _ in drawn] == pytest.approx([140, 20, 200, 80, 10], abs=2)


@pytest.mark.parametrize('mode', ['val', 'test'])
def test_colors_and_bad_images(mode, tmp_path, monkeypatch):
    """Images are RGB, read with the client that is given; one line names a bad one."""
    hook, drawn, samples = late_results(tmp_path, monkeypatch, interval=1, file_client_args=dict(backend='disk'))
    for sample in samples:
        cv2.imwrite(sample.img_path, np.full((4, 4, 3), (1, 2, 3), np.uint8))  # BGR
    run_late(hook, mode, samples)
    assert [red for _, red, _, _ in drawn] == [3] * 8
    os.truncate(samples[1].img_path, 40)
    with pytest.raises(ValueError, match='image .*video1/01.png is truncated'):
        run_late(hook, mode, samples)


def test_nothing_is_drawn_unless_asked(tmp_path, monkeypatch):
    hook, drawn, samples = late_results(tmp_path, monkeypatch, draw=False, interval=1)
    run_late(hook, 'test', samples)
    assert drawn == []


class Strided(torch.nn.Module):
    """A narrow residual stage: the 1x1 convolution with a stride is its shortcut."""

    def __init__(self, channels):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, channels, 3)
        self.body = torch.nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        self.shortcut = torch.nn.Conv2d(channels, 2 * channels, 1, stride=2)

    def forward(self, images):
        x = self.stem(images)
        return self.body(x) + self.shortcut(x)


@pytest.mark.parametrize('channels, is_last', [(8, False), (16, True)])
def test_channels_last_but_for_what_overruns(channels, is_last):
    torch.manual_seed(0)
    model = Strided(channels).double()
    plain = copy.deepcopy(model)
    hook = ChannelsLastHook()
    for _ in range(2):  # training, then testing
        hook.before_run(SimpleNamespace(model=model))
    seen = []
    model.shortcut.register_forward_pre_hook(
        lambda module, args: seen.append(args[0].is_contiguous(memory_format=torch.channels_last))
    )
    images = torch.randn(2, 3, 20, 24, dtype=torch.float64)
    model(images).square().sum().backward()
    plain(images).square().sum().backward()
    assert model.stem.weight.is_contiguous(memory_format=torch.channels_last)
    assert seen == [is_last]
    assert len(model.shortcut._forward_pre_hooks) == 1 + (not is_last)
    for ours, theirs in zip(model.parameters(), plain.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.slow
@pytest.mark.skipif(not glob.glob('/lib*/*/libc_malloc_debug.so.0'), reason='glibc without its checks')
def test_channels_last_hook_writes_past_no_buffer():
    """glibc's checking allocator ends a process that wrote past a buffer."""
    code = (
        'import mmrdn, sys, torch; sys.path[:0] = ["tests", "tests/test_engine"]; from types import SimpleNamespace; '
        'from test_hooks import ChannelsLastHook, Strided; model = Strided(4); '
        'ChannelsLastHook().before_run(SimpleNamespace(model=model)); images = torch.randn(2, 3, 66, 82); '
        '[model(images).sum().backward() for _ in range(20)]; print("whole")'
    )
    checked = dict(os.environ, MALLOC_CHECK_='3', LD_PRELOAD='libc_malloc_debug.so.0')
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, env=checked, capture_output=True, text=True)
    assert done.stdout == 'whole\n', done.stderr[-500:]


ALLOCATE = """
import ctypes, resource, sys, torch
from types import SimpleNamespace
from mmrdn.engine import KeepMemoryHook

libc = ctypes.CDLL(None)
libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]

def count_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        block = torch.ones(1 << 24)  # 64 MiB
        del block
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

counts = [count_faults()]
KeepMemoryHook().before_run(SimpleNamespace(model=torch.nn.Linear(1, 1, device=sys.argv[1])))
count_faults()  # the first block comes from the system
counts.append(count_faults())
start = libc.sbrk(0)
libc.free(libc.malloc(3 << 30))  # not written to: takes no memory
print(*counts, libc.sbrk(0) - start >= 2 << 30)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='another C library than glibc')
@pytest.mark.parametrize(
    'device, variables, is_kept',
    [('cpu', {}, True), ('meta', {}, False), ('cpu', dict(MALLOC_TRIM_THRESHOLD_='131072'), False)],
)
def test_freed_memory_is_used_again(device, variables, is_kept):
    """Without the hook, the system clears each page of each block again."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(('MALLOC_', 'GLIBC_'))}
    done = subprocess.run(
        [sys.executable, '-c', ALLOCATE, device],
        cwd=ROOT,
        env=env | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    before, after, keeps_gigabytes = done.stdout.split()
    assert int(after) < int(before) / 10 if is_kept else int(after) > int(before) / 2
    assert keeps_gigabytes == str(is_kept)
