({ root, base, ask, say, made, tell, count }) => {
  // After a vote: undo until the next vote, and the receipt, with which its owner can check that the vote is stored.
  let last = null;  // the battle whose vote can be taken back, and the element of the message
  const check = async (receipt, output) => {
    let found = { error: say("away") };
    try {
      const written = receipt.toLowerCase().replace(/[^0-9a-f]/g, "") || "none";
      found = await (await fetch(new URL(`arena/receipt/${written}`, base))).json();
    } catch { /* the arena is away */ }
    output.textContent = found.error ?? say(found.withdrawn ? "kept_withdrawn" : "kept", { day: found.day });
  };

  const undo = async () => {
    if (!last) return;
    const { battle, said, button, second } = last;
    last = null;
    try {
      const found = await ask("undo", { battle });
      said.textContent = say("undone");
      button.remove();
      second?.remove();
      count(found);
    } catch (error) {
      tell(error.message, true);
      if (error.status === 422) button.remove(); else last ??= { battle, said, button, second };
    }
  };

  const receipt = (found, said, second) => {
    last = null;
    const line = made("p", "hs-receipt");
    if (!found.check) {
      const key = made("kbd", "", "U");
      key.setAttribute("aria-hidden", "true");
      const button = made("button", "hs-undo", made("span", "", say("undo")), key);
      button.type = "button";
      button.addEventListener("click", undo);
      line.append(button);
      last = { battle: found.battle, said, button, second };
    }
    if (found.receipt) {
      const output = made("output", "");
      const button = made("button", "hs-check", say("check_receipt"));
      button.type = "button";
      button.addEventListener("click", () => check(found.receipt, output));
      line.append(made("small", "", say("receipt", { receipt: found.receipt })), button, output);
    }
    return line;
  };

  const form = root.querySelector(".hs-look-up");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check(form.querySelector("input").value, form.querySelector("output"));
  });
  return { undo, receipt };
}
