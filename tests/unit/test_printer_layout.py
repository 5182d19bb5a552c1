"""How documents look: lines end where they may, nothing leaves the paper, nothing vanishes, codes can be read."""

import io
import shutil
from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from drivers.printer.breaking import NOT_FIRST, NOT_LAST, balanced, broken
from drivers.printer.contract import Bitmap
from drivers.printer.fonts import FOLDERS, REGULAR, Fonts, find_fonts, is_ignorable
from drivers.printer.layout import LONGEST_MM, lay_out
from drivers.printer.qr import qr_code
from drivers.printer.raster import drawn_signature
from drivers.printer.tabulating import widths
from protocol.documents import Check, Checklist, Column, Document, Paragraph, Qr, Signature, Table, Title, Verdict
from protocol.errors import ConfigurationError, DeviceRefusedError
from tests.simulators import tickets

WIDTHS = [384, 576]


def shown(picture: Bitmap) -> Image.Image:
    return Image.frombytes("1", (picture.width, picture.height), bytes(0xFF - byte for byte in picture.rows))


def one_each(text: str) -> int:
    return len(text)


def set_text(text: str, width: int = 384) -> Bitmap:
    return lay_out(Document(blocks=(Paragraph(text=text),)), tickets.fonts(), width=width).picture


# Lines


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 4, [""]),
        ("一二三四五", 4, ["一二三四", "五"]),
        ("一二三四，五", 4, ["一二三", "四，五"]),
        ("一二三（四）", 4, ["一二三", "（四）"]),
        ("一二三《四", 4, ["一二三", "《四"]),
        ("一二三——四", 4, ["一二三", "——四"]),
        ("一二三……四", 4, ["一二三", "……四"]),
        ("一二三…", 4, ["一二三…"]),
        ("温度 8.5℃ 高", 6, ["温度", "8.5℃ 高"]),
        ("共￥12345", 6, ["共", "￥12345"]),
        ("two words here", 9, ["two words", "here"]),
        ("a\n\nb", 9, ["a", "", "b"]),
        ("unbreakable", 4, ["unbr", "eaka", "ble"]),
        ("见 unbreakable", 4, ["见", "unbr", "eaka", "ble"]),
        ("　　缩进两字", 4, ["　　缩进", "两字"]),
        ("abcd efgh", 4, ["abcd", "efgh"]),
        ("10\u00a0kg 重", 5, ["10\u00a0kg", "重"]),
        ("（（（（（（", 4, ["（（（（", "（（"]),
        ("李\ufe00某", 2, ["李\ufe00", "某"]),
    ],
)
def test_lines_end_where_they_may(text: str, width: int, lines: list[str]) -> None:
    assert broken(text, width, one_each) == lines


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=80), width=st.integers(1, 20))
def test_no_line_is_too_wide_and_no_character_is_lost(text: str, width: int) -> None:
    lines = broken(text, width, one_each)
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@settings(max_examples=300, deadline=None)
@given(words=st.lists(st.sampled_from(["检查", "，", "。", "（甲）", "《法》", "8.5℃", "abc", "——"]), max_size=40))
def test_punctuation_stands_where_it_may(words: list[str]) -> None:
    text = "，".join(words).replace("，，", "，").replace("，。", "。").replace("。，", "。")
    for line in broken(text, 16, one_each)[1:]:
        pressed = any(character * 3 in text for character in "，。—")
        assert pressed or line[:1] not in NOT_FIRST or line[:2] == "——" or len(line.strip("，。—）》℃")) == 0
        assert line[-1:] not in NOT_LAST


def test_lines_of_a_title_are_even() -> None:
    assert balanced("食品经营监督检查结果记录", 8, one_each) == ["食品经营监督", "检查结果记录"]
    assert balanced("短", 8, one_each) == ["短"]
    assert balanced("", 8, one_each) == [""]


# Tables


def table(shares: list[int], cells: list[str]) -> Table:
    return Table(columns=tuple(Column(share=share) for share in shares), rows=(tuple(cells),))


