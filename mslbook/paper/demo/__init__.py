"""The interactive figures of the book: a drawing with sliders, play and reset."""

from mslbook.paper.demo.parts import Curve, Image, Panel, Points, Rule, Slider, Trail

__all__ = ["Curve", "Demo", "Image", "Panel", "Points", "Rule", "Slider", "Trail"]


def __getattr__(name):
    """Load the widget only when it is asked for, since it needs anywidget."""
    if name != "Demo":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mslbook.paper.demo.widget import Demo

    return Demo
