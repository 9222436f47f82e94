# Copyright (c) mmrdn contributors. All rights reserved.
"""Time and memory of reading a large COCO-VID file, each measured in its own process."""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from mmrdn.benchmarks.large_coco_vid import write_large_coco_vid
from mmrdn.datasets import ImageNetVIDDataset
from mmrdn.fileio.json_files import write_json
from mmrdn.fileio.whole_file import check_new
from mmrdn.utils.machine import machine

_SAMPLES = 2000  # loaded by workers before their memory is measured


def benchmark_loading(
    out: str | os.PathLike,
    tasks: Mapping[str, Callable[[str], dict[str, Any]]],
    num_frames: int,
    num_boxes: int,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write a COCO-VID file, measure what reads it, and remove it.

    Args:
        out (str or Path): Directory of the results, ``loading.json``.
        tasks (Mapping[str, callable]): Functions of the path that return figures, by name.
        num_frames (int): Number of frames.
        num_boxes (int): Number of boxes.
        overwrite (bool): Whether earlier results may be replaced.

    Returns:
        dict: The content of ``loading.json``: by task what :func:`in_own_process` returns.

    Raises:
        FileExistsError: There are earlier results.
        ValueError: There is no frame or no box.
    """
    if min(num_frames, num_boxes) < 1:
        raise ValueError(f'--num-frames and --num-boxes must be 1 or more, got {num_frames} and {num_boxes}')
    path, results = Path(out) / 'large.json', Path(out) / 'loading.json'
    for file in (path, results) if not overwrite else ():
        check_new(file)
    try:
        write_large_coco_vid(path, num_frames, num_boxes)
        found: dict[str, Any] = dict(machine=machine(), file_bytes=path.stat().st_size)
        for name, task in tasks.items():
            found[name] = row = in_own_process(partial(task, str(path)))
            figures = ', '.join(f'{key} {value:.4g}' for key, value in row.items())
            print(f'{name}: {figures}', flush=True)
    finally:
        path.unlink(missing_ok=True)
    write_json(found, results)
    return found


def in_own_process(task: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run a task in a fresh process.

    Args:
        task (callable): Function, which can be pickled, that returns figures.

    Returns:
        dict: Figures of the task, ``seconds`` of its run, ``cpu_seconds`` and ``peak_bytes`` of the
        process, imports included.

    Raises:
        ChildProcessError: The process ended without figures.
    """
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(task, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()  # its exit code is known then
        raise ChildProcessError(f'the measured process ended early, exit code {process.exitcode}') from None
    finally:
        process.join()


def _measure(task: Callable[[], dict[str, Any]], sender: Any) -> None:
    start = time.perf_counter()
    found = task()
    seconds = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = _kernel_bytes(os.getpid(), 'status', 'VmHWM')  # ru_maxrss begins with that of the parent
    sender.send(found | dict(seconds=seconds, cpu_seconds=usage.ru_utime + usage.ru_stime, peak_bytes=peak))


def load_for_training(path: str, num_workers: int = 2) -> dict[str, Any]:
    """Build the data set of the ImageNet VID config from a file, and load samples without their images.

    Args:
        path (str): Path of the file.
        num_workers (int): Number of forked workers.

    Returns:
        dict: ``num_samples``; ``build_seconds``; ``sample_seconds``, of one sample with two support
        frames; ``shared_bytes``, the memory of this process and the workers, what they share counted once.
    """
    start = time.perf_counter()
    dataset = ImageNetVIDDataset(
        ann_file=path,
        data_prefix=dict(img_path='Data/VID'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        ref_img_sampler=dict(num_ref_imgs=2, frame_range=18, filter_key_img=False, method='uniform'),
    )
    built = time.perf_counter()
    for i in range(_SAMPLES):
        dataset[i % len(dataset)]
    loaded = time.perf_counter()
    loader = DataLoader(dataset, shuffle=True, num_workers=num_workers, collate_fn=len, multiprocessing_context='fork')
    samples = iter(loader)
    for _ in range(min(_SAMPLES, len(loader) // 2)):
        next(samples)
    processes = [os.getpid(), *(worker.pid for worker in samples._workers)]
    return dict(
        num_samples=len(dataset),
        build_seconds=built - start,
        sample_seconds=(loaded - built) / _SAMPLES,
        # Each page divided by the number of processes that share it.
        shared_bytes=sum(_kernel_bytes(process, 'smaps_rollup', 'Pss') for process in processes),
    )


def _kernel_bytes(process: int, file: str, field: str) -> int:
    """Return what the kernel says of the memory of a process, in kB there."""
    for line in Path(f'/proc/{process}/{file}').read_text().splitlines():
        if line.startswith(f'{field}:'):
            return int(line.split()[1]) * 1024
    raise ValueError(f'/proc/{process}/{file} has no line {field}')