@pytest.mark.parametrize(
    ("shares", "cells", "expected"),
    [
        ([1, 1], ["a", "b"], [50, 50]),
        ([3, 1], ["a", "b"], [73, 27]),
        ([0, 1], ["x" * 10, "b"], [10, 90]),
        ([0, 1], ["x" * 90, "y" * 90], [50, 50]),
        ([0, 1], ["x" * 90, "y" * 20], [80, 20]),
        ([0, 0], ["x" * 10, "y" * 20], [10, 90]),
        ([0, 0, 1], ["x" * 70, "y" * 70, "z" * 70], [4, 46, 50]),
        ([100, 1], ["a", "b"], [95, 5]),
    ],
)
def test_columns_share_the_paper(shares: list[int], cells: list[str], expected: list[int]) -> None:
    assert widths(table(shares, cells), 100, one_each, 4) == expected


@settings(max_examples=200, deadline=None)
@given(shares=st.lists(st.integers(0, 100), min_size=1, max_size=6), data=st.data())
def test_columns_always_fill_the_paper_and_hold_two_characters(shares: list[int], data: st.DataObject) -> None:
    cells = [data.draw(st.text(max_size=120)) for _ in shares]
    across = widths(table(shares, cells), 100, one_each, 16)
    assert sum(across) == 100
    assert min(across) >= 16


# Whole documents


