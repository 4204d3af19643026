"""How long each demo of the built book takes to redraw, beside a frame of the screen.

    make book && python benchmarks/redraw.py

Every slider of every demo goes over its whole range in Chromium. A redraw is what happens in the
frame after a slider has moved: frames looked up, canvases drawn, the page laid out again. It is
given as a part of 1/60 s, so that a demo below 1 follows the hand without a lag; the second pair of
numbers is with the processor slowed fourfold, as an old telephone's may be.
"""

from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

HTML = Path(__file__).resolve().parent.parent / "_build" / "html"
FRAME = 1000 / 60  # milliseconds

# Notes how long each frame's work takes that a page asks for.
WATCH = """
const ask = window.requestAnimationFrame.bind(window);
window.spent = [];
window.frame = () => new Promise(ask);
window.requestAnimationFrame = (work) => ask((now) => {
  const from = performance.now();
  work(now);
  document.body.getBoundingClientRect();
  window.spent.push(performance.now() - from);
});
"""

SWEEP = """async (demo) => {
  await frame();
  spent.length = 0;
  for (const slider of demo.querySelectorAll("input[type=range]"))
    for (let k = 0; k <= +slider.max; k++) {
      slider.value = k;
      slider.dispatchEvent(new Event("input"));
      await frame();
      await frame();
    }
  return spent;
}"""


def main():
    print(f"{'redraw, as a part of a frame':36}   median  longest   median  longest (slowed)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium",
                                              args=["--no-sandbox"])  # fmt: skip
        for file in sorted((HTML / "notebooks").glob("*.html")):
            page = chromium.new_page()
            page.add_init_script(WATCH)
            page.goto(file.as_uri())
            processor = page.context.new_cdp_session(page)
            for number, demo in enumerate(page.locator(".msl-demo").all(), start=1):
                demo.scroll_into_view_if_needed()
                line = f"{file.stem} {number}".ljust(36)
                for rate in (1, 4):
                    processor.send("Emulation.setCPUThrottlingRate", {"rate": rate})
                    spent = demo.evaluate(SWEEP)
                    line += f" {median(spent) / FRAME:8.2f} {max(spent) / FRAME:8.2f}"
                print(line)
            page.close()
        chromium.close()


if __name__ == "__main__":
    main()
