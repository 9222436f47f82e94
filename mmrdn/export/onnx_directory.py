# Copyright (c) mmrdn contributors. All rights reserved.
"""A detector as a directory of ONNX files that runs without torch and OpenMMLab.

Legend: N proposals, K supports of a frame, L frames of the memory, C channels, D detections.
"""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch.export import Dim

from mmrdn.apis.model_loading import load_detector, model_classes, resolve_config
from mmrdn.export.comparison import compare, parse_size
from mmrdn.export.exportable_swin import swin_sides
from mmrdn.export.graphs import AppendGraph, DetectGraph, ExtractGraph, RelateGraph
from mmrdn.export.onnx_graph import OPSET, save_onnx, to_onnx
from mmrdn.export.quantization import calibration_inputs, quantize
from mmrdn.export.refusals import check_exportable, resize_settings
from mmrdn.export.weight_storage import STORAGES, Shrink
from mmrdn.fileio.checkpoint import local_checkpoint
from mmrdn.fileio.download import file_hash
from mmrdn.fileio.json_files import write_json
from mmrdn.models import RDN
from mmrdn.models.roi_heads import RDNCascadeRoIHead
from mmrdn.version import __version__

FORMAT = 3  # of the directory; the runtime reads this one
_DETECTIONS = ('bboxes', 'scores', 'labels', 'proposal_inds')


def export_onnx(
    config: str | Config,
    checkpoint: str | None = None,
    out: str | Path = '',
    *,
    sizes: Sequence[str] = (),
    storage: str = 'fp32',
    calibrate: str | Path | None = None,
    overwrite: bool = False,
    trust_checkpoint: bool = False,
    cfg_options: dict | None = None,
    model: RDN | None = None,
) -> Path:
    """Write ``extract.onnx``, ``relate.onnx``, ``append.onnx`` and ``manifest.json`` of a detector.

    The directory appears whole or not at all.

    Args:
        config (str or Config): As for :class:`mmrdn.apis.VideoInferencer`.
        checkpoint (str, optional): Path or URL; the published weights of the config if not given.
        out (str or Path): The directory.
        sizes (Sequence[str]): Heights and widths, ``'600x1000'``, at which the files are compared with
            PyTorch. They run at any size.
        storage (str): How weights are stored, see :data:`STORAGES`. Computations stay in fp32.
        calibrate (str or Path, optional): Video, directory or pattern of images; convolutions of backbone
            and neck then compute in int8, by the ranges of numbers that these frames give.
        overwrite (bool): Whether the directory may be there already.
        trust_checkpoint (bool): Whether to unpickle whatever the checkpoint holds.
        cfg_options (dict, optional): Changes of the config.
        model (RDN, optional): A model that is ready, instead of a checkpoint.

    Returns:
        Path: The directory.

    Raises:
        FileExistsError: The directory is there already.
        ValueError: The model cannot be exported; says what of it. Or the files do not compute what
            PyTorch does.
    """
    out, pairs = Path(out), [parse_size(size) for size in sizes]
    if storage not in STORAGES:
        raise ValueError(f'storage must be one of {", ".join(STORAGES)}, got {storage}')
    if out.exists() and not (overwrite and (out / 'manifest.json').is_file()):
        hint = 'is there already (overwrite replaces it)' if not overwrite else 'is no directory of an exported model'
        raise FileExistsError(f'{out} {hint}')
    cfg, weights = resolve_config(config, cfg_options)
    source = None
    if model is not None:
        classes = model_classes(cfg, model, {})
    elif file := checkpoint or weights:
        model, classes = load_detector(cfg, file, trust_checkpoint)
        path = local_checkpoint(str(file))
        source = dict(file=Path(path).name, sha256=file_hash(path))
    else:
        raise ValueError(f'no checkpoint given, and {config} has no published weights')
    model = model.cpu().eval()
    check_exportable(model, cfg)
    inputs = None if calibrate is None else calibration_inputs(calibrate, model, cfg)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}.', dir=out.parent) as directory:
        made = Path(directory) / 'model'
        made.mkdir()
        _write_extract(model, made / 'extract.onnx', STORAGES[storage], inputs)
        _write_relate(model, made / 'relate.onnx', STORAGES[storage])
        manifest = _manifest(model, cfg, classes, made)
        manifest |= dict(checkpoint=source, weights=storage, int8=inputs is not None)
        if pairs:
            divisor, exact = model.data_preprocessor.pad_size_divisor, inputs is None and storage != 'int8'
            manifest['compared'] = compare(ExtractGraph(model).eval(), made / 'extract.onnx', pairs, divisor, exact)
        write_json(manifest, made / 'manifest.json')
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)
    return out


