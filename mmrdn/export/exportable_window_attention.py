# Copyright (c) mmrdn contributors. All rights reserved.
"""The shifted windows of Swin Transformer (Liu et al., ICCV 2021), as rows that are looked up by index.

mmdet pads, rolls and reshapes feature maps. For a dynamic height and width, ``torch.export`` would have to prove
that these reshapes fit, and does not come to an end. A look-up needs no proof.

Legend: B images, H x W positions of a map, L = H W, C channels, s side of a window, n windows of an image.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmdet.models.backbones.swin import ShiftWindowMSA
from torch import Tensor

_MASKED = -100.0  # attention logit between positions that only the shift has made neighbors, as in mmdet


class ExportableWindowAttention(nn.Module):
    """mmdet's ``ShiftWindowMSA``, made of operators that can be exported for any height and width.

    Args:
        attention (ShiftWindowMSA): mmdet's.
    """

    def __init__(self, attention: ShiftWindowMSA) -> None:
        super().__init__()
        self.w_msa, self.drop = attention.w_msa, attention.drop
        self.side, self.shift = attention.window_size, attention.shift_size

    def forward(self, query: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend within windows.

        Args:
            query (Tensor): (B, L, C), row by row.
            hw_shape (tuple[int, int]): H and W.

        Returns:
            Tensor: (B, L, C).
        """
        (height, width), (batch, _, channels) = hw_shape, query.shape
        (y, part_y), (x, part_x) = (self._windows(length, query.device) for length in hw_shape)
        num, area = y.shape[0] * x.shape[0], self.side**2
        rows, columns = y[:, None, :, None], x[None, :, None]
        inside = (rows < height) & (columns < width)  # (n_y, n_x, s, s)
        inds = torch.where(inside, rows * width + columns, height * width).reshape(num * area)
        padded = F.pad(query, (0, 0, 0, 1))  # positions outside of the map are 0
        windows = padded.index_select(1, inds).view(batch * num, area, channels)
        windows = self.w_msa(windows, mask=self._mask(part_y, part_x) if self.shift else None)
        # Of each position of the map, its row in the windows; the last entry is of those outside.
        order = torch.arange(num * area, device=inds.device)
        order = inds.new_zeros(height * width + 1).scatter(0, inds, order)[:-1]
        return self.drop(windows.reshape(batch, num * area, channels).index_select(1, order))

    def _windows(self, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Divide one side of a map.

        Args:
            length (int): H or W.
            device (torch.device): That of the map.

        Returns:
            tuple[Tensor, Tensor]: The positions in each window (windows, s), those outside of the map from ``length``
            on; and the parts 0, 1 and 2 (windows, s) of the side that only the shift has made neighbors.
        """
        num = (length + self.side - 1) // self.side
        end = num * self.side
        places = torch.arange(end, device=device)
        parts = (places >= end - self.side).long() + (places >= end - self.shift)
        return places.roll(-self.shift, 0).view(num, self.side), parts.view(num, self.side)

    def _mask(self, part_y: Tensor, part_x: Tensor) -> Tensor:
        """Return what is added to attention logits, (n, s^2, s^2), of the parts of both sides."""
        parts = (3 * part_y[:, None, :, None] + part_x[None, :, None]).reshape(-1, self.side**2)
        return torch.where(parts[:, None] == parts[:, :, None], 0.0, _MASKED)
