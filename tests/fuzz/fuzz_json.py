# Copyright (c) mmrdn contributors. All rights reserved.
"""Mutants of JSON, XML and YAML files, for everything that reads such files.

A mutant is read, or refused in one line that names the file. ``test_fuzz_json.py`` runs a few
hundred; by hand: ``python tests/fuzz/fuzz_json.py --cases 10000``.
"""

import copy
import json
import random
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(path) for path in (ROOT, ROOT / 'tests') if str(path) not in sys.path]

from fuzz.command import run_command  # noqa: E402
from mmrdn.browsing.track_browser import browse_track  # noqa: E402
from mmrdn.comparison.prediction_comparison import load_results  # noqa: E402
from mmrdn.comparison.report import check_out  # noqa: E402
from mmrdn.comparison.training_log import read_training_log  # noqa: E402
from mmrdn.datasets.converters.ilsvrc import read_annotation  # noqa: E402
from mmrdn.datasets.video_det_dataset import VideoDetDataset  # noqa: E402
from mmrdn.evaluation import VIDMetric, evaluate_predictions, link_predictions  # noqa: E402
from mmrdn.evaluation.linkers import build_linker  # noqa: E402
from mmrdn.fileio.metafiles import read_models  # noqa: E402
from mmrdn.model_zoo.metafile import update_metafile  # noqa: E402
from mmrdn.model_zoo.publishing import read_metrics  # noqa: E402
from mmrdn.utils.cli import describe  # noqa: E402

