# Copyright (c) mmrdn contributors. All rights reserved.
"""Show that oneDNN writes past its buffer: see onednn_overrun.md beside this file.

Run it with glibc's checking allocator, which ends a process whose heap was overwritten:

    MALLOC_CHECK_=3 LD_PRELOAD=libc_malloc_debug.so.0 python onednn_overrun.py 4
"""

import sys

import torch


def main() -> None:
    """Train one convolution with as many input channels as the command line says."""
    channels = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    torch.manual_seed(0)
    torch.set_num_threads(1)
    conv = torch.nn.Conv2d(channels, 2 * channels, kernel_size=1, stride=2, bias=False)
    conv.to(memory_format=torch.channels_last)
    images = torch.randn(2, channels, 64, 80).contiguous(memory_format=torch.channels_last)
    for _ in range(20):
        conv(images).sum().backward()
    print(f'torch {torch.__version__}, {channels} channels: the heap is whole')


if __name__ == '__main__':
    main()
