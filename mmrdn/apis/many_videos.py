# Copyright (c) mmrdn contributors. All rights reserved.
"""Detect in many videos, as one of any number of processes."""

import contextlib
import hashlib
import json
import os
import warnings
from pathlib import Path

from mmengine.config import Config
from rich.console import Console

from mmrdn.apis.model_loading import resolve_config
from mmrdn.apis.video_inferencer import VideoInferencer
from mmrdn.engine.distributed.ranks import device_of_rank, this_rank
from mmrdn.fileio.download import file_hash, shown_url
from mmrdn.inference.linked_frames import Progress
from mmrdn.inference.many_videos import ManyVideos
from mmrdn.inference.results_directory import ResultsDirectory
from mmrdn.inference.video_list import find_videos
from mmrdn.inference.video_outputs import VideoOutputs, VideoSummary
from mmrdn.utils.checks import check_num_frames
from mmrdn.utils.dataset_configs import leaf_datasets
from mmrdn.utils.frame_progress import FrameProgress
from mmrdn.version import __version__
from mmrdn.video.sources.opening import check_fps


def detect_videos(
    videos: str,
    out_dir: str,
    config: str,
    checkpoint: str | None = None,
    outputs: dict[str, str] | None = None,
    model_options: dict | None = None,
    run_options: dict | None = None,
    device: str | None = None,
    launcher: str = 'none',
    quiet: bool = False,
) -> int:
    """Detect in many videos, together with the other processes that do the same.

    Args:
        videos (str): See :func:`find_videos`.
        out_dir (str): Directory of the outputs, see :class:`ResultsDirectory`.
        config (str): See :class:`VideoInferencer`, also for ``checkpoint``.
        outputs (dict[str, str], optional): Names of the outputs of each video, in a directory of its
            own, by the arguments of :class:`VideoOutputs`; ``out_json='detections.jsonl'`` if none
            is given.
        model_options (dict, optional): Other arguments of :class:`VideoInferencer`.
        run_options (dict, optional): Other arguments of its call: ``score_thr``, ``classes``,
            ``show_relations``, ``scale``, ``font``, ``max_frames``, ``fps`` (of images), ``strict``.
        device (str, optional): Name of a device; a GPU for each rank of a machine if not given.
        launcher (str): Launcher of this process, see :func:`this_rank`.
        quiet (bool): Whether to show no progress.

    Returns:
        int: Number of videos that failed or are damaged.

    Raises:
        OSError: There is no video, or no room for outputs.
        ValueError: An option is of no use, or ``out_dir`` holds results of other settings.
    """
    rank, _ = this_rank(launcher)
    outputs = {key: name for key, name in (outputs or {}).items() if name} or dict(out_json='detections.jsonl')
    model_options, run_options = model_options or {}, dict(run_options or {})
    fps = run_options.pop('fps', None)
    check_fps(fps)
    if run_options.get('max_frames') is not None:
        check_num_frames('max_frames', run_options['max_frames'], 1)
    for key, name in outputs.items():
        if Path(name).name != name or name in ('-', '..'):
            raise ValueError(f'{key} must be a name in the directory of each video, got {name}')
    drawing = {name: run_options[name] for name in ('scale', 'font') if name in run_options}
    planned = VideoOutputs(**outputs, overwrite=True, **drawing)
    found = find_videos(videos, out_dir)
    if found.left_out and rank == 0:
        warnings.warn(
            f'{len(found.left_out)} files are no videos by their names and left out, such as '
            f'{found.left_out[0]}; a manifest can name them',
            stacklevel=2,
        )
    cfg, weights = resolve_config(config, model_options.get('cfg_options'))
    settings = dict(
        mmrdn=__version__,
        directory=found.root,
        config=_hash_of_config(cfg),
        checkpoint=_hash_of_checkpoint(checkpoint or weights),
        outputs=outputs,
        **{key: value for key, value in model_options.items() if key not in ('cfg_options', 'trust_checkpoint')},
        **run_options,
        fps=fps,
    )
    inferencer = VideoInferencer(config, checkpoint, device or device_of_rank(launcher), **model_options)
    asked = dict(score_thr=0.3, classes=None, show_relations=False) | run_options
    inferencer.check_options(planned, *(asked[name] for name in ('score_thr', 'classes', 'show_relations')))
    # Nothing is written before all that can be refused was.
    with contextlib.closing(ResultsDirectory(out_dir, found, settings)) as results:

        def detect(path: str, directory: Path, progress: Progress) -> VideoSummary:
            rate = dict(fps=fps) if os.path.isdir(path) else {}
            paths = {key: directory / name for key, name in outputs.items()}
            return inferencer(path, **paths, **run_options, **rate, progress=progress)

        with FrameProgress('videos', Console(), quiet or rank > 0) as progress:
            return ManyVideos(results, found.paths, detect, progress, inferencer.device).run()


def _hash_of_config(cfg: Config) -> str:
    """Return a hash of the settings that the detections of a frame depend on."""
    (dataset, *_) = leaf_datasets(cfg.test_dataloader.dataset)
    parts = [cfg.model, cfg.get('data_preprocessor'), cfg.get('custom_hooks')]
    parts += [dataset.get(key) for key in ('type', 'metainfo', 'pipeline', 'ref_img_sampler')]
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()[:16]


def _hash_of_checkpoint(checkpoint: str | None) -> str | None:
    """Return the hash of a local checkpoint, the URL of another one."""
    if checkpoint is None:
        return None
    return file_hash(checkpoint)[:16] if os.path.isfile(checkpoint) else shown_url(checkpoint)
