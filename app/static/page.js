() => {
  // Keys: Enter runs, Esc cancels. In text fields Gradio handles Enter.
  const busyWith = (target) => target.closest("textarea, input[type=text], button, a, summary, [role=listbox], [role=slider]");
  const press = (name) => {
    // Only buttons of the open tab are pressed.
    [...document.querySelectorAll(name)].find((button) => button.offsetParent)?.click();
  };
  const box = document.createElement("dialog");
  box.className = "hs-lightbox";
  box.setAttribute("aria-label", "Full size");
  box.innerHTML = '<figure><img alt=""><figcaption></figcaption></figure><button type="button">Close</button>';
  document.body.append(box);
  const pictures = () => [...document.querySelectorAll(".hs-open")].filter((picture) => picture.offsetParent);
  let shown = 0;

  const show = (index) => {
    const all = pictures();
    if (!all.length) return;
    shown = (index + all.length) % all.length;
    const picture = all[shown].querySelector("img");
    box.querySelector("img").src = picture.src;
    box.querySelector("img").alt = picture.alt;
    box.querySelector("figcaption").textContent = all[shown].dataset.caption;
    if (!box.open) box.showModal();
  };
  box.addEventListener("click", () => box.close());

  const toast = (link, text) => {
    const before = link.textContent;
    link.textContent = text;
    setTimeout(() => { link.textContent = before; }, 1600);
  };
  document.addEventListener("click", async (event) => {
    const open = event.target.closest(".hs-open");
    if (open) show(pictures().indexOf(open));
    const link = event.target.closest(".hs-link");
    if (!link) return;
    event.preventDefault();
    window.history.replaceState(null, "", link.href);
    try {
      await navigator.clipboard.writeText(link.href);
      toast(link, "Copied");
    } catch {
      toast(link, "It is in the address bar");
    }
  });
  document.addEventListener("keydown", (event) => {
    if (box.open) {
      if (event.key === "ArrowRight") show(shown + 1);
      if (event.key === "ArrowLeft") show(shown - 1);
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") press("#hs-stop, #hs-sweep-stop, #hs-control-stop");
    if (event.key === "Enter" && !event.isComposing && !busyWith(event.target)) press("#hs-run, #hs-sweep-run, #hs-control-run");
  });
}
