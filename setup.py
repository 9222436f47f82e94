# Copyright (c) mmrdn contributors. All rights reserved.
"""Build mmrdn with its configs and tools for `mim`; all else stands in pyproject.toml.

`mim` looks for `configs/`, `tools/` and `model-index.yml` in
- the project's root, for an editable install: they are there already. A link to them in
  `mmrdn/.mim` would make mim find every config twice, an error;
- `.mim` in the directory of the first file that pip recorded, for a wheel. That file is one of
  `mmrdn-<version>.dist-info`, as '-' sorts before '/';
- `mmrdn/.mim`, for other versions of mim and for MMEngine.
So a wheel carries `.mim` twice, and an editable install not at all. The published model, which mmrdn alone
reads, is in the second only, without its ONNX files, which mmrdn-runtime alone reads.
"""

import atexit
import shutil
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_FILES = ('configs', 'tools', 'model-index.yml')


def copy_mim(target, names=MIM_FILES):
    """Copy what mim needs into the directory `target`."""
    ignore = shutil.ignore_patterns('__pycache__', '*.py[cod]', '*_onnx')
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignore, dirs_exist_ok=True)
        elif source.exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)


class BuildPy(build_py):
    """Add `mmrdn/.mim`, except to an editable install."""

    def run(self):
        super().run()
        if not self.editable_mode:
            copy_mim(Path(self.build_lib) / 'mmrdn' / '.mim', (*MIM_FILES, 'demo'))


class BdistWheel(bdist_wheel):
    """Add `mmrdn-<version>.dist-info/.mim`."""

    in_run = False  # an editable install calls write_wheelfile, but not run

    def run(self):
        self.in_run = True
        super().run()

    def write_wheelfile(self, wheelfile_base, *args, **kwargs):
        super().write_wheelfile(wheelfile_base, *args, **kwargs)
        if self.in_run:
            copy_mim(Path(wheelfile_base) / '.mim')


# An egg-info left in the checkout would pass for the installed package wherever the checkout is on
# sys.path (`python -m mim` run there). A `build/` left there has copies of the configs, which mim would find
# beside the real ones.
atexit.register(shutil.rmtree, ROOT / 'mmrdn.egg-info', ignore_errors=True)
with tempfile.TemporaryDirectory(prefix='mmrdn-build-') as directory:
    setup(cmdclass=dict(build_py=BuildPy, bdist_wheel=BdistWheel), options=dict(build=dict(build_base=directory)))
