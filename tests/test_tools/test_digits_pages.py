# Copyright (c) mmrdn contributors. All rights reserved.
"""The commands of the pages on moving digits, each page from top to bottom, on a few small videos."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest
from mmengine.config import Config

from helpers.configs import ROOT, arguments, load
from helpers.pages import blocks_to_run
from helpers.videos import noise, write_mp4
from mmrdn.apis import VideoInferencer
from mmrdn.apis.config_files import unread_keys
from mmrdn.registry import MODELS, TASK_UTILS

CONFIG = ROOT / 'configs' / 'rdn' / 'rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
PAPER = ROOT / 'configs' / 'rdn' / 'rdn_faster-rcnn_r101-dc5_4xb1-60k_imagenetvid.py'
CHECKPOINT = re.compile(r'(work_dirs/[\w.-]+)/iter_1500\.pth')
# The configs of the pages with the tiny model and data, and few iterations.
CHILD = """
_base_ = '{base}'
work_dir = 'work_dirs/{name}'
"""
# What the configs of the package differ in.
KINDS = {
    'rdn': '',
    'rdn-blr': """
model = dict(recorders=[dict(type='NextFrameRelations')])
test_evaluator = dict(linker=dict(type='BoxLinkingWithRelations'))
""",
    'single-frame': """
model = dict(temporal_range=0, neck=None, support_sampler=None)
train_dataloader = dict(dataset=dict(ref_img_sampler=dict(num_ref_imgs=0, frame_range=0)))
""",
}


@pytest.fixture
def place(tiny_config, digits, tmp_path, monkeypatch):
    """A directory like the checkout, with tiny configs of the names that the pages use."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs' / 'rdn').mkdir(parents=True)
    for kind, extra in KINDS.items():
        name = f'{kind}_faster-rcnn_r18_1xb4-1500_movingdigits'
        text = CHILD.format(base=tiny_config, name=name) + extra
        (tmp_path / 'configs' / 'rdn' / f'{name}.py').write_text(text)
    (tmp_path / 'demo').mkdir()
    for clip in ('clip.mp4', 'demo/moving_digits.mp4'):
        write_mp4(tmp_path / clip, noise(5, (64, 80)))
    return tmp_path


@pytest.fixture
def checkpoint(place, trained):
    """The checkpoint of RDN where the pages have it."""
    path = place / 'work_dirs' / 'rdn_faster-rcnn_r18_1xb4-1500_movingdigits' / 'iter_8.pth'
    path.parent.mkdir(parents=True)
    shutil.copy(trained / 'iter_8.pth', path)
    return path


@pytest.fixture
def run_page(place, digits, run_main):
    """Run the commands of a page: (command, output) of each."""

    def call(page):
        said = []
        for block in blocks_to_run(page, 'shell'):
            for command in block.commands():
                program, tool, *words = shlex.split(CHECKPOINT.sub(r'\1/iter_8.pth', command), comments=True)
                assert program == 'python' and tool.startswith('tools/')
                if tool.endswith('make_moving_digits.py'):  # the test's, which are smaller
                    shutil.copytree(digits, place / words[0], ignore=shutil.ignore_patterns('annotations'))
                    continue
                status, out, err = run_main(tool.removeprefix('tools/'), *words)
                assert status == 0, (command, err)
                said.append((tool, out + err))
        return said

    return call


def test_quickstart(place, run_page, digits):
    said = run_page('docs/quickstart.md')
    assert [tool.rsplit('/', 1)[-1] for tool, _ in said] == [
        'imagenet2coco_vid.py', 'train.py', 'test.py', 'demo_video.py',
    ]  # fmt: skip
    for part in ('train', 'val'):
        ours, theirs = (
            json.loads((root / 'annotations' / f'moving_digits_{part}.json').read_text())
            for root in (place / 'data' / 'moving_digits', digits)
        )
        assert ours == theirs
    assert re.search(r'vid/mAP50: \d\.\d+', said[2][1])
    assert len((place / 'out.jsonl').read_text().splitlines()) == 5
    (block,) = blocks_to_run('docs/quickstart.md', 'python')
    exec(compile(CHECKPOINT.sub(r'\1/iter_8.pth', block.text), 'docs/quickstart.md', 'exec'), {})
    assert (place / 'out_python.mp4').read_bytes()[4:8] == b'ftyp'


def test_training(place, run_page, digits):
    shutil.copytree(digits, place / 'data' / 'moving_digits')
    said = dict(enumerate(run_page('docs/training.md')))
    work_dir = place / 'work_dirs' / 'single-frame_faster-rcnn_r18_1xb4-1500_movingdigits'
    assert (work_dir / 'iter_8.pth').exists()
    scores = [re.findall(r'vid/mAP50: (\d\.\d+)', text) for _, text in said.values()]
    tested = [float(found[-1]) for found in scores if found]
    # The test, the test that writes predictions, and the evaluation of these agree.
    assert len(tested) >= 2 and len(set(tested)) == 1
    assert (place / 'work_dirs' / 'digits.predictions.json').exists()
    assert (place / 'curves.png').read_bytes()[:4] == b'\x89PNG'
    assert list((place / 'work_dirs' / 'browse').iterdir())


