(root) => {
  // Zoom: both halves zoom to the same place; or one covers the other, split by a slider.
  const one = (selector) => root.querySelector(selector);
  const stage = one(".hs-stage");
  let x = 50, y = 50;
  const place = () => { stage.style.setProperty("--x", `${x}%`); stage.style.setProperty("--y", `${y}%`); };
  const look = (right, down) => {
    [x, y] = [x + right, y + down].map((value) => Math.min(100, Math.max(0, value)));
    place();
  };
  const follow = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    [x, y] = [100 * (event.clientX - box.left) / box.width, 100 * (event.clientY - box.top) / box.height];
    place();
  };
  const zoom = (on = !stage.classList.contains("zoomed")) => {
    stage.classList.toggle("zoomed", on);
    one(".hs-zoom").setAttribute("aria-pressed", String(on));
  };
  const unzoom = () => zoom(false);
  const slide = () => {
    const over = stage.dataset.view === "side";
    stage.dataset.view = over ? "over" : "side";
    one(".hs-cut").hidden = !over;
    one(".hs-view").setAttribute("aria-pressed", String(over));
  };
  root.querySelectorAll(".hs-half").forEach((half) => {
    half.addEventListener("pointermove", follow);
    half.addEventListener("click", (event) => { follow(event); zoom(); });
  });
  one(".hs-cut").addEventListener("input", (event) => stage.style.setProperty("--cut", `${event.target.value}%`));
  one(".hs-zoom").addEventListener("click", () => zoom());
  one(".hs-view").addEventListener("click", slide);

  const steps = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] };
  const closer = (event) => {
    if (event.key in steps && stage.classList.contains("zoomed")) { event.preventDefault(); look(...steps[event.key]); }
    if (event.repeat) return;
    if (event.key === "z") zoom();
    if (event.key === "s") slide();
    if (event.key === "Escape") unzoom();
  };
  return { unzoom, closer };
}
