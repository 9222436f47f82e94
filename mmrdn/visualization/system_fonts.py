# Copyright (c) mmrdn contributors. All rights reserved.
import os
import subprocess
import sys
from pathlib import Path

_SUFFIXES = ('.ttf', '.ttc', '.otf')


def find_system_fonts() -> list[str]:
    """Return the font files of the machine: those that fontconfig lists, else those in the usual directories."""
    try:
        command = ['fc-list', '--format=%{file}\\n']
        listed = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
        files = [os.fsdecode(line) for line in listed.splitlines()]
    except (OSError, subprocess.SubprocessError):  # fontconfig is not installed
        files = [str(path) for directory in _font_directories() for path in directory.rglob('*')]
    return sorted({file for file in files if file.lower().endswith(_SUFFIXES)})


def _font_directories() -> list[Path]:
    """Return the directories of fonts, the user's first; they need not exist."""
    home = Path.home()
    if sys.platform == 'win32':
        local, windows = os.environ.get('LOCALAPPDATA', home), os.environ.get('WINDIR', 'C:/Windows')
        return [Path(local, 'Microsoft/Windows/Fonts'), Path(windows, 'Fonts')]
    if sys.platform == 'darwin':
        return [root / 'Library/Fonts' for root in (home, Path('/'), Path('/System'))]
    shared = os.environ.get('XDG_DATA_DIRS') or '/usr/local/share:/usr/share'
    own = os.environ.get('XDG_DATA_HOME') or home / '.local/share'
    return [home / '.fonts', *(Path(root, 'fonts') for root in (own, *shared.split(':')))]
