# Copyright (c) mmrdn contributors. All rights reserved.
"""Letters of fonts that the tests make, beside the one that mmrdn contains."""

import os
import subprocess
import sys
import unicodedata
import warnings

import numpy as np
import pytest
from fontTools.ttLib import TTFont

from helpers.fonts import write_font
from mmrdn.structures import FrameDetections
from mmrdn.visualization import FrameDrawer, font
from mmrdn.visualization.font import Font, check_glyphs, font_file
from mmrdn.visualization.system_fonts import find_system_fonts
from mmrdn.visualization.timeline import draw_timeline, font_families

CAT, DOG = '猫', '犬'


@pytest.fixture
def fonts_of_the_machine(monkeypatch):
    """Say which font files there are."""
    cached = (font.font_file, font.check_glyphs, font._system_fonts, font._length, font._ink, font._has, font._is_font)

    def clear():
        for function in cached:
            function.cache_clear()

    def say(*paths):
        monkeypatch.setattr(font, 'find_system_fonts', lambda: list(paths))
        clear()

    say()
    yield say
    clear()


def filled(ink):
    """First and last column, first and last row of what is covered by more than half."""
    rows, columns = np.nonzero(ink > 0.5)
    return columns.min(), columns.max(), rows.min(), rows.max()


def test_letters_come_from_a_font_that_has_them(fonts_of_the_machine, tmp_path):
    """Rectangles of 80 x 70 pixels on the baseline of the other letters, 100 pixels apart."""
    fonts_of_the_machine(write_font(tmp_path / 'a.ttf', DOG), write_font(tmp_path / 'b.ttf', CAT))
    letters = Font(100)
    baseline = filled(letters.ink('H'))[3]
    assert letters.width(CAT * 2) == 200 + 2 * letters.pad == 200 + 2 * 16
    assert letters.width(f'H{CAT}') == pytest.approx(letters.width('H') + 100, abs=1)
    left, right, top, bottom = filled(letters.ink(CAT))
    assert (right - left + 1, bottom - top + 1, bottom) == (80, 70, baseline)
    # One after another, whatever fonts they are of.
    ink = letters.ink(CAT + DOG)
    left, right, top, bottom = filled(ink)
    assert (right - left + 1, bottom - top + 1, bottom) == (180, 70, baseline)
    assert (ink[top : bottom + 1, left + 80 : left + 100] == 0).all()
    mixed, alone = letters.ink(f'{CAT}H'), letters.ink('H')
    behind = slice(letters.pad, letters.pad + mixed.shape[1] - 116)
    np.testing.assert_array_equal(mixed[:, 100 + letters.pad :], alone[:, behind])


def test_noto_comes_first_and_the_given_file_before_all(fonts_of_the_machine, tmp_path):
    names = ('A.ttf', 'NotoSans-Bold.ttf', 'NotoSansCJK-Regular.ttf', 'NotoSerif-Regular.ttf')
    paths = [write_font(tmp_path / name, CAT) for name in names]
    fonts_of_the_machine(*paths)
    assert font_file(CAT) == paths[2]
    given = write_font(tmp_path / 'mine.ttf', CAT + 'a', top=300)
    assert font_file(CAT, given) == font_file('a', given) == given
    assert font_file('b', given) == font_file('a') != given
    top, bottom = filled(Font(100, given).ink(CAT))[2:]
    assert bottom - top + 1 == 30


def test_labels_of_classes(fonts_of_the_machine, tmp_path):
    """They are drawn in the font that was given, or one of the machine."""
    found = FrameDetections(bboxes=[[5, 60, 150, 110]], scores=[0.9], labels=[0])
    image = np.full((120, 160, 3), 128, np.uint8)
    path = write_font(tmp_path / 'cat.ttf', CAT)
    drawn = {}
    for name, of_machine, given in (('given', [], path), ('machine', [path], None), ('neither', [], None)):
        fonts_of_the_machine(*of_machine)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            drawn[name] = FrameDrawer([CAT], font=given).draw(image, found)
        assert [f'no font of this machine has {CAT}' in str(w.message) for w in caught] == [True] * (name == 'neither')
    # The box of a letter that no font has is hollow, the test's letters are full.
    ink = {name: (out == 0).all(2).sum() for name, out in drawn.items()}
    assert ink['given'] > ink['neither'] and ink['machine'] > ink['neither']


