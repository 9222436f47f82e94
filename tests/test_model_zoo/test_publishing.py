# Copyright (c) mmrdn contributors. All rights reserved.
import hashlib
import json
import subprocess
import sys

import mmcv
import mmdet
import mmengine
import mmtrack
import numpy as np
import pytest
import torch
from mmengine.config import Config

import mmrdn
from helpers.tools import tool_env, write_config
from mmrdn.apis.model_loading import load_detector
from mmrdn.fileio.checkpoint import load_checkpoint_file
from mmrdn.model_zoo import publish_model
from mmrdn.utils.config_text import without_run

CLASSES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']
METRICS = {
    'vid/mAP50': 0.5,
    'vid/mAP50_slow': float('nan'),
    'vid/mAP50_fast': 0.25,
    'vid/AP50/one': 1.0,
    'time': 0.02,
    'data_time': 0.01,
}
KEPT = {'vid/mAP50': 0.5, 'vid/mAP50_fast': 0.25, 'vid/AP50/one': 1.0}


@pytest.fixture(scope='module')
def metrics(tmp_path_factory):
    path = tmp_path_factory.mktemp('metrics') / 'test.json'
    path.write_text(json.dumps(METRICS))
    return path


@pytest.fixture(scope='module')
def done(trained, tiny_config, metrics, tmp_path_factory):
    """The training's last checkpoint, published."""
    out = tmp_path_factory.mktemp('zoo')
    return publish_model(trained / 'iter_8.pth', out, str(tiny_config), metrics)


