"""How long each demo of the built book takes to redraw, beside a frame of the screen.

    make book && python benchmarks/redraw.py

Every slider of every demo goes over its whole range in Chromium, on a desktop and on a telephone's
screen of three pixels to one. Counted is the processor time of the whole frame that follows: our
drawing, and the browser's layout and painting of the page around it. It is given as a part of
1/60 s: a demo below 1 follows the hand without a lag.
"""

import json
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

NOTEBOOKS = Path(__file__).resolve().parent.parent / "_build" / "html" / "notebooks"
FRAME = 1e6 / 60  # microseconds
SCREENS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 3},
}

SWEEP = """async (demo) => {
  for (const slider of demo.querySelectorAll("input[type=range]"))
    for (let k = 0; k <= +slider.max; k++) {
      slider.value = k;
      slider.dispatchEvent(new Event("input"));
      await new Promise(requestAnimationFrame);
      await new Promise((done) => setTimeout(done, 20)); // one frame for each notch
    }
}"""


def frames(trace):
    """Of each frame in a trace that drew a demo, the part of 1/60 s that it took."""
    events = [event for event in json.loads(trace)["traceEvents"] if event["ph"] == "X"]
    drawn = [event for event in events if event["name"] == "FireAnimationFrame"]
    tasks = [event for event in events if event["name"].endswith("RunTask")]
    for one in drawn:
        end = one["ts"] + one["dur"]
        around = [t for t in tasks if (t["pid"], t["tid"]) == (one["pid"], one["tid"])
                  and t["ts"] <= one["ts"] and t["ts"] + t["dur"] >= end]  # fmt: skip
        if around and one["tdur"] > 200:  # an empty frame takes a few microseconds
            yield max(task["tdur"] for task in around) / FRAME


def measure(chromium, file, screen):
    """The redraws of all demos of a page."""
    page = chromium.new_page(**screen)
    page.goto(file.as_uri())
    page.evaluate("window.MathJax?.startup.promise")
    page.locator(".msl-demo").first.scroll_into_view_if_needed()
    chromium.start_tracing(page=page, categories=["devtools.timeline", "toplevel"])
    for demo in page.locator(".msl-demo").all():
        demo.scroll_into_view_if_needed()
        demo.evaluate(SWEEP)
    spent = list(frames(chromium.stop_tracing()))
    page.close()
    return f"{np.median(spent):10.2f} {np.quantile(spent, 0.95):6.2f}"


def main():
    print("redraw, as a part of a frame:" + "".join(f"{name:>17}" for name in SCREENS))
    print(" " * 29 + "    median    95%" * len(SCREENS))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium",
                                              args=["--no-sandbox"])  # fmt: skip
        for file in sorted(NOTEBOOKS.glob("*.html")):
            both = [measure(chromium, file, screen) for screen in SCREENS.values()]
            print(f"{file.stem:29}" + "".join(both))
        chromium.close()


if __name__ == "__main__":
    main()