@pytest.mark.parametrize("width", WIDTHS)
@settings(max_examples=40, deadline=None)
@given(document=tickets.documents())
def test_any_document_can_be_set(width: int, document: Document) -> None:
    sheet = lay_out(document, tickets.fonts(), width=width)
    assert sheet.picture.width == width
    assert len(sheet.picture.rows) == width // 8 * sheet.picture.height
    assert sheet == lay_out(document, tickets.fonts(), width=width)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_record_is_the_same_with_fresh_fonts(width: int) -> None:
    assert lay_out(tickets.record(), tickets.fonts(), width=width) == lay_out(
        tickets.record(), find_fonts(), width=width
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_the_code_on_a_record_verifies_its_log(width: int) -> None:
    (code,) = zxingcpp.read_barcodes(shown(lay_out(tickets.record(), tickets.fonts(), width=width).picture))
    assert code.text == tickets.VERIFIED_AT
    assert tickets.LOG in code.text


def test_a_finer_head_prints_the_same_size() -> None:
    coarse, fine = (
        lay_out(tickets.record(), tickets.fonts(), width=48 * dots, dots_per_mm=dots).picture for dots in (8, 12)
    )
    assert fine.height / 12 == pytest.approx(coarse.height / 8, rel=0.05)


def test_a_log_is_named_under_everything() -> None:
    document = tickets.record()
    bare = Document(blocks=document.blocks)
    with_log, without = (lay_out(each, tickets.fonts(), width=384).picture for each in (document, bare))
    assert with_log.rows.startswith(without.rows)
    assert any(with_log.rows[len(without.rows) :])


def test_what_must_be_corrected_is_white_on_black() -> None:
    def ink(verdict: Verdict) -> int:
        items = (Check(item="砧板", verdict=verdict),)
        picture = lay_out(Document(blocks=(Checklist(items=items),)), tickets.fonts(), width=384).picture
        return int.from_bytes(picture.rows, "big").bit_count()

    assert ink(Verdict.NOT_CONFORM) > 2 * ink(Verdict.NOT_APPLICABLE)


def test_a_narrow_column_is_wide_enough_for_its_heading() -> None:
    def height(heading: str) -> int:
        columns = (Column(heading="Device"), Column(heading=heading, share=0))
        table = Table(columns=columns, rows=(("Printer", "ok"),))
        return lay_out(Document(blocks=(table,)), tickets.fonts(), width=384).picture.height

    assert height("Verdict") == height("V")


def test_a_title_that_just_does_not_fit_is_set_smaller() -> None:
    def height(text: str) -> int:
        return lay_out(Document(blocks=(Title(text=text),)), tickets.fonts(), width=384).picture.height

    assert height("十二个字的标题正好这么长") < height("短标题") < height("这一个标题太长了怎么也放不下一行的")


@pytest.mark.parametrize("width", [376, 380, 0])
def test_paper_that_is_too_narrow_is_a_mistake(width: int) -> None:
    with pytest.raises(ValueError, match="paper of"):
        lay_out(tickets.record(), tickets.fonts(), width=width)


def test_a_document_that_never_ends_is_refused() -> None:
    rows = tuple(("\n" * 10,) for _ in range(100))
    long = Document(blocks=(Table(columns=(Column(),), rows=rows),))
    with pytest.raises(DeviceRefusedError, match=f"longer than {LONGEST_MM} mm"):
        lay_out(long, tickets.fonts(), width=384)


# Characters


@pytest.mark.parametrize("character", "㙟㛃䶮①②㎡℃￥★□𠮷龘—“")
def test_characters_of_names_and_units_are_drawn(character: str) -> None:
    sheet = lay_out(Document(blocks=(Paragraph(text=character),)), tickets.fonts(), width=384)
    assert sheet.boxed == {}
    assert any(sheet.picture.rows)


def test_every_character_of_gb2312_is_drawn() -> None:
    """The 6,763 Chinese characters of GB 2312-1980 are in every document somewhere."""
    characters = [
        bytes((high, low)).decode("gb2312")
        for high in range(0xB0, 0xF8)
        for low in range(0xA1, 0xFF)
        if not (high == 0xD7 and low >= 0xFA)
    ]
    assert len(characters) == 6_763
    face = tickets.face()
    assert [character for character in characters if face.glyph(character).boxed] == []


@settings(max_examples=300, deadline=None)
@given(number=st.one_of(st.integers(0x3400, 0x4DB5), st.integers(0x4E00, 0x9FEF)))
def test_characters_of_gbk_and_of_the_first_four_bytes_of_gb18030_are_drawn(number: int) -> None:
    """CJK Unified Ideographs and Extension A, which GB 18030-2005 demands of everybody."""
    assert not tickets.face().glyph(chr(number)).boxed


def test_what_no_font_has_is_a_box_with_its_number_and_is_counted() -> None:
    text = "王\U0002a6a5\U0002a6a5𠀀ཀ\ue000\uffff"
    sheet = lay_out(Document(blocks=(Paragraph(text=text), Title(text="\ue000"))), tickets.fonts(), width=384)
    rare = {"\U0002a6a5": 2, "𠀀": 1, "ཀ": 1, "\ue000": 2, "\uffff": 1}
    assert {character: sheet.boxed.get(character, count) for character, count in rare.items()} == rare
    assert set(sheet.boxed) <= set(rare)
    assert "\uffff" in sheet.boxed
    assert set_text("\uffff") != set_text("\ufffe"), "the boxes tell which character is missing"


def test_half_of_a_character_is_a_box_too() -> None:
    assert tickets.face().glyph("\ud800").boxed


@settings(max_examples=300, deadline=None)
@given(character=st.characters())
def test_no_glyph_is_wider_than_two_characters(character: str) -> None:
    glyph = tickets.face().glyph(character)
    assert 0 <= glyph.advance <= 48
    assert glyph.boxed or glyph.advance or glyph.ink is None or is_ignorable(character) or glyph.ink.width <= 96


def test_invisible_characters_take_no_room() -> None:
    assert set_text("王\ufe00\u200b某") == set_text("王某")


def folder_of(tmp_path: Path, *names: str) -> Path:
    regular = next(path for each in FOLDERS for path in each.expanduser().rglob(REGULAR[0]))
    for name in names:
        (tmp_path / name).symlink_to(regular.with_name(name))
    return tmp_path


def test_fonts_are_taken_from_a_folder(tmp_path: Path) -> None:
    folder_of(tmp_path, "NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc")
    document = tickets.record()
    assert lay_out(document, find_fonts(tmp_path), width=384) == lay_out(document, tickets.fonts(), width=384)


def test_rare_characters_come_from_another_font(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "NotoSansCJK-Regular.ttc")
    latin = tmp_path / "latin.ttf"
    default = ImageFont.load_default(24)
    assert isinstance(default, ImageFont.FreeTypeFont)
    latin.write_bytes(default.font_bytes)
    fonts = Fonts(latin, latin, (folder / "NotoSansCJK-Regular.ttc",))
    face, noto = fonts.face(24), tickets.face()
    assert face.glyph("检").ink is not None
    assert (face.glyph("检").advance, face.glyph("检").boxed) == (noto.glyph("检").advance, False)
    assert Fonts(latin, latin).face(24).glyph("检").boxed


def test_a_missing_font_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="apt install fonts-noto-cjk"):
        find_fonts(tmp_path)
    with pytest.raises(ConfigurationError, match="fonts-noto-cjk"):
        find_fonts(folder_of(tmp_path, "NotoSansCJK-Regular.ttc"))
    with pytest.raises(ConfigurationError, match="fonts-noto-cjk"):
        find_fonts(tmp_path / "nowhere")


