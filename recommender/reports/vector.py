"""Figures as SVG and PNG: for a page with its own colours, or as a file of their own."""

import re
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from recommender.reports.colours import COLOURS, DARK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from recommender.reports.canvas import Mark

__all__ = ["COLOURS", "DARK", "inline_svg", "png", "standalone_svg"]

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
RETINA = 2
HIT_RADIUS = "8"

_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_AROUND_COMMAND = re.compile(r"\s*([A-Za-z])\s*")
_FONT_SIZE = re.compile(r"([\d.]+)px")
_FONT_WEIGHT = re.compile(r"(?:^|\s)(bold|[1-9]00)\s")
_URL = re.compile(r"url\(#(.+)\)")
_NAMES = {colour: name for name, colour in COLOURS.items()}
_NOT_DRAWN = ("metadata", "style")
_DEFAULTS = {"fill-opacity": "1", "stroke-dashoffset": "0", "font-weight": "400"}


def inline_svg(figure: "Figure", title: str, description: str) -> str:
    """A figure as an `<svg>` element for an HTML page with a strict content security policy.

    It holds no style, no script and no address. Its colours are `var(--choice)` and so on, by the
    names in `COLOURS`, and its font is the page's. Each candidate's mark is a `<g class="point">`
    that can be focused and says what it is. Ids differ between the figures of one page.
    """
    from recommender.reports.canvas import drawable

    root = _root(figure)
    _without_background(root)
    prefix = f"f{_hash(root, title)}-"
    _name_marks(root, figure, is_inline=True)
    _link(root, prefix, "href")
    _flatten(root)
    for element in root.iter():
        for name in ("fill", "stroke"):
            colour = element.get(name, "")
            if colour in _NAMES:
                element.set(name, f"var(--{_NAMES[colour]})")
    described = Element("desc", {"id": f"{prefix}description"})
    described.text = drawable(description)
    root.insert(0, described)
    root.attrib = {
        "xmlns": SVG, "viewBox": root.get("viewBox", ""), "role": "group",
        "aria-label": drawable(title),
        "aria-describedby": f"{prefix}description", "font-family": "inherit",
        "stroke-linejoin": "round",
    }  # fmt: skip
    return _text(root)


def standalone_svg(figure: "Figure") -> str:
    """A figure as an SVG file with colours of its own, on white."""
    root = _root(figure)
    _name_marks(root, figure, is_inline=False)
    _link(root, "", "xlink:href")
    _flatten(root)
    for name in ("description", "title"):
        said = Element("desc" if name == "description" else name)
        said.text = getattr(figure, name, "")
        root.insert(0, said)
    _, _, width, height = root.get("viewBox", "").split()
    root.attrib = {
        "xmlns": SVG, "xmlns:xlink": XLINK, "viewBox": root.get("viewBox", ""),
        "width": width, "height": height, "font-family": FONTS, "stroke-linejoin": "round",
    }  # fmt: skip
    return f'<?xml version="1.0" encoding="utf-8"?>\n{_text(root)}\n'


def png(figure: "Figure") -> bytes:
    """A figure as a PNG with two pixels for each of its own, on white."""
    from recommender.reports.canvas import PER_INCH, settings

    written = BytesIO()
    with settings():
        figure.savefig(written, format="png", dpi=RETINA * PER_INCH, metadata={"Software": None})
    return written.getvalue()


def _root(figure: "Figure") -> Element:
    """What matplotlib writes, without namespaces, metadata and styles."""
    from recommender.reports.canvas import settings

    written = BytesIO()
    with settings():
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(written.getvalue())  # noqa: S314  # our own output
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if name.startswith("{")]:
            element.set(name.rpartition("}")[2], element.attrib.pop(name))
        _style_as_attributes(element)
        element.tail = None
        if element.tag != "text":
            element.text = None
    _remove(root, _NOT_DRAWN)
    _halo(root)
    return root


def _hash(root: Element, title: str) -> str:
    """Of all that differs between figures: the title, the texts, and where everything is."""
    found = sha256(title.encode())
    for element in root.iter():
        for said in (element.text, element.get("d"), element.get("x"), element.get("y")):
            found.update(repr(said).encode())
    return found.hexdigest()[:8]


def _without_background(root: Element) -> None:
    """The page has its own."""
    for parent in list(root.iter()):
        for group in [child for child in parent if child.get("id") == "background"]:
            parent.remove(group)


