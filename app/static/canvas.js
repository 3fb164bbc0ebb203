(element, props, trigger) => {
  // Strokes, and a picture below them. What is on the canvas goes into the component's value as a PNG; no file is sent.
  const PAUSE = 250;  // milliseconds from one sending to the next while a stroke is drawn
  const one = (selector) => element.querySelector(selector);
  const canvas = one("canvas"), file = one("input[type=file]"), words = one("[role=status]");
  const pen = canvas.getContext("2d"), side = canvas.width;
  let picture = null, strokes = [], stroke = null, waiting = 0;

  const line = ({ width, points: [first, ...rest] }) => {
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(...first);
    (rest.length ? rest : [first]).forEach((point) => pen.lineTo(...point));
    pen.stroke();
  };
  const redraw = () => {
    pen.fillStyle = "white";
    pen.fillRect(0, 0, side, side);
    if (picture) {  // its middle, as large as the canvas
      const scale = Math.max(side / picture.width, side / picture.height);
      const [width, height] = [picture.width * scale, picture.height * scale];
      pen.drawImage(picture, (side - width) / 2, (side - height) / 2, width, height);
    }
    [pen.lineCap, pen.lineJoin, pen.strokeStyle] = ["round", "round", "black"];
    strokes.forEach(line);
  };
  const send = () => {
    clearTimeout(waiting);
    waiting = 0;
    const empty = !picture && !strokes.length;
    props.value = empty ? "" : { png: canvas.toDataURL("image/png"), picture: Boolean(picture) };
    trigger(empty ? "clear" : "input");
  };
  const change = () => { words.textContent = ""; redraw(); send(); };

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * side / box.width, (event.clientY - box.top) * side / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || stroke) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    stroke = { width: Number(one("input[type=range]").value), points: [at(event)] };
    strokes.push(stroke);
    words.textContent = "";
    redraw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke) return;
    stroke.points.push(at(event));
    redraw();
    waiting ||= setTimeout(send, PAUSE);
  });
  ["pointerup", "pointercancel"].forEach((name) => canvas.addEventListener(name, () => {
    if (stroke) { stroke = null; send(); }
  }));

  const put = async (image) => {
    if (!image) return;
    try {
      picture = await createImageBitmap(image);
      strokes = [];
      change();
    } catch {
      words.textContent = "This file is no picture that the browser can read; choose another one.";
    }
  };
  const tools = {
    undo: () => { if (!strokes.pop()) picture = null; change(); },
    clear: () => { [picture, strokes] = [null, []]; change(); },
    open: () => file.click(),
  };
  element.addEventListener("click", (event) => tools[event.target.dataset?.tool]?.());
  file.addEventListener("change", () => { put(file.files[0]); file.value = ""; });
  canvas.addEventListener("dragover", (event) => event.preventDefault());
  canvas.addEventListener("drop", (event) => { event.preventDefault(); put(event.dataTransfer.files[0]); });
  redraw();
}
