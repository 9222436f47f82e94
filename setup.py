# Copyright (c) mmrdn contributors. All rights reserved.
"""Package mmrdn, with its configs and tools for `mim`.

`mim` looks for `configs/`, `tools/` and `model-index.yml` in
- the project's root, for an editable install: they are there already. A link to them in
  `mmrdn/.mim` would make mim find every config twice, an error;
- `.mim` in the folder of the first file that pip recorded, for a wheel. That file is one of
  `mmrdn-<version>.dist-info`, as '-' sorts before '/';
- `mmrdn/.mim`, for other versions of mim and for MMEngine.
So a wheel carries `.mim` twice, and an editable install not at all.
"""

import atexit
import re
import shutil
import tempfile
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_FILES = ('configs', 'tools', 'model-index.yml')


def copy_mim(target):
    """Copy what mim needs into the folder `target`."""
    ignore = shutil.ignore_patterns('__pycache__', '*.py[cod]')
    for name in MIM_FILES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignore, dirs_exist_ok=True)
        elif source.exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)


class Build(build):
    """Build in a temporary folder.

    A `build/` left in the checkout has copies of the configs, which mim would find beside the real
    ones.
    """

    def initialize_options(self):
        super().initialize_options()
        self.build_base = tempfile.mkdtemp(prefix='mmrdn-build-')
        atexit.register(shutil.rmtree, self.build_base, ignore_errors=True)


class BuildPy(build_py):
    """Add `mmrdn/.mim`, except to an editable install."""

    def run(self):
        super().run()
        if not self.editable_mode:
            copy_mim(Path(self.build_lib) / 'mmrdn' / '.mim')


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


def read_version():
    text = (ROOT / 'mmrdn' / 'version.py').read_text()
    return re.search(r"(?m)^__version__ = '(.+)'$", text).group(1)


def read_requirements(name):
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    lines = [line.split('#')[0].strip() for line in lines]
    return [line for line in lines if line]


def read_readme():
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.exists() else ''


if __name__ == '__main__':
    # An egg-info left in the checkout would pass for the installed package wherever the checkout is
    # on sys.path (`python -m mim` run there).
    atexit.register(shutil.rmtree, ROOT / 'mmrdn.egg-info', ignore_errors=True)
    setup(
        name='mmrdn',
        version=read_version(),
        description='Relation Distillation Networks for video object detection, on MMDetection and MMTracking',
        long_description=read_readme(),
        long_description_content_type='text/markdown',
        author='mmrdn contributors',
        keywords='computer vision, video object detection, relation networks',
        license='Apache-2.0',
        classifiers=[
            'Development Status :: 4 - Beta',
            'Intended Audience :: Science/Research',
            'Operating System :: POSIX :: Linux',
            'Programming Language :: Python :: 3',
            'Programming Language :: Python :: 3.10',
            'Programming Language :: Python :: 3.11',
            'Topic :: Scientific/Engineering :: Artificial Intelligence',
        ],
        packages=find_packages(include=['mmrdn', 'mmrdn.*']),
        package_data={'mmrdn.web': ['web_page/*', 'web_page/static/*']},
        python_requires='>=3.10',
        install_requires=read_requirements('runtime'),
        extras_require=dict(
            mim=read_requirements('stacks/onedl'),
            tests=read_requirements('tests'),
            docs=read_requirements('docs'),
            web=read_requirements('web'),
        ),
        cmdclass=dict(build=Build, build_py=BuildPy, bdist_wheel=BdistWheel),
        zip_safe=False,
    )