def test_what_no_font_has_is_reported_in_one_line(fonts_of_the_machine):
    names = (f'{DOG} {CAT}', 'dog', CAT)
    with pytest.warns(UserWarning) as caught:
        check_glyphs(names)
        check_glyphs(names)  # once is enough
    (text,) = (str(warning.message) for warning in caught)
    assert text.startswith(f'no font of this machine has {DOG}{CAT}: boxes are drawn instead. Install one')
    assert '--font' in text and '\n' not in text
    with pytest.warns(UserWarning, match='has 一丁丂七丄丅丆万丈三 ...: '):
        check_glyphs(tuple('一丁丂七丄丅丆万丈三上下'))


@pytest.mark.parametrize('name', ['a.ttf', 'DejaVuSans.ttf'])  # the latter has a namesake on many machines
def test_what_is_no_font_is_refused(name, tmp_path):
    (tmp_path / name).write_text('no font')
    with pytest.raises(ValueError, match=f'{name} is no font, expected a TrueType or OpenType file'):
        FrameDrawer(['cat'], font=str(tmp_path / name))
    with pytest.raises(FileNotFoundError, match='b.ttf does not exist'):
        FrameDrawer(['cat'], font=str(tmp_path / 'b.ttf'))


def test_timeline_uses_the_fonts_of_the_machine(fonts_of_the_machine, tmp_path):
    path = write_font(tmp_path / 'cat.ttf', CAT, 'Cats')
    fonts_of_the_machine(path)
    assert font_families([f'a{CAT}']) == ['DejaVu Sans', 'Cats'] and font_families(['a']) == ['DejaVu Sans']
    frames = [dict(time=0.0, detections=[dict(label=0)])]
    figure = draw_timeline(frames, [CAT], 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # matplotlib's, of missing letters
        figure.savefig(tmp_path / 'a.svg')
    (label,) = figure.axes[0].get_yticklabels()
    assert label.get_text() == CAT and label.get_fontfamily() == ['DejaVu Sans', 'Cats']


def test_the_font_of_mmrdn_has_what_its_character_map_says():
    """The map as fontTools reads it. Among what it lacks are marks that layout would draw on another letter."""
    with TTFont(font.DEFAULT_FONT) as file:
        mapped = file.getBestCmap()
    rng = np.random.default_rng(0)
    codes = {*rng.choice(sorted(mapped), 60).tolist(), *rng.integers(0x21, 0x3000, 60).tolist(), 0x817, 0x1E3C}
    letters = [chr(code) for code in codes if not chr(code).isspace() and unicodedata.category(chr(code)) != 'Cc']
    assert [font._has(font.DEFAULT_FONT, letter) for letter in letters] == [ord(letter) in mapped for letter in letters]
    assert 60 < sum(ord(letter) in mapped for letter in letters) < len(letters) - 20


@pytest.mark.parametrize('listed', [True, False])
def test_fonts_of_the_machine(listed, monkeypatch, tmp_path):
    """Those that fontconfig lists; without it those in the directories of the user and of all users."""
    paths = [write_font(tmp_path / name, CAT) for name in ('own/fonts/a/A.TTF', 'all/fonts/b.otf')]
    (tmp_path / 'own/fonts/readme.txt').write_text('')
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'own'))
    monkeypatch.setenv('XDG_DATA_DIRS', f'{tmp_path}/none:{tmp_path}/all')
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('PATH', str(tmp_path))
    if listed:
        command = tmp_path / 'fc-list'
        command.write_text(f'#!/bin/sh\necho /a/b.ttf\necho /a/b.pfb\necho {paths[0]}\n')
        command.chmod(0o755)
    assert find_system_fonts() == sorted(['/a/b.ttf', paths[0]] if listed else paths)


@pytest.mark.slow
def test_a_font_in_the_directory_of_the_user_is_found(tmp_path):
    """A font that a user installed for himself."""
    path = write_font(tmp_path / 'fonts' / 'NotoTest.ttf', CAT)
    code = f'from mmrdn.visualization.font import font_file; print(font_file({CAT!r}))'
    env = dict(os.environ, XDG_DATA_HOME=str(tmp_path))
    result = subprocess.run([sys.executable, '-c', code], env=env, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == path
