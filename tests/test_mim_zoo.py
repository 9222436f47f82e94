# Copyright (c) mmrdn contributors. All rights reserved.
"""Train, test, publish, serve, search, download, infer: through ``mim``.

The package is an editable install of a copy of the checkout, whose model zoo has one more model;
its weights are served on loopback.
"""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import cv2
import pytest
import torch
import yaml
from test_packaging import NOT_COPIED

from helpers.http import serving
from helpers.tools import ROOT, logged_losses, tool_env, write_config
from mmrdn.apis import VideoInferencer
from mmrdn.model_zoo import make_entry, update_metafile

NAME = 'rdn-tiny_faster-rcnn_r18_1xb2-8_movingdigits'

# Prints what VideoInferencer('<zoo name>') detects, or why it does not.
INFER = """
import sys, torch
import mmrdn.apis
name, video, out = sys.argv[1:]
try:
    detect = mmrdn.apis.VideoInferencer(name, device='cpu')
    frames = torch.load(video, weights_only=True).numpy()
    torch.save([[s.pred_det_instances.bboxes, s.pred_det_instances.scores,
                 s.pred_det_instances.labels]
                for s in detect.stream(frames)], out)
    print('CLASSES', *detect.classes)
except ValueError as error:
    print('REFUSED', error)
"""


class Zoo(SimpleNamespace):
    """Where everything is."""

    def run(self, *command, status=0):
        """Run a command in the environment of the copy."""
        paths = (self.root / 'site', self.tree)  # metadata, package
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=self.root,
            env=dict(
                tool_env(),
                PYTHONPATH=os.pathsep.join(map(str, paths)),
                TORCH_HOME=str(self.root / 'torch'),
                no_proxy='127.0.0.1',
            ),
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def mim(self, *args, status=0):
        return self.run('-m', 'mim', *args, status=status)

    def infer(self, frames, out):
        """Lines that INFER prints; the detections go to ``out``."""
        torch.save(torch.from_numpy(frames), self.root / 'video.pt')
        done = self.run('-c', INFER, NAME, self.root / 'video.pt', out)
        return done.stdout.splitlines()[-1]


def metrics_below(folder):
    """Metrics of the one test or validation below a work directory."""
    (path,) = (path for path in folder.rglob('*.json') if path.parent.name == path.stem or path.name == 'scalars.json')
    found = json.loads(path.read_text())
    return path, {key: value for key, value in found.items() if '/' in key and value == value}


@pytest.fixture(scope='module')
def zoo(digits, trained, tmp_path_factory):
    """The copy with the model, its weights published and served."""
    root = tmp_path_factory.mktemp('mim')
    zoo = Zoo(root=root, tree=root / 'mmrdn', served=root / 'served')
    shutil.copytree(ROOT, zoo.tree, ignore=shutil.ignore_patterns(*NOT_COPIED))
    zoo.folder = zoo.tree / 'configs' / 'tiny'
    zoo.folder.mkdir()
    zoo.config = write_config(zoo.folder / f'{NAME}.py', digits, 'val_evaluator.update(iou_thr=0.05)\n')
    with open(zoo.tree / 'model-index.yml', 'a') as file:
        file.write('  - configs/tiny/metafile.yml\n')
    zoo.run(
        '-m', 'pip', 'install', '-q', '--no-deps', '--no-build-isolation', '--target', root / 'site', '-e', zoo.tree
    )

    zoo.original = trained / 'iter_8.pth'
    zoo.mim('test', 'mmrdn', f'{NAME}.py', '--checkpoint', zoo.original, '--work-dir', root / 'tested')
    path, zoo.metrics = metrics_below(root / 'tested')
    zoo.mim('run', 'mmrdn', 'publish_model', zoo.original, f'{zoo.served}/', '--config', zoo.config, '--metrics', path)
    (zoo.weights,) = zoo.served.iterdir()
    with serving(zoo.served) as address:
        zoo.address = f'{address}/{zoo.weights.name}'
        entry = make_entry(str(zoo.config), checkpoint=str(zoo.weights), weights=zoo.address, frame_size=(160, 128))
        update_metafile(entry, zoo.folder / 'metafile.yml', 'Tiny')
        yield zoo


@pytest.fixture(scope='module')
def frames(digits):
    """Six frames of a video, (6, H, W, 3)."""
    paths = sorted((digits / 'Data' / 'VID' / 'val').rglob('*.*'))
    images = [cv2.imread(str(path)) for path in paths if path.is_file()][:6]
    return torch.stack([torch.from_numpy(image) for image in images]).numpy()


def test_search(zoo):
    out = zoo.mim('search', 'mmrdn', '--config', NAME, '--json', zoo.root / 'found.json').stdout
    columns = json.loads((zoo.root / 'found.json').read_text())
    found = {key: column[NAME] for key, column in columns.items()}
    assert found['weight'] == zoo.address, out
    assert found['config'] == f'configs/tiny/{NAME}.py'
    assert found['moving digits/map50'] == pytest.approx(100 * zoo.metrics['vid/mAP50'], abs=0.005)
    assert found['flops_input'] == '160x128 pixels, pool of 5 frames'