def _remove(parent: Element, tags: tuple[str, ...]) -> None:
    for child in list(parent):
        if child.tag in tags:
            parent.remove(child)
        else:
            _remove(child, tags)


def _style_as_attributes(element: Element) -> None:
    """`style="fill: #fff; stroke-width: 0.8"` as `fill` and `stroke-width`; numbers are rounded."""
    for part in element.attrib.pop("style", "").split(";"):
        name, _, value = (each.strip() for each in part.partition(":"))
        if name == "font":
            _font(element, value)
        elif name == "font-size":
            element.set(name, value.removesuffix("px"))
        elif name and name != "font-family":
            element.set(name, value)
    for name, value in _DEFAULTS.items():
        if element.get(name) == value:
            del element.attrib[name]
    for name in element.attrib.keys() & {"d", "x", "y", "transform", "stroke-width"}:
        element.set(name, _LONG_NUMBER.sub(_rounded, element.attrib[name]).strip())
    if "d" in element.attrib:
        element.set("d", _AROUND_COMMAND.sub(r"\1", element.attrib["d"]))
    if element.attrib.get("fill-opacity") == "0":
        del element.attrib["fill-opacity"]
        element.set("fill", "none")
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]


def _font(element: Element, shorthand: str) -> None:
    """`bold 12px 'DejaVu Sans'`, as older releases of matplotlib write it."""
    size, weight = _FONT_SIZE.search(shorthand), _FONT_WEIGHT.search(shorthand)
    if size:
        element.set("font-size", size[1])
    if weight:
        element.set("font-weight", weight[1])


def _rounded(number: re.Match[str]) -> str:
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _name_marks(root: Element, figure: "Figure", *, is_inline: bool) -> None:
    """Each mark becomes a group of its own that says which candidate it is."""
    marks: Mapping[str, list[Mark]] = getattr(figure, "marks", {})
    for group in [element for element in root.iter("g") if element.get("id", "") in marks]:
        named = marks[group.attrib.pop("id")]
        drawn = [(parent, use) for parent in group.iter() for use in parent.findall("use")]
        for mark, (parent, use) in zip(named, drawn, strict=True):
            parent.remove(use)
            parent.append(_named(mark, use, is_inline=is_inline))


def _named(mark: "Mark", use: Element, *, is_inline: bool) -> Element:
    """The mark in a group with its title; in a page also with room to be touched, and focusable."""
    group = Element("g")
    SubElement(group, "title").text = mark.label
    if is_inline:
        group.attrib = {"class": "point", "tabindex": "0", "role": "img", "data-name": mark.name}
        place = {"cx": use.get("x", ""), "cy": use.get("y", ""), "r": HIT_RADIUS}
        SubElement(group, "circle", {**place, "fill": "none", "pointer-events": "all"})
    group.append(use)
    return group


def _halo(root: Element) -> None:
    """Names stand out from the lines behind them."""
    for group in [element for element in root.iter("g") if element.get("id") == "label"]:
        for text in group.iter("text"):
            around = {"stroke": COLOURS["bg"], "stroke-width": "3", "paint-order": "stroke"}
            text.attrib.update(around)


def _link(root: Element, prefix: str, link: str) -> None:
    """Only what is referred to keeps its id, with a prefix; `link` is how `use` names it."""
    used = {element.get("href", "")[1:] for element in root.iter("use")}
    used |= {found[1] for e in root.iter() if (found := _URL.match(e.get("clip-path", "")))}
    for element in root.iter():
        id, href = element.attrib.pop("id", ""), element.attrib.pop("href", "")
        if id in used:
            element.set("id", prefix + id)
        if href:
            element.set(link, f"#{prefix}{href[1:]}")
        if found := _URL.match(element.get("clip-path", "")):
            element.set("clip-path", f"url(#{prefix}{found[1]})")


def _flatten(parent: Element) -> None:
    """Groups that say nothing give way to what they hold; empty ones go."""
    flat: list[Element] = []
    for child in list(parent):
        _flatten(child)
        is_bare = child.tag in ("g", "defs") and not (child.attrib and len(child))
        flat += list(child) if is_bare and (child.tag == "g" or not len(child)) else [child]
    parent[:] = flat


def _text(root: Element) -> str:
    return ElementTree.tostring(root, encoding="unicode")