def test_a_file_that_is_no_font_says_so(tmp_path: Path) -> None:
    shutil.copy(__file__, tmp_path / "NotoSansCJK-Regular.ttc")
    shutil.copy(__file__, tmp_path / "NotoSansCJK-Bold.ttc")
    with pytest.raises(ConfigurationError, match="is no font"):
        find_fonts(tmp_path).face(24)


# Codes and signatures


@settings(max_examples=25, deadline=None)
@given(text=st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=130))
def test_every_code_fits_and_can_be_read(text: str) -> None:
    canvas = Image.new("L", (384 + 40, 384 + 40), 255)
    code = qr_code(text, widest=384, dots_per_mm=8)
    assert max(code.size) <= 384
    canvas.paste(0, (20, 20), code)
    (read,) = zxingcpp.read_barcodes(canvas)
    assert read.bytes == text.encode()


def test_the_largest_code_fits_the_narrowest_paper() -> None:
    code = qr_code("x" * 400, widest=384, dots_per_mm=8)
    assert code.width <= 384
    (read,) = zxingcpp.read_barcodes(Image.eval(code.convert("L"), lambda dot: 255 - dot))
    assert read.text == "x" * 400


def test_a_code_that_a_phone_could_not_read_is_refused() -> None:
    with pytest.raises(DeviceRefusedError, match="too fine"):
        qr_code("x" * 400, widest=200, dots_per_mm=8)
    with pytest.raises(DeviceRefusedError, match="cannot hold"):
        qr_code("x" * 4_000, widest=384, dots_per_mm=8)


def test_a_code_in_a_document_is_as_wide_as_it_may_be() -> None:
    picture = lay_out(Document(blocks=(Qr(text="https://hub.example/x"),)), tickets.fonts(), width=576).picture
    assert 150 <= picture.height <= 384


def test_a_signature_is_drawn_and_keeps_its_thin_strokes() -> None:
    drawn = drawn_signature(tickets.signature(1_200, 600), 200, 80)
    assert drawn.width <= 200
    assert drawn.height <= 80
    ink = drawn.getcolors()
    assert ink is not None
    assert {value: count for count, value in ink}[255] > drawn.width


def test_an_empty_signature_leaves_room_for_a_pen() -> None:
    white = io.BytesIO()
    Image.new("1", (80, 40), 1).save(white, "PNG")
    blank = Signature(label="签名", image=white.getvalue())
    drawn, empty = (
        lay_out(Document(blocks=(block,)), tickets.fonts(), width=384).picture
        for block in (blank, Signature(label="签名"))
    )
    assert drawn == empty


def test_a_broken_signature_is_refused() -> None:
    whole = tickets.signature()
    for image in (whole[: len(whole) // 2], whole[:40] + bytes(60)):
        with pytest.raises(DeviceRefusedError, match="signature"):
            lay_out(Document(blocks=(Signature(label="签名", image=image),)), tickets.fonts(), width=384)
