// A row of layers to paint: click one, drag over several, or walk with the arrow keys and press
// Enter. What is painted goes to Python as a list of layer numbers when the pointer is let go.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const row = parentElement.querySelector(".row");
  const painted = new Set();
  let down = false;
  let last = -1;

  const said = (cell) => `layer ${cell.layer}: ${cell.words}`;
  row.setAttribute("aria-label", data.label);
  row.replaceChildren(
    ...data.cells.map((cell, index) => {
      const box = document.createElement("button");
      box.type = "button";
      box.className = `cell ${cell.kind}`;
      box.dataset.layer = cell.layer;
      box.title = said(cell);
      box.setAttribute("aria-label", said(cell));
      box.tabIndex = index === 0 ? 0 : -1;
      box.textContent = cell.text;
      return box;
    }),
  );
  parentElement.querySelector(".numbers").replaceChildren(
    ...data.cells.map((cell) => {
      const number = document.createElement("span");
      number.textContent = cell.layer % data.every ? "" : cell.layer;
      return number;
    }),
  );
  const boxes = [...row.children];
  const layerOf = (box) => Number(box.dataset.layer);
  const boxAt = (event) => {
    const x = event.clientX;
    return boxes.find((box) => {
      const place = box.getBoundingClientRect();
      return x >= place.left - 1 && x <= place.right + 1;
    });
  };
  const paint = (box) => {
    if (!box) return;
    const at = boxes.indexOf(box);
    const from = last < 0 ? at : last; // a quick pointer leaves out squares between two places
    for (let i = Math.min(from, at); i <= Math.max(from, at); i += 1) {
      painted.add(layerOf(boxes[i]));
      boxes[i].classList.add("painted");
    }
    last = at;
  };
  const done = () => {
    if (!down) return;
    down = false;
    if (painted.size) setTriggerValue("painted", [...painted].sort((a, b) => a - b));
    painted.clear();
    boxes.forEach((box) => box.classList.remove("painted"));
  };
  row.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    down = true;
    last = -1;
    row.setPointerCapture(event.pointerId);
    const box = boxAt(event);
    if (box) box.focus();
    paint(box);
  };
  row.onpointermove = (event) => {
    if (down) paint(boxAt(event));
  };
  row.onpointerup = done;
  row.onpointercancel = done;
  row.onkeydown = (event) => {
    const at = boxes.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -at, End: boxes.length - 1 - at }[event.key];
    if (at >= 0 && step !== undefined) {
      event.preventDefault();
      const next = boxes[Math.max(0, Math.min(boxes.length - 1, at + step))];
      boxes.forEach((box) => (box.tabIndex = box === next ? 0 : -1));
      next.focus();
    } else if (at >= 0 && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      setTriggerValue("painted", [layerOf(event.target)]);
    }
  };
}
