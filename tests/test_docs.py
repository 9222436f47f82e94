# Copyright (c) mmrdn contributors. All rights reserved.
"""What README and docs name is there."""

import contextlib
import functools
import io
import re
import runpy
import shlex
import sys
from pathlib import Path
from unittest import mock

import pytest
import yaml
from mmengine.config import Config

from helpers.configs import arguments, load
from helpers.pages import PAGES
from mmrdn.apis.config_files import unread_keys
from mmrdn.registry import HOOKS, METRICS, MODELS, TASK_UTILS

ROOT = Path(__file__).resolve().parents[1]
KINDS = (MODELS, TASK_UTILS, METRICS, HOOKS)
every_page = pytest.mark.parametrize('page', PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def commands():
    """(page, words) of each command line in a code block."""
    for page in PAGES:
        for block in re.findall(r'```(?:shell|bash)\n(.*?)```', page.read_text(), re.DOTALL):
            for line in block.replace('\\\n', ' ').splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield page.relative_to(ROOT).as_posix(), words


# mim's own, each with a value.
MIM_OPTIONS = ('--gpus', '--gpus-per-node', '--launcher', '--partition', '--search-args', '--srun-args')


def tool_and_arguments(words):
    """The tool that a command runs, if any, and what it is given."""
    if '|' in words:  # what another program sends to a tool of ours
        words = words[words.index('|') + 1 :]
    if words[:3] == ['mim', 'run', 'mmrdn']:
        return f'tools/{words[3]}.py', words[4:]
    if words[0].endswith('mim') and words[1] not in ('search', 'download'):
        assert words[1] in ('train', 'test', 'gridsearch')
        assert words[2] == 'mmrdn', words
        rest, kept = words[3:], []
        while rest:
            if rest[0] in MIM_OPTIONS:
                rest = rest[2:]  # with a value
            else:
                kept.append(rest.pop(0))
        tool = 'train' if words[1] == 'gridsearch' else words[1]
        return f'tools/{tool}.py', kept
    if words[0].endswith('python') and words[1].endswith('.py'):
        return words[1], words[2:]
    return None, []


COMMANDS = [(page, *tool_and_arguments(words)) for page, words in commands()]
COMMANDS = [command for command in COMMANDS if command[1]]


@functools.cache
def tool_help(tool):
    out = io.StringIO()
    folder = str((ROOT / tool).parent)  # where a script finds its siblings
    with (
        mock.patch.object(sys, 'argv', [tool, '--help']),
        mock.patch.object(sys, 'path', [folder, *sys.path]),
        contextlib.redirect_stdout(out),
        pytest.raises(SystemExit) as stop,
    ):
        runpy.run_path(str(ROOT / tool), run_name='__main__')
    assert not stop.value.code
    return out.getvalue()


@every_page
def test_paths_exist(page):
    """Everything that looks like one of our files or directories exists."""
    pattern = (
        r'(?<![\w/.$-])(?:\.\./)*((?:configs|tools|docs|mmrdn|tests|'
        r'requirements)/[\w./{},-]*)'
    )
    for path in re.findall(pattern, page.read_text()):
        path = path.rstrip('.,')
        assert path == 'docs/_build' or (ROOT / path).exists(), f'{page.name} names {path}'


@every_page
def test_links_resolve(page):
    text = page.read_text()
    for target in re.findall(r'\]\(([^)\s]+)\)', text):
        if re.match(r'[a-z]+:', target):
            continue
        target, _, anchor = target.partition('#')
        path = page.parent / target if target else page
        assert path.exists(), f'{page.name} links to {target}'
        if anchor:
            headings = re.findall(r'(?m)^#+ (.+)$', path.read_text())
            slugs = [re.sub(r'[^\w -]', '', h).replace(' ', '-').lower() for h in headings]
            assert anchor in slugs, f'{page.name} links to {target}#{anchor}'


@every_page
def test_configs_by_name_alone_exist(page):
    """A config named without its folder, or its folder of work_dirs."""
    stems = {path.stem for path in (ROOT / 'configs').rglob('*.py')}
    pattern = r'\b((?:[a-z0-9.-]+_){3}\d+xb\d+-[a-z0-9.]+_[a-z]+)\b'
    for stem in re.findall(pattern, page.read_text()):
        assert stem in stems, f'{page.name} names {stem}'


@every_page
def test_checkpoints_are_those_of_the_schedule(page):
    text = page.read_text()
    for stem, iters in re.findall(r'work_dirs/([\w.$-]+)/iter_(\d+)\.pth', text):
        if stem == '$name':  # the loop over the rows on moving digits
            stem = 'rdn_' + re.search(r'name=\$\{row\}_(\S+)', text).group(1)
        for path in (ROOT / 'configs').rglob(f'{stem}.py'):
            assert int(iters) == load(path).train_cfg.max_iters, stem


def test_every_page_is_in_the_toctree():
    index = ROOT / 'docs' / 'index.md'
    trees = re.findall(r'```{toctree}\n(.*?)```', index.read_text(), re.DOTALL)
    names = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(':')]
    assert len(set(names)) == len(names)
    named = {(index.parent / name).with_suffix('.md').resolve() for name in names}
    assert named == set(PAGES) - {index, ROOT / 'README.md'}


