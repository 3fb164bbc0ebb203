() => {
  // Up to four pictures side by side, with one zoom for all of them; each alone in the same place while its key is held.
  const MOST = 4, CLOSEST = 8;
  const box = document.createElement("dialog");
  box.className = "hs-together";
  box.setAttribute("aria-label", "Pictures side by side");
  box.innerHTML = `<div class="hs-panes"></div><div class="hs-hold" role="group" aria-label="Hold to see one alone"></div>
    <div><button type="button" data-zoom="1.5">Zoom in</button><button type="button" data-zoom="0.667">Zoom out</button>
    <button type="button" data-close>Close</button></div><p>Hold <kbd>1</kbd> to <kbd>4</kbd> to see one alone, in place.
    The wheel or two fingers zoom all, dragging moves all; so do <kbd>+</kbd> <kbd>-</kbd> and the arrow keys.</p>`;
  document.body.append(box);
  const panes = box.querySelector(".hs-panes"), hold = box.querySelector(".hs-hold");
  const fingers = new Map();
  let x = 0, y = 0, scale = 1, held = [];  // the pictures' shift as a part of a pane's side, their scale, the keys down

  const limit = (value, low, high) => Math.min(high, Math.max(low, value));
  const place = () => {
    [x, y] = [x, y].map((shift) => limit(shift, 1 - scale, 0));
    panes.style.setProperty("--x", `${100 * x}%`);
    panes.style.setProperty("--y", `${100 * y}%`);
    panes.style.setProperty("--scale", scale);
  };
  const move = (right, down) => { x += right; y += down; place(); };
  const zoom = (factor, [left, top] = [0.5, 0.5]) => {  // about a place, which stays where it is
    const before = scale;
    scale = limit(scale * factor, 1, CLOSEST);
    x = left - (left - x) * scale / before;
    y = top - (top - y) * scale / before;
    place();
  };
  const at = (event, pane) => {
    const frame = pane.getBoundingClientRect();
    return [(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height];
  };
  const middle = (places) => [0, 1].map((axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length);
  const spread = ([[left, top], [right, bottom]]) => Math.hypot(right - left, bottom - top) || 1e-3;

  const alone = () => {
    const shown = held.at(-1);
    panes.classList.toggle("alone", shown !== undefined);
    [...panes.children].forEach((pane, index) => { pane.hidden = shown !== undefined && index !== shown; });
  };
  const press = (index) => { if (index < panes.children.length && !held.includes(index)) { held.push(index); alone(); } };
  const release = (index) => { held = held.filter((other) => other !== index); alone(); };

  const pickOf = (picture) => picture.closest("article")?.querySelector(".hs-pick input");
  const chosen = () => {
    const all = [...document.querySelectorAll(".hs-board .hs-open")].filter((picture) => picture.offsetParent);
    const picked = all.filter((picture) => pickOf(picture)?.checked);
    return (picked.length ? picked : all).slice(0, MOST);
  };
  const paneOf = (picture) => {
    const pane = document.createElement("figure"), frame = document.createElement("div");
    const image = new Image(), caption = document.createElement("figcaption");
    [image.src, image.alt, image.draggable] = [picture.querySelector("img").src, picture.querySelector("img").alt, false];
    caption.textContent = picture.dataset.caption;
    frame.append(image);
    pane.append(frame, caption);
    return pane;
  };
  const holderOf = (picture, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = index + 1;
    button.setAttribute("aria-label", `Hold to see ${picture.querySelector("img").alt} alone`);
    button.addEventListener("pointerdown", (event) => { button.setPointerCapture(event.pointerId); press(index); });
    ["pointerup", "pointercancel", "keyup", "blur"].forEach((name) =>
      button.addEventListener(name, () => release(index)));
    button.addEventListener("keydown", (event) => { if ([" ", "Enter"].includes(event.key)) press(index); });
    return button;
  };
  const open = () => {
    const pictures = chosen();
    if (!pictures.length) return;
    [x, y, scale, held] = [0, 0, 1, []];
    fingers.clear();
    panes.dataset.count = pictures.length;
    panes.style.minHeight = "";
    panes.replaceChildren(...pictures.map(paneOf));
    hold.replaceChildren(...pictures.map(holderOf));
    place();
    alone();
    box.showModal();
    panes.style.minHeight = `${panes.offsetHeight}px`;  // one alone is as high, so that no button moves under a finger
  };

  panes.addEventListener("pointerdown", (event) => {
    const pane = event.target.closest("figure > div");
    if (!pane || event.button || fingers.size === 2) return;
    pane.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event, pane));
  });
  panes.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    const before = [...fingers.values()];
    fingers.set(event.pointerId, at(event, event.target.closest("figure > div")));
    const after = [...fingers.values()], [left, top] = middle(after), [right, bottom] = middle(before);
    move(left - right, top - bottom);
    if (after.length === 2) zoom(spread(after) / spread(before), [left, top]);
  });
  ["pointerup", "pointercancel"].forEach((name) =>
    panes.addEventListener(name, (event) => fingers.delete(event.pointerId)));
  panes.addEventListener("wheel", (event) => {
    const pane = event.target.closest("figure > div");
    event.preventDefault();
    if (pane) zoom(Math.exp(-limit(event.deltaY, -200, 200) / 400), at(event, pane));
  }, { passive: false });
  box.addEventListener("click", (event) => {
    if (event.target.dataset.zoom) zoom(Number(event.target.dataset.zoom));
    if ("close" in event.target.dataset) box.close();
  });

  document.addEventListener("change", (event) => {  // a fifth is not taken
    if (!event.target.closest?.(".hs-pick")) return;
    const ticked = [...document.querySelectorAll(".hs-pick input:checked")].filter((pick) => pick.offsetParent);
    if (ticked.length > MOST) event.target.checked = false;
  });
  document.addEventListener("click", (event) => { if (event.target.closest(".hs-look-together")) open(); });
  window.addEventListener("blur", () => { held = []; alone(); });
  const steps = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!box.open) {
      const busy = event.target.closest("textarea, input:not([type=checkbox]), select, dialog");
      if (event.key === "c" && !event.repeat && !busy) open();
      return;
    }
    if (event.key in steps) { event.preventDefault(); move(...steps[event.key]); }
    if (event.key === "+" || event.key === "=") zoom(1.5);
    if (event.key === "-") zoom(1 / 1.5);
    if (/^[1-4]$/.test(event.key) && !event.repeat) press(Number(event.key) - 1);
  });
  document.addEventListener("keyup", (event) => { if (/^[1-4]$/.test(event.key)) release(Number(event.key) - 1); });
}