def _write_extract(model: RDN, path: Path, shrink: Shrink, inputs: Iterable[dict] | None) -> None:
    """Write ``extract.onnx``, in int8 where there are inputs to calibrate it on."""
    stride, least = swin_sides(model.detector.backbone)
    side = max(128, 4 * model.data_preprocessor.pad_size_divisor, least)
    height, width = (-(-side * part // (2 * stride)) * stride for part in (2, 3))
    image, size = torch.rand(2, 3, height, width), torch.tensor([[height - 2, width - 3]] * 2)
    sides = [Dim.DYNAMIC] * 2 if stride == 1 else [stride * Dim(name) for name in ('height', 'width')]
    dims = dict(image={0: Dim.DYNAMIC, 2: sides[0], 3: sides[1]}, size={0: Dim.DYNAMIC})
    graph = ExtractGraph(model)
    proto = to_onnx(graph, (image, size), (('image', 'size'), graph.names), path.name, dims)
    save_onnx(proto if inputs is None else quantize(proto, inputs), path, shrink)


def _write_relate(model: RDN, path: Path, shrink: Shrink) -> None:
    """Write ``relate.onnx``, whose inputs ``key_*`` are outputs of ``extract.onnx``, and ``append.onnx`` beside it."""
    num, head = model.detector.rpn_head.test_cfg.max_per_img, model.detector.roi_head
    channels, columns = head.relation_head.fc_cls.weight.shape[::-1]
    key = [torch.rand(num, channels), torch.rand(num, 4), torch.tensor(num), torch.tensor([126, 189])]
    key_names = ['key_feats', 'key_boxes', 'key_num', 'size']
    if isinstance(head, RDNCascadeRoIHead):
        key.append(torch.rand(num, columns))
        key_names.append('key_stage_scores')
    facts = dict(num_classes=head.relation_head.num_classes)
    if model.neck is None:
        proto = to_onnx(DetectGraph(model), tuple(key), (tuple(key_names), _DETECTIONS), path.name)
        save_onnx(proto, path, shrink, facts)
        return
    graph, count = RelateGraph(model), model.support_sampler.num_support
    state = graph.step.initial_state()
    supports = dict(
        feats=torch.rand(count, channels), boxes=torch.rand(count, 4), scores=torch.rand(count), num=torch.tensor(count)
    )
    olds, news = ({name: f'{word}_{name}' for name in state} for word in ('state', 'new'))
    found = (*_DETECTIONS, 'link_weights') if graph.links else _DETECTIONS
    inputs = olds, {name: f'support_{name}' for name in supports}
    proto = to_onnx(graph, (state, supports, *key), ((*inputs, *key_names), (found, news)), path.name)
    save_onnx(proto, path, shrink, facts | dict(lookahead=model.lookahead))
    path = path.with_name('append.onnx')
    save_onnx(to_onnx(AppendGraph(graph.step), (state, supports), (inputs, news), path.name), path, shrink)


def _manifest(model: RDN, cfg: Config, classes: Sequence[str], directory: Path) -> dict[str, Any]:
    """Return what the runtime needs to know."""
    data, resize = model.data_preprocessor, resize_settings(cfg)
    detect = DetectGraph(model)
    memory = None
    if model.neck is not None:
        state = RelateGraph(model).step.initial_state()
        memory = dict(
            temporal_range=model.temporal_range,
            lookahead=model.lookahead,
            num_support=model.support_sampler.num_support,
            state={
                name: dict(shape=list(part.shape), dtype=str(part.dtype).removeprefix('torch.'))
                for name, part in state.items()
            },
        )
    return dict(
        format=FORMAT,
        versions=dict(mmrdn=__version__, torch=torch.__version__, opset=OPSET),
        classes=list(classes),
        preprocessing=dict(
            **resize,
            mean=data.mean.flatten().tolist() if data._enable_normalize else None,
            std=data.std.flatten().tolist() if data._enable_normalize else None,
            bgr_to_rgb=bool(data.channel_conversion),
            pad_size_divisor=data.pad_size_divisor,
            pad_value=float(data.pad_value),
        ),
        num_proposals=model.detector.rpn_head.test_cfg.max_per_img,
        channels=detect.head.fc_cls.in_features,
        max_detections=detect.num,
        memory=memory,
        files={path.name: file_hash(path) for path in sorted(directory.glob('*.onnx'))},
    )
