# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmrdn.utils.model_parts import part_paths


class FreezableMixin:
    """Parts of a video detector that training leaves as they are, named by dotted paths.

    mmtrack's ``freeze_module`` takes direct parts only, and after the next call of ``train`` frozen
    batch normalization updates its statistics again.
    """

    frozen_parts: tuple[str, ...] = ()

    def freeze_module(self, module: str | Sequence[str]) -> None:
        """Freeze parameters, and statistics of batch normalization.

        Args:
            module (str or Sequence[str]): Paths such as ``'detector.backbone'``.

        Raises:
            ValueError: There is no such part, or it is the whole.
        """
        paths = part_paths(self, module, 'frozen_modules')  # type: ignore[arg-type]
        for path in paths:
            self.get_submodule(path).requires_grad_(False)  # type: ignore[attr-defined]
        self.frozen_parts += paths
        self.train(self.training)

    def train(self, mode: bool = True) -> nn.Module:
        """Switch the mode of all parts except frozen batch normalization."""
        super().train(mode)  # type: ignore[misc]
        for path in self.frozen_parts:
            for part in self.get_submodule(path).modules():  # type: ignore[attr-defined]
                if isinstance(part, _BatchNorm):
                    part.eval()
        return self  # type: ignore[return-value]