def test_download_and_infer(zoo, frames):
    """Detections are those of the checkpoint that was not published."""
    dest = zoo.root / 'downloaded'
    zoo.mim('download', 'mmrdn', '--config', NAME, '--dest', dest)
    assert {path.name for path in dest.iterdir()} == {f'{NAME}.py', zoo.weights.name}
    assert (dest / zoo.weights.name).read_bytes() == zoo.weights.read_bytes()

    line = zoo.infer(frames, zoo.root / 'found.pt')
    assert line.split()[:3] == ['CLASSES', 'zero', 'one']
    found = torch.load(zoo.root / 'found.pt', weights_only=True)
    # The config that mim dumped, with the original weights.
    here = VideoInferencer(str(dest / f'{NAME}.py'), str(zoo.original), device='cpu')
    expected = [sample.pred_det_instances for sample in here.stream(frames)]
    assert len(found) == len(expected) == 6
    assert sum(len(frame.scores) for frame in expected) > 6
    for (boxes, scores, labels), frame in zip(found, expected):
        assert torch.equal(boxes, frame.bboxes)
        assert torch.equal(scores, frame.scores)
        assert torch.equal(labels, frame.labels)


def test_a_corrupt_file_on_the_server(zoo, frames, run_main):
    """Refused by name, and not kept; what mim saves unchecked is refused when
    it is loaded."""
    good = zoo.weights.read_bytes()
    data = bytearray(good)
    data[len(data) // 2] ^= 1
    digest = zoo.weights.stem[-8:]
    cache = zoo.root / 'torch' / 'hub' / 'checkpoints'
    (cache / zoo.weights.name).unlink(missing_ok=True)
    dest = zoo.root / 'corrupt'
    try:
        zoo.weights.write_bytes(data)
        line = zoo.infer(frames, zoo.root / 'none.pt')
        zoo.mim('download', 'mmrdn', '--config', NAME, '--dest', dest)
    finally:
        zoo.weights.write_bytes(good)
    assert line.startswith(f'REFUSED {zoo.address} is corrupt: its SHA-256 starts with ')
    assert line.endswith(f', expected {digest} as in its name; nothing was kept')
    assert list(cache.iterdir()) == []
    assert not (zoo.root / 'none.pt').exists()

    saved = dest / zoo.weights.name
    status, out, err = run_main('test.py', zoo.config, saved, '--work-dir', zoo.root / 'refused')
    assert status == 1
    assert f'\nerror: checkpoint {saved} is damaged or was changed: ' in f'\n{err}'
    assert 'vid/mAP50: ' not in out


def test_train_from_it(zoo, run_main, tmp_path):
    """As from the original."""
    options = ('train_cfg.max_iters=1', 'val_cfg=None', 'val_dataloader=None', 'val_evaluator=None')
    zoo.mim(
        'train',
        'mmrdn',
        f'{NAME}.py',
        '--gpus',
        '0',
        '--work-dir',
        tmp_path / 'mim',
        '--cfg-options',
        f'load_from={zoo.address}',
        *options,
    )
    status, _, err = run_main(
        'train.py', zoo.config, '--work-dir', tmp_path / 'here', '--cfg-options', f'load_from={zoo.original}', *options
    )
    assert status == 0, err
    assert logged_losses(tmp_path / 'mim') == logged_losses(tmp_path / 'here')


def test_gridsearch_over_temporal_ranges(zoo, run_main, tmp_path):
    """Table 4: T in testing, one trained model."""
    out = zoo.mim(
        'gridsearch',
        'mmrdn',
        f'{NAME}.py',
        '--work-dir',
        tmp_path / 't',
        '--search-args',
        '--model.temporal_range 1 2',
        '--cfg-options',
        'train_cfg.type=ValidateLoop',
        f'load_from={zoo.weights}',
    ).stdout
    assert 'finished successfully' in out
    found = [metrics_below(tmp_path / f't_search_model.temporal_range_{t}')[1] for t in (1, 2)]
    assert found[1] == zoo.metrics
    status, _, err = run_main(
        'test.py', zoo.config, zoo.original, '--work-dir', tmp_path / 'one', '--cfg-options', 'model.temporal_range=1'
    )
    assert status == 0, err
    assert found[0] == metrics_below(tmp_path / 'one')[1]
    assert found[0] != found[1]
    assert not list(tmp_path.rglob('*.pth'))


def test_validate_loop_needs_a_checkpoint(zoo, run_main, tmp_path):
    status, _, err = run_main(
        'train.py', zoo.config, '--work-dir', tmp_path, '--cfg-options', 'train_cfg.type=ValidateLoop'
    )
    assert status == 1
    assert err.splitlines()[-1] == ('error: ValidateLoop needs load_from, the checkpoint to validate, and val_cfg')


def test_metafile_is_whole(zoo):
    (entry,) = yaml.safe_load((zoo.folder / 'metafile.yml').read_text())['Models']
    assert entry['Name'] == NAME and entry['In Collection'] == 'Tiny'
    assert entry['Weights'] == zoo.address