def test_config_guide(run_page, place):
    ((_, said),) = run_page('docs/configs.md')
    assert 'temporal_range=2' in said
    (block,) = blocks_to_run('docs/configs.md', 'python')
    (place / 'mine.py').write_text(block.text)
    base, cfg = load(CONFIG), Config.fromfile(place / 'mine.py')
    assert unread_keys(cfg) == []
    assert (cfg.model.temporal_range, cfg.model.support_sampler.num_support) == (3, 8)
    assert cfg.train_cfg.type == base.train_cfg.type
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval) == (3000, 500)
    assert [hook.type for hook in cfg.custom_hooks] == [*(hook.type for hook in base.custom_hooks), 'EMAHook']


def test_keys_of_the_config_guide():
    """Each key of its tables is in a config of the package, or an argument of its component."""
    text = (ROOT / 'docs' / 'configs.md').read_text()
    keys = [key for cell in re.findall(r'(?m)^\| (`.+?) \|', text) for key in re.findall(r'`([a-z_.]+)`', cell)]
    keys = [key for key in keys if key.startswith('model.')]
    assert len(keys) > 12
    for key in keys:
        node, last = load(PAPER), key.rsplit('.', 1)[-1]
        for part in key.split('.')[:-1]:
            node = node[part]
        assert last in node or last in arguments(MODELS.get(node.type) or TASK_UTILS.get(node.type)), key


def test_box_linking(run_page, place, digits, checkpoint):
    shutil.copytree(digits, place / 'data' / 'moving_digits')
    said = run_page('docs/box_linking.md')
    assert [tool.rsplit('/', 1)[-1] for tool, _ in said] == [
        'test.py', 'test.py', 'link_predictions.py', 'eval_predictions.py',
    ]  # fmt: skip
    linked, unlinked, *_, evaluated = [re.findall(r'vid/mAP50: (\d\.\d+)', text) for _, text in said]
    assert linked[-1] == evaluated[-1]  # in the test, and from the file
    assert len(unlinked) == 1


def test_python_of_box_linking():
    config, program = blocks_to_run('docs/box_linking.md', 'python')
    names = {}
    exec(compile(config.text, 'docs/box_linking.md', 'exec'), names)
    assert set(names) >= {'model', 'test_evaluator'}
    box = np.array([[10.0, 10.0, 30.0, 30.0]])
    frames = [dict(bboxes=box, scores=np.array([s]), labels=np.array([0])) for s in (0.9, 0.3, 0.6)]
    names = dict(frames=frames, relations=None)
    exec(compile(program.text, 'docs/box_linking.md', 'exec'), names)
    # One track of three boxes; the better half of its scores, rounded up, is 0.9 and 0.6.
    expected = [0.9 + 0.75, 0.3 + 0.75, 0.6 + 0.75]
    assert np.concatenate(names['scores']) == pytest.approx(expected)
    assert np.concatenate([frame.scores for frame in names['results']]) == pytest.approx(expected)
    assert len({int(frame.track_ids[0]) for frame in names['results']}) == 1


def test_drawing(run_page, place, digits, checkpoint):
    shutil.copytree(digits, place / 'data' / 'moving_digits')
    ((_, said),) = run_page('docs/visualization.md')
    drawn = list(checkpoint.parent.glob('*/vis_data/vis_image/*.png'))
    assert len(drawn) == 2  # every tenth of 20 frames


def test_python_of_drawing(place, tiny_config, checkpoint):
    frames = noise(5, (64, 80))
    inferencer = VideoInferencer(str(tiny_config), str(checkpoint))
    a, b = list(inferencer.stream(frames))[:2]
    names = dict(inferencer=inferencer, image=frames[0], frames=frames, data_sample=a, a=a, b=b)
    heights = []
    for block in blocks_to_run('docs/visualization.md', 'python'):
        text = block.text.replace('score_thr=0.3', 'score_thr=0.0').replace('t = 54', 't = 2')
        exec(compile(text, 'docs/visualization.md', 'exec'), names)
        heights.append(names['drawn'].shape[:2])
    first, beside, strip = heights
    assert first == (64, 80)
    assert beside[1] >= 2 * 80
    assert strip[0] > 64  # the strip of supports is below the image


def test_example_of_the_metric(capsys):
    (block,) = blocks_to_run('docs/metric.md', 'python')
    exec(compile(block.text, 'docs/metric.md', 'exec'), {})
    (comment,) = re.findall(r'# (0\.\d+)$', block.text, re.M)
    assert float(capsys.readouterr().out) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert float(comment) == pytest.approx(0.5 + 0.5 * 2 / 3, abs=5e-4)


def test_formula_of_the_metric():
    """The threshold of the example is that of the formula."""
    text = (ROOT / 'docs' / 'metric.md').read_text()
    side, numerator, denominator, value = re.search(r'of (\d+) x \1 pixels .* (\d+) / (\d+) = (0\.\d+)', text).groups()
    assert (int(numerator), int(denominator)) == (int(side) ** 2, (int(side) + 10) ** 2)
    assert float(value) == pytest.approx(int(numerator) / int(denominator), abs=5e-3)