def plain(value):
    """Whether a value is made of what JSON has."""
    if isinstance(value, dict):
        return all(isinstance(k, str) and plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    return type(value) in (str, int, float, bool, type(None))


def test_tensors_and_plain_metadata_only(done, trained):
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        loaded = torch.load(done.path, weights_only=True)
    finally:
        torch.serialization.add_safe_globals(allowed)
    assert set(loaded) == {'meta', 'state_dict'}
    assert done.left_out == ['message_hub', 'optimizer', 'param_schedulers']
    original = load_checkpoint_file(trained / 'iter_8.pth')['state_dict']
    assert list(loaded['state_dict']) == list(original)
    for key, value in loaded['state_dict'].items():
        assert type(value) is torch.Tensor and not value.requires_grad
        assert value.dtype == original[key].dtype
        assert torch.equal(value, original[key])
    assert plain(loaded['meta'])
    assert 'iter_8' not in str(loaded) and str(trained) not in str(loaded)


def test_metadata(done, tiny_config):
    meta = torch.load(done.path, weights_only=True)['meta']
    assert meta['dataset_meta'] == dict(classes=CLASSES)
    assert meta['metrics'] == KEPT
    assert (meta['iter'], meta['epoch'], meta['seed']) == (8, 0, 0)
    assert meta['mmrdn_version'] == mmrdn.__version__
    assert meta['versions'] == {
        module.__name__: str(module.__version__) for module in (mmrdn, mmtrack, mmdet, mmcv, mmengine, torch)
    }
    text, expected = meta['cfg'], Config.fromfile(tiny_config)
    cfg = Config.fromstring(text, '.py')
    assert cfg.model == expected.model
    assert cfg.optim_wrapper == expected.optim_wrapper
    assert not {'work_dir', 'load_from', 'resume', 'launcher'} & set(cfg)


def test_named_after_its_bytes(done):
    digest = hashlib.sha256(done.path.read_bytes()).hexdigest()
    assert done.path.name == f'tiny-{digest[:8]}.pth'
    assert [path.name for path in done.path.parent.iterdir()] == [done.path.name]


def test_same_bytes_anywhere(done, trained, tiny_config, metrics, tmp_path):
    """Another process, another name of the original and of the result."""
    (tmp_path / 'mine.pth').write_bytes((trained / 'iter_8.pth').read_bytes())
    code = 'import sys; from mmrdn.model_zoo import publish_model; print(publish_model(*sys.argv[1:]).path)'
    out = subprocess.run(
        [
            sys.executable,
            '-c',
            code,
            str(tmp_path / 'mine.pth'),
            str(tmp_path / 'new' / 'other.pth'),
            str(tiny_config),
            str(metrics),
        ],
        env=dict(tool_env(), PYTHONHASHSEED='5'),
        capture_output=True,
        text=True,
    )
    digits = done.path.stem[-8:]
    path = tmp_path / 'new' / f'other-{digits}.pth'
    assert out.stdout.splitlines()[-1:] == [str(path)], out.stderr
    assert path.read_bytes() == done.path.read_bytes()


def test_never_overwrites(done, trained, tiny_config, metrics):
    before = done.path.stat()
    again = publish_model(trained / 'iter_8.pth', done.path.parent, str(tiny_config), metrics)
    assert (again.path, again.is_new, done.is_new) == (done.path, False, True)
    assert done.path.stat() == before


def test_another_file_of_that_name(done, trained, tiny_config, metrics, tmp_path):
    other = tmp_path / done.path.name
    other.write_text('mine')
    with pytest.raises(FileExistsError) as error:
        publish_model(trained / 'iter_8.pth', tmp_path, str(tiny_config), metrics)
    assert str(error.value) == (
        f'{other} exists and is not the file that its name says; remove it or choose another name'
    )
    assert other.read_text() == 'mine'


def test_a_link_to_nowhere_is_not_replaced(done, trained, tiny_config, metrics, tmp_path):
    link = tmp_path / done.path.name
    link.symlink_to('nowhere')
    with pytest.raises(FileExistsError, match='exists and is not the file'):
        publish_model(trained / 'iter_8.pth', tmp_path, str(tiny_config), metrics)
    assert link.is_symlink()


def test_without_a_config(trained, tmp_path):
    """The checkpoint describes itself; its experiment names it."""
    published = publish_model(trained / 'iter_8.pth', f'{tmp_path}/new/')
    assert published.path.name.startswith('tiny-')
    meta = published.checkpoint['meta']
    assert meta['dataset_meta'] == dict(classes=CLASSES)
    known = load_checkpoint_file(trained / 'iter_8.pth')['meta']['cfg']
    gone = [line for line in known.splitlines() if line not in meta['cfg'].splitlines()]
    assert sorted(line.split(' = ')[0] for line in gone) == ['launcher', 'load_from', 'resume', 'work_dir']
    assert 'metrics' not in meta


@pytest.mark.parametrize(
    'text, expected',
    [
        ("a = 1\nwork_dir = '/home/me'\nb = 2\n", 'a = 1\nb = 2\n'),
        # Ends of lines for str.splitlines, but not for Python.
        ("a = 'x\u2028y\x0c\x85'\nwork_dir = '/home/me'\nb = 2\n", "a = 'x\u2028y\x0c\x85'\nb = 2\n"),
        ("\x0ca = 1\r\nwork_dir = '/home/me'\rb = 2", '\x0ca = 1\nb = 2\n'),
        ("work_dir = ('/home/'\n    'me')\nb = 2\n", 'b = 2\n'),
        ("a = 1; work_dir = '/home/me'\nb = 2\n", 'a = 1\nb = 2\n'),
        ("a = work_dir = '/home/me'\nb = 2\n", 'b = 2\n'),
        ("a, (load_from, c) = 1, ('/home/me', 3)\nb = 2\n", 'b = 2\n'),
        ("globals()['work_dir'] = '/home/me'\nb = 2\n", 'b = 2\n'),
        ("vars().update(work_dir='/home/me')\nb = dict(work_dir=1)\n", 'b = dict(work_dir=1)\n'),
        ("def work_dir(): return '/home/me'\nb = 2\n", 'b = 2\n'),
        ("class launcher: at = '/home/me'\nb = 2\n", 'b = 2\n'),
        ('import home.me as work_dir\nb = 2\n', 'b = 2\n'),
        ('try: pass\nexcept Exception as resume: pass\nb = 2\n', 'b = 2\n'),
        ("resume_from = '/home/me'\nauto_resume = True\nb = 2\n", 'b = 2\n'),
        ("work_dir: str = '/home/me'\nif True:\n    load_from = '/home/me'\nb = 2\n", 'b = 2\n'),
    ],
)
def test_settings_of_a_run_are_left_out_of_the_config(text, expected):
    assert without_run(text) == expected


def test_views_and_wrappers(trained, tmp_path):
    """Rows of a large tensor, behind a data parallel wrapper's prefix."""
    whole = load_checkpoint_file(trained / 'iter_8.pth')
    large = torch.arange(4e6).view(1000, 4000)
    whole['state_dict'] = {'module.a': large[::500, :3], 'module.b': large[:0]}
    torch.save(whole, tmp_path / 'large.pth')
    assert (tmp_path / 'large.pth').stat().st_size > 16e6
    published = publish_model(tmp_path / 'large.pth', tmp_path / 'x')
    assert published.path.stat().st_size < 50e3
    state = torch.load(published.path, weights_only=True)['state_dict']
    assert state['a'].tolist() == [[0, 1, 2], [2e6, 2e6 + 1, 2e6 + 2]]
    assert set(state) == {'a', 'b'} and state['b'].shape == (0, 4000)


@pytest.mark.slow
def test_averaged_weights_of_an_ema_hook(run_main, digits, tmp_path):
    """Against the average of the weights of each iteration, by hand."""
    config = write_config(
        tmp_path / 'ema.py',
        digits,
        "custom_hooks = [dict(type='EMAHook', momentum=0.3)]\ndefault_hooks['checkpoint'].update(interval=1)\n",
    )
    status, _, err = run_main(
        'train.py', config, '--work-dir', tmp_path / 'w', '--cfg-options', 'train_cfg.max_iters=4'
    )
    assert status == 0, err
    name = 'detector.roi_head.bbox_head.fc_cls.weight'
    average = None
    for step in range(1, 5):
        path = tmp_path / 'w' / f'iter_{step}.pth'
        # MMEngine saves the weights that are trained on among those of EMA.
        own = load_checkpoint_file(path)['ema_state_dict'][f'module.{name}']
        own = own.double()
        average = own if average is None else 0.7 * average + 0.3 * own
    published = publish_model(path, tmp_path / 'zoo' / 'ema', str(config))
    assert published.left_out[-1] == 'ema_state_dict'
    found = torch.load(published.path, weights_only=True)['state_dict'][name]
    assert not torch.allclose(found.double(), own, atol=1e-5)
    assert torch.allclose(found.double(), average, rtol=0, atol=1e-6)


def test_no_training_resumes_from_it(run_main, done, tiny_config, tmp_path):
    status, _, err = run_main(
        'train.py',
        tiny_config,
        '--work-dir',
        tmp_path,
        '--resume',
        done.path,
        '--cfg-options',
        'experiment_name=resumed',
    )
    assert status == 1
    assert err.splitlines()[-1] == (
        f'error: {done.path}: the checkpoint holds no state of a training to resume, as '
        'published ones do not: start from it with --cfg-options '
        'load_from=CHECKPOINT'
    )


def test_a_checkpoint_chooses_no_directory(trained, tmp_path):
    """Its name of the experiment is a name, whatever is in it."""
    checkpoint = load_checkpoint_file(trained / 'iter_8.pth')
    checkpoint['meta']['experiment_name'] = '../../evil'
    torch.save(checkpoint, tmp_path / 'x.pth')
    out = tmp_path / 'a' / 'b'
    out.mkdir(parents=True)
    path = publish_model(tmp_path / 'x.pth', out).path
    assert path.parent == out
    assert path.name.startswith('_.._evil-')


def test_weights_in_half_of_the_bytes(done, trained, tiny_config, tmp_path):
    """Rounded as numpy rounds; a model that loads them has them in fp32."""
    halved = publish_model(trained / 'iter_8.pth', tmp_path, str(tiny_config), fp16=True)
    assert halved.path != done.path
    original = load_checkpoint_file(trained / 'iter_8.pth')['state_dict']
    state = torch.load(halved.path, weights_only=True)['state_dict']
    assert list(state) == list(original)
    model, _ = load_detector(Config.fromfile(tiny_config), str(halved.path))
    num_floats = 0
    for key, value in state.items():
        expected = original[key].numpy()
        if expected.dtype == np.float32:
            expected = expected.astype(np.float16)
            num_floats += expected.size
        np.testing.assert_array_equal(value.numpy(), expected, strict=True)
        np.testing.assert_array_equal(model.state_dict()[key].numpy(), expected.astype(original[key].numpy().dtype))
    saved = done.path.stat().st_size - halved.path.stat().st_size
    assert saved == pytest.approx(2 * num_floats, abs=64 * len(state))  # records begin at multiples of 64


def test_weights_beyond_fp16(trained, tiny_config, tmp_path):
    checkpoint = load_checkpoint_file(trained / 'iter_8.pth')
    checkpoint['state_dict']['neck.basic.0.query_proj.weight'][1, 1] = -7e4
    torch.save(checkpoint, path := tmp_path / 'x.pth')
    with pytest.raises(ValueError) as error:
        publish_model(path, tmp_path / 'zoo', str(tiny_config), fp16=True)
    assert str(error.value) == (
        f'{path}: neck.basic.0.query_proj.weight cannot be stored as fp16: it holds 7e+04, expected 65504 at most'
    )
    assert not (tmp_path / 'zoo').exists()
