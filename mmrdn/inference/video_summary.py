# Copyright (c) mmrdn contributors. All rights reserved.
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class VideoSummary:
    """What a run over a video came to.

    Attributes:
        frames (int): Frames with results.
        seconds (float): That the run took.
        truncated (bool): Whether damage of the video cost frames.
        skipped (list[str]): Images that could not be read.
        outputs (list[Path]): What was written.
    """

    frames: int = 0
    seconds: float = 0.0
    truncated: bool = False
    skipped: list[str] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)

    def __str__(self) -> str:
        words = f'{self.frames} frame{"s" if self.frames != 1 else ""}'
        if self.seconds:
            words += f' in {self.seconds:.1f} s ({self.frames / self.seconds:.1f} a second)'
        if self.skipped:
            words += f', {len(self.skipped)} left out'
        return f'{words}: {", ".join(map(str, self.outputs)) or "nothing"}'
