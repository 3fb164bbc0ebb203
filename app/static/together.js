() => {
  // Up to four pictures side by side: one zoom for all of them, and each alone in the same place while its key is held.
  const MOST = 4, FURTHEST = 8;
  const box = document.createElement("dialog");
  box.className = "hs-together";
  box.setAttribute("aria-label", "Pictures side by side");
  box.innerHTML = `<div class="hs-panes"></div><div class="hs-hold" role="group" aria-label="Hold to see one alone"></div>
    <p>Hold <kbd>1</kbd> to <kbd>4</kbd> to see one alone, in place. <kbd>+</kbd> <kbd>\u2212</kbd> or the wheel zoom all,
    the arrow keys move. <kbd>Esc</kbd> closes.</p><div><button type="button" data-zoom="1.5">Zoom in</button>
    <button type="button" data-zoom="0.667">Zoom out</button><button type="button" data-close>Close</button></div>`;
  document.body.append(box);
  const panes = box.querySelector(".hs-panes"), hold = box.querySelector(".hs-hold");
  let x = 50, y = 50, scale = 1, held = [];
  const between = (value, low, high) => Math.min(high, Math.max(low, value));
  const place = () => {
    panes.style.setProperty("--x", `${x}%`);
    panes.style.setProperty("--y", `${y}%`);
    panes.style.setProperty("--scale", scale);
  };
  const zoom = (factor) => { scale = between(scale * factor, 1, FURTHEST); place(); };
  const move = (right, down) => { x = between(x + right, 0, 100); y = between(y + down, 0, 100); place(); };
  const alone = () => {
    const shown = held.at(-1);
    panes.classList.toggle("alone", shown !== undefined);
    [...panes.children].forEach((pane, index) => { pane.hidden = shown !== undefined && index !== shown; });
  };
  const press = (index) => { if (index < panes.children.length && !held.includes(index)) { held.push(index); alone(); } };
  const release = (index) => { held = held.filter((other) => other !== index); alone(); };

  const visible = () => [...document.querySelectorAll(".hs-card .hs-open")].filter((picture) => picture.offsetParent);
  const chosen = () => {
    const all = visible();
    const picked = all.filter((picture) => picture.closest(".hs-card").querySelector(".hs-pick input")?.checked);
    return (picked.length ? picked : all).slice(0, MOST);
  };
  const open = () => {
    const pictures = chosen();
    if (!pictures.length) return;
    [x, y, scale, held] = [50, 50, 1, []];
    panes.dataset.count = pictures.length;
    panes.replaceChildren(...pictures.map((picture) => {
      const pane = document.createElement("figure"), frame = document.createElement("div");
      const image = new Image(), caption = document.createElement("figcaption");
      image.src = picture.querySelector("img").src;
      image.alt = picture.querySelector("img").alt;
      caption.textContent = picture.dataset.caption;
      frame.append(image);
      pane.append(frame, caption);
      return pane;
    }));
    hold.replaceChildren(...pictures.map((_, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = index + 1;
      button.setAttribute("aria-label", `Hold to see picture ${index + 1} alone`);
      button.addEventListener("pointerdown", () => press(index));
      ["pointerup", "pointerleave", "pointercancel"].forEach((name) => button.addEventListener(name, () => release(index)));
      return button;
    }));
    place();
    alone();
    box.showModal();
  };
  panes.addEventListener("pointermove", (event) => {
    const frame = event.target.closest("figure > div")?.getBoundingClientRect();
    if (!frame || scale === 1) return;
    [x, y] = [100 * (event.clientX - frame.left) / frame.width, 100 * (event.clientY - frame.top) / frame.height];
    place();
  });
  panes.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.25 : 0.8); }, { passive: false });
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
  const steps = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] };
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