def test_every_command_is_on_the_page_of_commands():
    named = re.findall(r'(?m)^:module: (\S+)$', (ROOT / 'docs' / 'cli.md').read_text())
    # For those who work on mmrdn: set-up and versions.
    tools = {path.relative_to(ROOT) for path in (ROOT / 'tools').rglob('*.py')}
    tools = {path for path in tools if path.stem not in ('setup_env', 'print_versions', 'version_matrix')}
    assert sorted(named) == sorted('.'.join(path.with_suffix('').parts) for path in tools)


@every_page
def test_make_targets_exist(page):
    makefile = (ROOT / 'Makefile').read_text()
    targets = re.search(r'\.PHONY: (.*)', makefile).group(1).split()
    text = page.read_text()
    named = re.findall(r'`make ([a-z-]+)', text)
    named += re.findall(r'(?m)^make ([a-z-]+)', text)
    for target in named:
        assert target in targets, f'{page.name} names make {target}'


def test_workflow_calls_targets_of_the_makefile():
    makefile = (ROOT / 'Makefile').read_text()
    targets = re.search(r'\.PHONY: (.*)', makefile).group(1).split()
    workflow = yaml.safe_load((ROOT / '.github' / 'workflows' / 'test.yml').read_text())
    runs = [step['run'].split() for step in workflow['jobs']['test']['steps'] if 'run' in step]
    assert ['make', 'test'] in runs
    assert all(words[0] == 'make' and words[1] in targets for words in runs)


def test_readme_is_short_and_names_both_commands():
    text = (ROOT / 'README.md').read_text()
    assert len(text.splitlines()) <= 120
    assert 'make demo' in text and 'make test' in text


# Command lines.


def test_there_are_commands():
    assert {tool for _, tool, _ in COMMANDS} >= {
        'tools/train.py',
        'tools/test.py',
        'tools/demo.py',
        'tools/dataset_converters/imagenet2coco_vid.py',
        'tools/dataset_converters/imagenet2coco_det.py',
    }


@pytest.mark.parametrize(
    'page, tool, arguments', COMMANDS, ids=[f'{page}-{i}' for i, (page, *_) in enumerate(COMMANDS)]
)
def test_options_of_commands_exist(page, tool, arguments):
    known = re.findall(r'(?<![\w-])--?[a-z][\w-]*', tool_help(tool))
    for option in arguments:
        if re.match('--?[a-z]', option):
            assert option in known, f'{page}: {tool} has no {option}'
    if '--cfg-options' not in arguments:
        return
    config = next(word for word in arguments if word.endswith('.py'))
    for change in arguments[arguments.index('--cfg-options') + 1 :]:
        if '$' not in config:
            assert_read(load(ROOT / config), change.split('=')[0])


def assert_read(cfg, key):
    """Check that options of --cfg-options are in the config, or an argument of its type."""
    if key in ('randomness.seed',):  # MMEngine's
        return
    *parents, last = key.split('.')
    for part in parents:
        cfg = cfg[int(part)] if isinstance(cfg, list) else cfg[part]
    if last not in cfg:
        kinds = [node.get(cfg.type) for node in KINDS]
        kind = next(kind for kind in kinds if kind)
        assert last in arguments(kind), key


def test_searched_options_are_in_the_config():
    """``mim gridsearch`` refuses other options."""
    found = [words for _, words in commands() if 'gridsearch' in words[:2]]
    for words in found:
        search = words[words.index('--search-args') + 1].split()
        for key in (word[2:] for word in search if word.startswith('--')):
            *parents, last = key.split('.')
            cfg = load(ROOT / words[3])
            for part in parents:
                cfg = cfg[part]
            assert last in cfg
    assert found


@pytest.mark.parametrize(
    'key',
    [
        'model.temporal_range',
        'model.neck.num_basic',
        'model.support_sampler.num_support',
        'model.support_sampler.advanced_ratio',
        'train_dataloader.dataset.datasets.0.ref_img_sampler.frame_range',
    ],
)
def test_options_of_reproduction_page(key):
    page = ROOT / 'docs' / 'reproduction.md'
    assert key in page.read_text()
    stem = 'rdn_faster-rcnn_r101-dc5_4xb1-60k_imagenetvid'
    assert_read(load(ROOT / 'configs' / 'rdn' / f'{stem}.py'), key)


def test_config_by_hand(tmp_path):
    """The example for videos of one's own."""
    section = (ROOT / 'docs' / 'own_videos.md').read_text().split('## Write the config by hand')[1]
    code = re.search(r'```python\n(.*?)```', section, re.DOTALL).group(1)
    path = tmp_path / 'mine.py'
    path.write_text(code.replace("_base_ = '", f"_base_ = '{ROOT}/"))
    cfg = Config.fromfile(path)
    assert unread_keys(cfg) == []
    for name in ('train', 'val', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        assert dataset.type == 'VideoDetDataset'
        assert dataset.metainfo.classes == ('car', 'dog')
        assert dataset.data_root == 'data/mine/'
    assert cfg.test_dataloader.dataset.ann_file == 'val.json'
    assert cfg.test_evaluator.ann_file == 'data/mine/val.json'
    assert cfg.train_dataloader.dataset.ref_img_sampler.num_ref_imgs == 2
    assert cfg.model.detector.roi_head.bbox_head.num_classes == 2
    assert cfg.load_from is None
