"""What S3 answers in XML."""

from xml.etree import ElementTree as ET


def document(body: bytes, name: str) -> ET.Element:
    """The element `name` that the answer is, in whatever namespace.

    `ValueError` (which `ParseError`, a `SyntaxError`, is made into as well) for anything else.
    """
    if b"<!" in body:
        raise ValueError("it declares what S3 does not")  # no entities, so none that grow
    try:
        # A store that takes its time sends white space to keep the connection open, maybe before the rest.
        root = ET.fromstring(body.strip())  # noqa: S314  # without declarations there is nothing in it that could do harm
    except ET.ParseError as exc:
        raise ValueError(str(exc)) from exc
    if name_of(root) != name:
        raise ValueError(f"<{name_of(root)}>")
    return root


def name_of(element: ET.Element) -> str:
    """Without its namespace, which not all stores tell."""
    return element.tag.rpartition("}")[2]


def told_in(element: ET.Element) -> dict[str, str]:
    """The text of each element below it, by name."""
    return {name_of(child): child.text or "" for child in element}
