# Copyright (c) mmrdn contributors. All rights reserved.
import gc
import multiprocessing

from helpers.videos import noise, write_mp4
from mmrdn.fileio.video_files import open_container


def test_a_forked_process_does_not_free_decoders_of_its_parent(tmp_path):
    """An open container in a cycle waits for the garbage collector."""
    gc.disable()
    try:
        cycle = [open_container(str(write_mp4(tmp_path / 'clip.mp4', noise(4, (240, 320)))), 'clip')]
        cycle.append(cycle)
        container, stream = cycle[0]
        assert len(list(container.decode(stream))) == 4  # its threads run
        del cycle, container, stream
        child = multiprocessing.get_context('fork').Process(target=gc.collect)
        child.start()
        child.join(20)
        child.kill()
        child.join()
    finally:
        gc.enable()
    assert child.exitcode == 0
