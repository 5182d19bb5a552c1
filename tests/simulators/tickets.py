"""Documents to print: a whole record of an inspection, the other kinds of block, and any document at all."""

import io
import math
from functools import cache

from hypothesis import strategies as st
from PIL import Image, ImageDraw

from drivers.printer.fonts import Face, Fonts, find_fonts
from protocol.documents import (
    Align,
    Block,
    Check,
    Checklist,
    Column,
    Document,
    DocumentType,
    Paragraph,
    Qr,
    Rule,
    Signature,
    Size,
    Spacer,
    Table,
    Title,
    Verdict,
)

LOG = "log-2026-00017"
VERIFIED_AT = f"https://hub.example/verify/{LOG}?s=MEUCIQDx7Q2K9F4MqYw3"


@cache
def fonts() -> Fonts:
    """Return the installed fonts."""
    return find_fonts()


@cache
def face() -> Face:
    """Return the face of running text; opening it takes a while."""
    return fonts().face(24)


def signature(width: int = 400, height: int = 160) -> bytes:
    """Return a scribble as the PNG that a phone sends."""
    paper = Image.new("1", (width, height), 1)
    pen = [
        (width * (0.05 + 0.009 * step), height * (0.5 + 0.3 * math.sin(step / 6) * math.cos(step / 17)))
        for step in range(100)
    ]
    ImageDraw.Draw(paper).line(pen, fill=0, width=4)
    png = io.BytesIO()
    paper.save(png, "PNG")
    return png.getvalue()


def record() -> Document:
    """Return the full written result of an inspection: parties, checklist, order, signatures, code."""
    particulars = (
        ("编号", "穗市监检〔2026〕第000123号"),
        ("被检查人", "广州市天河区㙟记茶餐厅（个体工商户）"),
        ("信用代码", "92440106MA5XXXXX0K"),
        ("检查时间", "2026-11-24 10:05 至 10:42"),
        ("检查地点", "天河区体育西路①号首层②室"),
        ("检查人员", "王㛃、李䶮（执法证号 19010123456）"),
    )
    items = (
        Check(number="1", item="食品经营许可证合法有效，在经营场所醒目位置公示。", verdict=Verdict.CONFORM),
        Check(
            number="8",
            item="冷藏柜温度 8.5℃，高于 5℃ 的要求；",
            verdict=Verdict.NOT_CONFORM,
            article="《食品安全法》第三十三条第一款第（二）项",
            note="当场调低，10:38 复测 4.2℃。",
            key=True,
        ),
        Check(
            number="15",
            item="后厨面积约 32㎡，未设置独立专间。",
            verdict=Verdict.NOT_CONFORM,
            article="GB 31654-2021 第 3.2 条",
        ),
        Check(number="23", item="“三防”设施：灭蝇灯 2 台，纱窗完好。", verdict=Verdict.CONFORM),
        Check(number="30", item="网络餐饮服务提供者公示信息。", verdict=Verdict.NOT_APPLICABLE),
    )
    return Document(
        type=DocumentType.RECORD,
        log=LOG,
        blocks=(
            Title(text="市场监督管理局"),
            Title(text="食品经营监督检查结果记录"),
            Table(columns=(Column(share=0), Column()), rows=particulars),
            Title(text="一、检查项目", level=2),
            Checklist(items=items),
            Title(text="二、处理意见", level=2),
            Paragraph(
                text="责令于 2026-12-01 前改正上列不符合项目；逾期不改正的，依照《中华人民共和国食品安全法》处理。"
            ),
            Signature(label="被检查人签名"),
            Signature(label="执法人员签名", image=signature()),
            Rule(dashed=True),
            Qr(text=VERIFIED_AT, caption="扫码核验本记录"),
        ),
    )


def certificate() -> Document:
    """Return something in English, with headings, alignments, sizes and white paper."""
    return Document(
        type=DocumentType.CERTIFICATE,
        language="en",
        blocks=(
            Title(text="Installation certificate of a site that has a rather long name"),
            Paragraph(text="All devices passed.", align=Align.CENTRE, size=Size.LARGE, bold=True),
            Spacer(millimetres=5),
            Table(
                columns=(Column(heading="Device", share=2), Column(heading="Verdict", share=0, align=Align.RIGHT)),
                rows=(("Camera above the stove", "pass"), ("Printer", "pass"), ("GPS receiver", "FAIL")),
            ),
            Checklist(items=(Check(item="The sign is posted", verdict=Verdict.NOT_CONFORM, note="no tape"),)),
            Rule(),
            Paragraph(text="small print, to the right", size=Size.SMALL, align=Align.RIGHT),
        ),
    )


def black() -> Document:
    """Return a document without a white row for long stretches, and one with nothing but white between two lines."""
    return Document(blocks=(Paragraph(text="■" * 300), Rule(), Spacer(millimetres=50), Rule()))


SAMPLES = {"record": record, "certificate": certificate, "black": black}

_PLAIN = st.characters(exclude_categories=("Cc", "Cs"))
_PROSE = st.text(st.one_of(_PLAIN, st.sampled_from("，。《》（）“”——……1234 abc-€℃\n检查记录㙟㛃𠀀")), max_size=60)
_LINES = st.text(st.one_of(_PLAIN, st.sampled_from("检查记录，。（ab 12")), max_size=30)
_ALIGNS, _VERDICTS = st.sampled_from(Align), st.sampled_from(Verdict)


@st.composite
def _tables(draw: st.DrawFn) -> Table:
    columns = draw(
        st.lists(st.builds(Column, heading=_LINES, share=st.integers(0, 100), align=_ALIGNS), min_size=1, max_size=6)
    )
    rows = draw(st.lists(st.tuples(*([_PROSE] * len(columns))), max_size=4))
    return Table(columns=tuple(columns), rows=tuple(rows))


def blocks() -> st.SearchStrategy[Block]:
    checks = st.builds(
        Check, number=_LINES, item=_PROSE, verdict=_VERDICTS, article=_PROSE, note=_PROSE, key=st.booleans()
    )
    images = st.one_of(st.none(), st.builds(signature, st.integers(1, 1_200), st.integers(1, 600)))
    return st.one_of(
        st.builds(Title, text=_LINES, level=st.sampled_from((1, 2))),
        st.builds(Paragraph, text=_PROSE, align=_ALIGNS, size=st.sampled_from(Size), bold=st.booleans()),
        _tables(),
        st.builds(Checklist, items=st.lists(checks, min_size=1, max_size=4).map(tuple)),
        st.builds(Qr, text=st.text(_PLAIN, min_size=1, max_size=100), caption=_PROSE),
        st.builds(Signature, label=_LINES, image=images),
        st.builds(Rule, dashed=st.booleans()),
        st.builds(Spacer, millimetres=st.integers(1, 50)),
    )


def documents() -> st.SearchStrategy[Document]:
    """Return any document, within its bounds."""
    return st.builds(
        Document, language=st.sampled_from(("zh", "en")), blocks=st.lists(blocks(), min_size=1, max_size=6).map(tuple)
    )
