# Copyright (c) mmrdn contributors. All rights reserved.
"""Font files in which every letter is a rectangle."""

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen


def write_font(path, letters, family='Test', top=700):
    """A font with some letters, each ``top`` thousandths of the size high and 800 wide, and no others."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, top), (800, top), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    rectangle, nothing = pen.glyph(False), TTGlyphPen(None).glyph()
    names = ['.notdef'] + [f'u{ord(letter):X}' for letter in letters]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): name for letter, name in zip(letters, names[1:])})
    builder.setupGlyf({name: nothing if name == '.notdef' else rectangle for name in names})
    builder.setupHorizontalMetrics({name: (1000, 0) for name in names})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable(dict(familyName=family, styleName='Regular'))
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120)
    builder.setupPost()
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)
    return str(path)