CLASSES = ('cat', 'dog')
TRUTH = dict(
    categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
    videos=[dict(id=1, name='v'), dict(id=2, name='w')],
    images=[
        dict(id=i, video_id=i // 3 + 1, frame_id=i % 3, file_name=f'{i}.png', width=99, height=99) for i in range(6)
    ],
    annotations=[
        dict(id=i, image_id=i, category_id=1 + i % 2, instance_id=i % 2, bbox=[10, 10, 40, 50], area=2000, iscrowd=0)
        for i in range(6)
    ],
)
PREDICTIONS = dict(
    TRUTH,
    info=dict(iou_thr=0.5, pixel_tolerance=10, motion_ranges=dict(fast=[0, 0.7])),
    annotations=[
        dict(id=i, image_id=i, category_id=1, bbox=[10.5, 10, 40, 50], score=0.9 - 0.1 * i, unlinked_score=0.5)
        | dict(instance_id=7, relations=[[i + 1, 0.5]] if i in (0, 1, 3, 4) else [])
        for i in range(6)
    ],
)
METRICS = {'vid/mAP50': 0.5, 'vid/mAP50_fast': float('nan'), 'time': 0.1}
COMPARISON = dict(work_dir='/work', rows=[dict(name='rdn', mAP50=10.0), dict(name='selsa', mAP50=None)])
SCALARS: list[Any] = [dict(loss=2.5, time=0.5, memory=9, iter=i, step=i) for i in (1, 2)] + [dict(METRICS, step=2)]
METAFILE = dict(
    Collections=[dict(Name='RDN', README='a.md')],
    Models=[
        dict(Name='one', Config='configs/rdn/one.py', Weights='https://x.org/one.pth', Metadata={'Epochs': 1})
        | dict(Results=[dict(Task='t', Dataset='d', Metrics=dict(mAP=5.0))])
    ],
)
ANNOTATION = (
    '<annotation><size><width>99</width><height>80</height></size>'
    + '<object><trackid>0</trackid><name>n1</name><bndbox><xmax>9</xmax><xmin>1</xmin><ymax>9</ymax><ymin>2</ymin>'
    '</bndbox><occluded>0</occluded></object>' * 2 + '</annotation>'
)
NASTY: list[Any] = [None, True, False, 0, -1, 3, 1.5, 1e308, -1e308, 10**400, 2**63, 2**200, -(2**63) - 1]
NASTY += [float('nan'), float('inf'), '', 'x', '1', 'a\0b', '\ud800', '\x1b[2J', 'y' * 5000, [], [[]], [1], {}]
NASTY += [{'a': 1}, [float('nan')] * 4, [1e308] * 4, [10**400] * 4, [1, 2, 3], [{}], 'deep']
TOKENS = ['[' * 200000, '{"a":' * 5000, '9' * 5000, '1e999', 'NaN', '-Infinity', '"\\ud800"', '{"a": 1, "a": 2}', '\0']
TOKENS += ['null', '"', ',', '}', ']', '\\', 'é', '&a [*a]', '!!int ""', '<!DOCTYPE a [<!ENTITY b "c">]>', '&b;', '<']


def mutant(value: Any, rng: random.Random) -> Any:
    """Return a copy of a tree of dicts and lists with one or two nodes changed."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2))):
        nodes = [(value, key) for key in _keys(value)]
        for owner, key in nodes:  # grows
            nodes += [(owner[key], below) for below in _keys(owner[key])]
        if not nodes:
            return value
        owner, key = rng.choice(nodes)
        action = rng.randrange(6)
        if action == 0:
            del owner[key]
        elif action == 1:
            other_owner, other = rng.choice(nodes)
            owner[key] = copy.deepcopy(other_owner[other])
        elif action == 2 and isinstance(owner, list):
            owner.append(copy.deepcopy(owner[key]))
        elif action == 3:
            owner[key] = [owner[key]]
        else:
            owner[key] = rng.choice(NASTY)
            if owner[key] == 'deep':
                owner[key] = json.loads('[' * 900 + ']' * 900)
    return value


def _keys(value: Any) -> list:
    return list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []


def garbled(content: bytes, rng: random.Random) -> bytes:
    """Return the bytes of a file with a fault: cut, a bit flipped, a piece repeated or put in."""
    start = rng.randrange(len(content))
    stop = rng.randrange(start, len(content))
    return rng.choice(
        [
            lambda: content[:start],
            lambda: content[:start] + bytes([content[start] ^ 1 << rng.randrange(8)]) + content[start + 1 :],
            lambda: content[:start] + content[stop:],
            lambda: content[:stop] + content[start:],
            lambda: content[:start] + rng.choice(TOKENS).encode() + content[start:],
            lambda: content[:start] + rng.choice(TOKENS).encode() + content[stop:],
            lambda: content.decode().encode('utf-16'),
            lambda: b'\xef\xbb\xbf' + content,
        ]
    )()


def changed_xml(content: bytes, rng: random.Random) -> bytes:
    """Return XML with an element's text, tag or children changed."""
    root = ElementTree.fromstring(content)
    node = rng.choice(list(root.iter()))
    texts = ['', ' ', 'x', '-1', '1.5', '9' * 5000, '99999999999', '1_0', '\u0661', 'nan', ']]>']
    action = rng.randrange(3)
    if action == 0 and len(node):
        node.remove(rng.choice(list(node)))
    elif action == 1:
        node.tag = rng.choice(['x', 'bndbox', 'size', 'object', 'name'])
    else:
        node.text = rng.choice(texts)
    return ElementTree.tostring(root)


def _to_yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode('utf-8', 'surrogatepass')


def _to_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _to_lines(value: Any) -> bytes:
    return b'\n'.join(map(_to_json, value if isinstance(value, list) else [value])) + b'\n'


class Files:
    """Valid files of each format, and their readers.

    Args:
        directory (Path): Empty directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / 'configs' / 'rdn').mkdir(parents=True)
        index = dict(Import=['configs/rdn/metafile.yml'])
        (directory / 'model-index.yml').write_bytes(_to_yaml(index))
        self.linkers = [build_linker(dict(type=name)) for name in ('SeqNMS', 'BoxLinkingWithRelations', 'TubeLinking')]
        # Name of the file, its content, the writer of that, and its readers.
        self.formats: list[tuple[str, Any, Callable[[Any], bytes], list[Callable[[Path], object]]]] = [
            (
                'truth.json',
                TRUTH,
                _to_json,
                [self._data_set, self._stills, self._metric, self._compare, self._evaluate],
            ),
            ('predictions.json', PREDICTIONS, _to_json, [self._evaluate, self._link, self._compare, self._browse]),
            ('linked.json', PREDICTIONS, _to_json, [self._browse]),
            ('metrics.json', METRICS, _to_json, [read_metrics]),
            ('compared.json', COMPARISON, _to_json, [lambda path: check_out(path.with_suffix(''), '/work', ['rdn'])]),
            ('scalars.json', SCALARS, _to_lines, [lambda path: read_training_log(path).summary()]),
            ('configs/rdn/metafile.yml', METAFILE, _to_yaml, [read_models, self._update]),
            ('annotation.xml', ANNOTATION, str.encode, [read_annotation]),
        ]
        for name, content, write, _ in self.formats:
            (directory / name).write_bytes(write(content))

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return str(self.directory / name)

    def _data_set(self, path: Path, video: bool = True) -> None:
        # data_list holds what mmtrack's parser makes of all images and boxes.
        VideoDetDataset(
            ann_file=str(path), metainfo=dict(classes=CLASSES), pipeline=[], load_as_video=video, serialize_data=True
        )

    def _stills(self, path: Path) -> None:
        self._data_set(path, video=False)

    def _metric(self, path: Path) -> None:
        VIDMetric(ann_file=str(path)).dataset_meta = dict(classes=CLASSES)

    def _compare(self, path: Path) -> None:
        load_results(self.path('truth.json'), self.directory, dict(a=self.path('predictions.json')))

    def _evaluate(self, path: Path) -> None:
        evaluate_predictions(self.path('predictions.json'), self.path('truth.json'))

    def _link(self, path: Path) -> None:
        for linker in self.linkers:
            link_predictions(str(path), linker, self.path('out.json'), overwrite=True)

    def _browse(self, path: Path) -> None:
        files = [self.path(name) for name in ('predictions.json', 'linked.json', 'truth.json')]
        try:
            browse_track(*files, self.path('images'), self.path('out.png'), score_thr=0.4, overwrite=True)
        except FileNotFoundError as error:  # there are no images
            assert str(error).startswith('image ')

    def _update(self, path: Path) -> None:
        result = dict(Task='t', Dataset='d', Metrics=dict(mAP=5.0))
        update_metafile(dict(Name='one', Metadata={'Epochs': 2}, Results=[result]), path, overwrite=True)


def fuzz(cases: int, seed: int, directory: Path, verbose: bool = False) -> Counter:
    """Read mutants; count what became of them.

    Args:
        cases (int): Number of mutants.
        seed (int): Seed.
        directory (Path): Empty directory.
        verbose (bool): Whether to print wrong outcomes.

    Returns:
        Counter: Numbers of ``read``, ``refused``, and of wrong outcomes: ``unnamed`` for a message
        without the file or of more lines, else the type of the error.
    """
    files, counts = Files(directory), Counter()
    for case in range(cases):
        rng = random.Random(f'{seed} {case}')
        name, valid, write, readers = rng.choice(files.formats)
        content = write(valid)
        if rng.random() < 0.3:
            content = garbled(content, rng)
        elif name.endswith('.xml'):
            content = changed_xml(content, rng)
        else:
            try:
                content = write(mutant(valid, rng))
            except (RecursionError, yaml.YAMLError):  # no writer writes this
                continue
        path = directory / name
        for read in readers:
            path.write_bytes(content)
            outcome = _outcome(read, path, directory)
            counts[outcome] += 1
            if verbose and outcome not in ('read', 'refused'):
                trace = ''.join(traceback.format_exception(sys.last_value))[-1200:]
                print(f'case {case}, {name}: {outcome}\n{trace}\n{content[:3000]!r}')
        path.write_bytes(write(valid))
    return counts


def _outcome(read: Callable[[Path], object], path: Path, directory: Path) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            read(path)
        return 'read'
    except ValueError as error:
        sys.last_value = error
        # A file that does not fit may be called by its own name or by the other's.
        message = describe(error)
        return 'refused' if str(directory) in message and message.isprintable() else 'unnamed'
    except Exception as error:
        sys.last_value = error
        return type(error).__name__


if __name__ == '__main__':
    run_command(fuzz, __doc__)
