"""What a chart in the page really shows, read from its plotly element and its SVG."""

CHART = ".st-key-{key} .js-plotly-plot"
_POINTS = """element => {
  const points = {};
  for (const trace of element._fullData) {
    if (!trace.customdata) continue;
    const lit = trace.selectedpoints ? new Set(trace.selectedpoints) : null;
    trace.x.forEach((x, i) => {
      points[trace.customdata[i]] = [x, trace.y[i], lit === null || lit.has(i)];
    });
  }
  return points;
}"""


def chart(page, key: str):
    """A chart by its key, once it is drawn."""
    found = page.locator(CHART.format(key=key)).first
    found.locator(".main-svg").first.wait_for()
    return found


def points(page, key: str = "cloud") -> dict[int, tuple[float, float, bool]]:
    """For each row x, y and whether it is lit."""
    return {int(row): tuple(at) for row, at in chart(page, key).evaluate(_POINTS).items()}


def circles(page, key: str = "cloud") -> list[str]:
    """Where the points stand on the screen."""
    return chart(page, key).evaluate(
        "e => [...e.querySelectorAll('.scatterlayer .point')].map(p => p.getAttribute('transform'))"
    )


def axes(page, key: str = "cloud") -> list[list[float]]:
    """The ranges of both axes."""
    return chart(page, key).evaluate("e => [e._fullLayout.xaxis.range, e._fullLayout.yaxis.range]")


def title(page, key: str = "cloud") -> str:
    """The chart's title."""
    return chart(page, key).locator(".gtitle").first.text_content()


def wait_title(page, text: str, key: str = "cloud") -> None:
    """Until the chart's title holds this text."""
    page.wait_for_function(
        "([where, text]) => document.querySelector(where)?.textContent.includes(text)",
        arg=[CHART.format(key=key) + " .gtitle", text],
    )


def frames(page, key: str) -> list[list[float]]:
    """The rectangles that mark the current layer: x0, x1, y0, y1."""
    return chart(page, key).evaluate(
        "e => (e._fullLayout.shapes || []).map(s => [s.x0, s.x1, s.y0, s.y1])"
    )


def drag(page, key: str, corners: list[tuple[float, float]]) -> None:
    """Draw a lasso through these places, as shares of the plot's width and height."""
    box = chart(page, key).locator(".nsewdrag").first.bounding_box()
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in [*places[1:], places[0]]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def settled(page) -> None:
    """Until the server has answered all that was asked."""
    page.wait_for_function(
        "() => !document.querySelector('[data-testid=stStatusWidget]') && "
        "!document.querySelector('[data-stale=true]')"
    )
