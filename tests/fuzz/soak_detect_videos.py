# Copyright (c) mmrdn contributors. All rights reserved.
"""Processes that detect in many videos and are killed at random; the outputs must be those of one that was not.

``test_soak_detect_videos.py`` kills a few; by hand:
``python tests/fuzz/soak_detect_videos.py --clips 200 --processes 4 --kills 20``.
"""

import argparse
import multiprocessing
import os
import random
import runpy
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch

TESTS = Path(__file__).resolve().parents[1]
for directory in (TESTS, TESTS.parent):
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))

import mmrdn.apis.many_videos  # noqa: E402, F401  (once, for all processes)
from helpers.mmtrack_detectors import write_random  # noqa: E402
from helpers.tools import ROOT, write_config  # noqa: E402
from helpers.videos import noise, write_mp4  # noqa: E402

# One process alone, which is started again while the others continue; or, as launchers do it, the
# others too.
KINDS = ('one', 'all')
FORK = multiprocessing.get_context('fork')


def run_tool(words: list[str], env: dict[str, str], log: Path) -> None:
    """Run ``tools/detect_videos.py`` in this process, a fork that has all modules already."""
    sys.stdout = sys.stderr = open(log, 'a', buffering=1)
    os.environ.update(env)
    use_no_pools()
    sys.argv = words
    runpy.run_path(words[0], run_name='__main__')


def write_detector(path: Path, config: Path) -> None:
    """Write random weights of a detector, in a fork likewise."""
    use_no_pools()
    write_random(path, config)


def use_no_pools() -> None:
    """Work without the pools of threads of the process that was forked, which do not survive it."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


class Job:
    """Processes of ``tools/detect_videos.py`` with the environment that torchrun gives them.

    Args:
        directory (Path): Directory of videos, config and checkpoint.
        out (Path): Directory of the outputs.
        size (int): Number of processes.
    """

    def __init__(self, directory: Path, out: Path, size: int) -> None:
        self.out = out
        self.words = [str(ROOT / 'tools' / 'detect_videos.py'), str(directory / 'videos'), str(out)]
        self.words += ['--config', str(directory / 'tiny.py'), '--checkpoint', str(directory / 'tiny.pth')]
        self.words += ['--out-json', 'o.jsonl', '--out-video', 'o.mp4', '--out-mot', 'o.txt', '--score-thr', '.02']
        self.words += ['--scale', '1', '--launcher', 'pytorch', '--device', 'cpu']
        self.size = size
        self.running: dict[int, multiprocessing.Process] = {}
        self.log = out.with_suffix('.log')

    def start(self) -> None:
        """Start the processes that do not run."""
        for rank in set(range(self.size)) - set(self.running):
            env = dict(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(self.size))
            self.running[rank] = FORK.Process(target=run_tool, args=(self.words, env, self.log))
            self.running[rank].start()

    def kill(self, ranks: list[int]) -> None:
        """Kill processes and wait for their ends."""
        for rank in ranks:
            self.running[rank].kill()
        for rank in ranks:
            self.running.pop(rank).join()

    def finish(self) -> list[int | None]:
        """Wait for the ends of all; return their statuses."""
        for process in self.running.values():
            process.join()
        return [process.exitcode for _, process in sorted(self.running.items())]

    def ended(self) -> bool:
        """Return whether a process has ended by itself."""
        return not all(process.is_alive() for process in self.running.values())

    def num_done(self) -> int:
        """Return the number of videos whose outputs are there."""
        return sum(1 for path in self.out.glob('*') if not path.name.startswith('.'))


def make_files(directory: Path, clips: int, frames: int, size: tuple[int, int]) -> None:
    """Make a detector of random weights, and clips of which many have one name."""
    config = write_config(directory / 'tiny.py', directory / 'nowhere')
    process = FORK.Process(target=write_detector, args=(directory / 'tiny.pth', config))
    process.start()
    process.join()
    for i in range(clips):
        path = directory / 'videos' / f'{i // 10:02}' / f'{i % 10}.mp4'
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mp4(path, noise(frames, size, seed=i))


def soak(
    directory: Path,
    clips: int,
    processes: int,
    kills: int,
    frames: int = 8,
    size: tuple[int, int] = (64, 64),
    seed: int = 0,
    tell: Callable[[str], object] = print,
) -> list[str]:
    """Kill processes at random moments and start them again; return what is wrong.

    Args:
        directory (Path): Empty directory.
        clips (int): Number of videos.
        processes (int): Number of processes.
        kills (int): Number of kills, spread over the work.
        frames (int): Number of frames of a video.
        size (tuple[int, int]): Height and width of a frame, pixels.
        seed (int): Seed of ranks and moments.
        tell (callable): Function that takes lines of figures.
    """
    make_files(directory, clips, frames, size)
    start = time.time()
    unbroken = Job(directory, directory / 'unbroken', processes)
    unbroken.start()
    faults = ['the unbroken run failed'] if any(unbroken.finish()) else []
    tell(f'unbroken, {processes} processes: {clips} videos in {time.time() - start:.0f} s')
    start = time.time()
    broken, done = Job(directory, directory / 'broken', processes), 0
    rng = random.Random(seed)
    for number in range(kills):
        broken.start()
        kind, due = rng.choice(KINDS), (number + rng.random()) * clips / (kills + 1)
        while broken.num_done() < due and not broken.ended():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.2))
        if broken.ended():
            break
        ranks = list(broken.running) if kind == 'all' else [rng.randrange(processes)]
        broken.kill(ranks)
        done += 1
        tell(f'kill {done}: rank {", ".join(map(str, ranks))} of {processes} after {broken.num_done()} videos')
    broken.start()
    statuses = broken.finish()
    log = broken.log.read_text().splitlines()
    tell(f'{done} kills, {processes} processes: {broken.num_done()} videos in {time.time() - start:.0f} s')
    if done < kills:
        faults.append(f'all was done after {done} of {kills} kills: take longer videos')
    if any(statuses):
        faults.append(f'statuses {statuses}: {log[-3:]}')
    if not any(line == f'videos {clips}/{clips} 0 failed' for line in log):
        faults.append(f'the progress ended with {log[-1:]}')
    expected, found = (tree(job.out) for job in (unbroken, broken))
    if sum(name.endswith('o.jsonl') for name in expected) != clips:
        faults.append('the unbroken run is not complete')
    tell(f'{len(expected)} files and directories expected, {len(found)} found')
    return faults + [f'{name} differs' for name in sorted({*expected, *found}) if expected.get(name) != found.get(name)]


def tree(directory: Path) -> dict[str, bytes]:
    """Return the content of all files, also hidden ones; that of a directory is empty."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else b'' for path in directory.rglob('*')
    }


def main() -> None:
    """Run from the command line; the exit status is 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--clips', type=int, default=200, help='number of videos (default: %(default)s)')
    parser.add_argument('--processes', type=int, default=4, help='number of processes (default: %(default)s)')
    parser.add_argument('--kills', type=int, default=20, help='number of kills (default: %(default)s)')
    parser.add_argument('--frames', type=int, default=8, help='frames of a video (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the kills (default: %(default)s)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        faults = soak(
            Path(directory),
            args.clips,
            args.processes,
            args.kills,
            args.frames,
            (64, 64),
            args.seed,
            lambda line: print(line, flush=True),
        )
    for fault in faults:
        print(fault)
    print(f'{len(faults)} faults')
    sys.exit(bool(faults))


if __name__ == '__main__':
    main()
