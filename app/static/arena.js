() => {
  // The tab's content is put on the page when the tab is first opened.
  const found = () => {
    const root = document.querySelector(".hs-arena:not([data-alive])");
    if (root) { root.dataset.alive = "yes"; arena(root); }
  };
  new MutationObserver(found).observe(document.body, { childList: true, subtree: true });

// One battle is shown, the next one is already fetched. Names come with the response to a vote, never before.
const arena = (root) => {
  const one = (selector) => root.querySelector(selector);
  const made = (tag, className, ...inside) => {
    const node = document.createElement(tag);
    node.className = className;
    node.append(...inside);
    return node;
  };
  const texts = JSON.parse(root.dataset.texts);
  const say = (key, values = {}, number = 0) =>
    Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value),
      texts[number === 1 ? `${key}_one` : key]);

  const SETTLE_MS = 300;  // after a reveal: ignore a second click that was meant for the previous pair
  const PAUSE_MS = 1500;
  const LONGEST_REST_MS = 600000;  // the daily limit refills meanwhile, so the page need not be loaded again
  const stage = one(".hs-stage");
  const halves = [...root.querySelectorAll(".hs-half")];
  const { unzoom, closer } = createZoom(root);
  const choices = [...root.querySelectorAll(".hs-choice")];
  const base = new URL(document.querySelector("base")?.href || window.location.href);
  const token = (() => {
    const make = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    try {
      const kept = localStorage.getItem("hypersd-voter") || make();
      localStorage.setItem("hypersd-voter", kept);
      return kept;
    } catch { return make(); }  // no storage in this frame: a voter for this visit
  })();

  // On a ZeroGPU Space the page around this one gives the headers by which a visitor's GPU time is counted.
  const gpuHeaders = () => new Promise((resolve) => {
    if (!window.supports_zerogpu_headers || window.parent === window) { resolve({}); return; }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => { port1.close(); resolve(data || {}); };
    window.parent.postMessage("zerogpu-headers", "https://huggingface.co", [port2]);
  });

  const ask = async (name, words = {}, headers = {}) => {
    let answer;
    try {
      answer = await fetch(new URL(`arena/${name}`, base), {
        method: "POST", headers: { ...headers, "content-type": "application/json", "x-voter": token }, body: JSON.stringify(words),
      });
    } catch { throw new Error(say("offline")); }
    const found = await answer.json().catch(() => ({ error: say("offline") }));
    const wait = 1000 * answer.headers.get("retry-after");
    if (!answer.ok) throw Object.assign(new Error(found.error), { status: answer.status, wait });
    return found;
  };

  let current = null, next = null, ahead = null, since = 0, revealed = Promise.resolve(), waiting = 0, settling = 0, votes = 0, today = 0;
  let study = new URLSearchParams(window.location.search).get("study"), studies = [];  // null is the open arena
  const held = () => studies.find(({ name }) => name === study);
  const visible = () => root.offsetParent !== null;
  const tell = (text, bad = false) => {
    one(".hs-said").textContent = text;
    one(".hs-said").classList.toggle("bad", bad);
  };
  // Not `disabled`: that would remove the focus from visitors who vote with Tab and Enter.
  const enable = (on) => {
    clearTimeout(settling);
    choices.forEach((button) => button.setAttribute("aria-disabled", String(!on)));
  };
  const enabled = () => choices[0].getAttribute("aria-disabled") === "false";

  const decoded = async (found) => {
    if (found.battle) {
      const picture = new Image();
      picture.src = found.sheet;
      await picture.decode();
      found.picture = picture;  // decoded before it is shown: both halves appear at one instant
    }
    return found;
  };
  const fetched = async (besides) => decoded(await ask("draw", { ...(besides && { besides }), ...(study && { study }) }));

  // A vote may have recorded the showing already, and brought the pair after it (`found`).
  const show = (battle, found = {}) => {
    current = battle;
    stage.setAttribute("aria-busy", "false");
    one(".hs-wait").hidden = true;
    one(".hs-choices").hidden = false;
    one(".hs-arena-prompt").textContent = `“${battle.prompt}”`;
    halves.forEach((half) => { half.style.backgroundImage = `url("${battle.sheet}")`; });
    unzoom();
    since = performance.now();
    revealed = found.shown ? Promise.resolve() : ask("show", { battle: battle.battle });
    revealed.catch((error) => { if (error.status === 422 && current === battle) begin(); });  // it has expired meanwhile
    settling = setTimeout(() => enable(true), SETTLE_MS);
    ahead = null;
    const coming = found.ahead ? decoded(found.ahead) : fetched(battle.battle);
    next = coming.then((pair) => { if (current === battle && pair.battle) ahead = pair.battle; return pair; }).catch(() => null);
  };

  // The waiting time that the server requests, in milliseconds.
  const rest = (error) => Math.min(error.wait || PAUSE_MS, LONGEST_REST_MS);
  const begin = async (troubled = false) => {
    clearTimeout(waiting);
    const wanted = study;
    let pause = PAUSE_MS;
    try {
      const found = await fetched();
      if (wanted !== study) return;  // the visitor has switched meanwhile
      if (troubled) tell("");  // it is over
      troubled = false;
      if (found.battle) { show(found); return; }
      if (study) count(await ask("progress"));
      blank();
      if (held()?.done) return;
    } catch (error) {
      if (wanted !== study) return;
      if (error.status === 422 && study) await ask("progress").then(count).catch(() => {});
      const closed = study && (!held() || held().problem);
      if (closed) enter(null);
      tell(error.message, true);
      if (closed) return;
      troubled = true;
      pause = rest(error);
    }
    later(pause, troubled);
  };
  const later = (pause, troubled) => {
    waiting = setTimeout(() => (visible() ? begin(troubled) : later(400, troubled)), pause);
  };
  const blank = () => {
    current = null;
    enable(false);
    halves.forEach((half) => { half.style.backgroundImage = ""; });
    one(".hs-arena-prompt").textContent = "\u00a0";
    one(".hs-wait").hidden = false;
    const done = Boolean(held()?.done);
    one(".hs-wait").textContent = say(done ? "done" : votes ? "empty" : "drawing");
    one(".hs-choices").hidden = done;
    stage.setAttribute("aria-busy", String(!done));
  };
  const advance = async (voted = {}) => {
    const wanted = study, found = await next;
    if (wanted !== study) return;
    next = null;
    if (found?.battle) show(found, found.battle === voted.next ? voted : {}); else { blank(); begin(); }
  };

  // A button for the open arena and for each study.
  const enter = (name) => {
    study = name;
    ahead = null;
    const address = new URL(window.location.href);
    address.searchParams.set("tab", "arena");
    if (study) address.searchParams.set("study", study); else address.searchParams.delete("study");
    window.history.replaceState(null, "", address);
    next = null;
    blank();
    tell("");
    one(".hs-told").hidden = true;
    offer();
    begin();
  };
  const offer = () => {
    const modes = one(".hs-modes"), here = held();
    modes.hidden = !studies.length;
    if (modes.childElementCount !== 1 + studies.length) {
      modes.replaceChildren(...[{ name: null, title: say("open") }, ...studies].map((found) => {
        const button = made("button", "", found.title);
        button.type = "button";
        button.value = found.name ?? "";
        button.addEventListener("click", (event) => {
          if (event.detail) button.blur();  // as above
          if (found.name !== study) enter(found.name);
        });
        return button;
      }));
    }
    [...modes.children].forEach((button, index) => {
      button.hidden = Boolean(studies[index - 1]?.problem);
      button.setAttribute("aria-pressed", String(button.value === (study ?? "")));
    });
    const numbers = here && ["given", "wanted", "complete", "comparisons"].map((name) => [name, here[name].toLocaleString("en")]);
    const lines = here ? [say("progress", Object.fromEntries(numbers)), ...(here.forced && !here.done ? [say("forced")] : [])] : [];
    lines.push(...studies.filter(({ problem }) => problem).map((found) => say("cannot", { title: found.title, problem: found.problem })));
    one(".hs-study").textContent = lines.join(" ");
    choices.forEach((button) => { button.hidden = Boolean(here?.forced) && ["tie", "both_bad"].includes(button.dataset.choice); });
    one(".hs-own").hidden = Boolean(study) || "closed" in one(".hs-own").dataset;
  };

  const count = (found) => {
    if (found.studies) studies = found.studies;
    if (found.study) studies = studies.map((known) => (known.name === found.study.name ? found.study : known));
    offer();
    if (found.votes === undefined) return;
    today = found.today ?? today + found.votes - votes;
    votes = found.votes;
    const left = found.personal_from - votes;
    const parts = [say("count", { votes }, votes)];
    if (today < votes) parts.push(say("today", { today }));
    if (left > 0) parts.push(say("toward", { left }));
    one(".hs-count").textContent = parts.join(" · ");
    if (!found.personal) return;
    const mine = one(".hs-mine");
    mine.hidden = !found.personal.length;
    const rows = found.personal.map((row) => {
      const share = made("span", "", say("battles", { share: Math.round(100 * row.share), battles: row.battles }));
      const line = made("li", "", made("span", "", called(row)), share);
      line.style.setProperty("--share", row.share);
      return line;
    });
    mine.replaceChildren(made("h3", "", say("mine")), made("ol", "", ...rows));
  };

  const called = ({ name, steps }) => (steps ? say("named", { name, steps }, steps) : name);  // 0: unknown
  const reveal = (found, sheet) => {
    const told = one(".hs-told");
    told.hidden = false;
    const chosen = found[found.choice];
    const line = chosen ? say("chose", { name: called(chosen) }) : say(`chose_${found.choice}`);
    const check = found.check ? ` ${say("check")}` : "";
    const pair = ["left", "right"].map((side) => {
      const picture = made("div", "hs-thumb"), { calls, seconds } = found[side];
      picture.dataset.side = side;
      picture.style.backgroundImage = `url("${sheet}")`;
      const took = made("small", "", calls ? say("took", { calls, seconds: seconds.toFixed(2) }, calls) : "");
      return made("figure", found.choice === side ? "won" : "", picture, made("figcaption", "", made("b", "", called(found[side])), took));
    });
    const kept = found.choice === "skip" || found.check ? "" : ` · ${say(found.public ? "counted" : "private")}`;
    const prompt = made("bdi", "", `“${found.prompt}”`);
    const said = made("p", "hs-told-line", line + check);
    told.replaceChildren(said, made("div", "hs-told-pair", ...pair), made("small", "", prompt, `${found.seed < 0 ? "" : ` · ${say("seed", { seed: found.seed })}`}${kept}`));
    const timed = found.left.calls && found.right.calls;  // else the costs are unknown
    const asked = timed && found.choice !== "skip" && found.left.label !== found.right.label ? second(found) : null;
    told.append(...(asked ? [asked] : []), receipt(found, said, asked));
  };
  const second = (found) => {
    const group = made("p", "hs-second", `${say("knowing")} `);
    for (const choice of ["left", "right", "tie"]) {
      const label = choice === "tie" ? say("same") : `${called(found[choice])} (${found[choice].seconds.toFixed(2)} s)`;
      const button = made("button", "", label);
      button.type = "button";
      button.addEventListener("click", async () => {
        try { await ask("answer", { battle: found.battle, choice }); group.textContent = say("thanks"); }
        catch (error) { tell(error.message, true); }
      });
      group.append(button);
    }
    return group;
  };

  const { undo, receipt } = afterVote({ root, base, ask, say, made, tell, count });

  const vote = async (choice, input) => {
    if (!current || !enabled()) return;
    const battle = current, took = Math.round(performance.now() - since);
    enable(false);
    tell("");
    try {
      await revealed;
      const shown = ahead;  // if it is here already, one request says that it is shown now and fetches another one
      const words = { battle: battle.battle, choice, input, decision_ms: took };
      const found = await ask("vote", { ...words, ...(shown && { shown }), ...(shown && study && { study }) });
      if (current !== battle) return;  // the visitor has switched meanwhile
      reveal(found, battle.sheet);
      count(found);
      advance({ ...found, next: shown });
    } catch (error) {
      tell(error.message, true);
      if (current !== battle) return;
      if (error.status === 409 || error.status === 422) { advance(); return; }
      const again = () => {
        revealed = ask("show", { battle: battle.battle }).catch(() => {});
        enable(true);
      };
      if (error.status !== 429) again();
      else settling = setTimeout(() => { if (current === battle) { tell(""); again(); } }, rest(error));
    }
  };
  choices.forEach((button) => button.addEventListener("click", (event) => {
    vote(button.dataset.choice, event.detail ? "pointer" : "key");
    if (event.detail) button.blur();  // so that the space bar skips next, and does not press this button again
  }));
  const keys = { 1: "left", 2: "right", 0: "tie", 9: "both_bad", " ": "skip" };
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("textarea, input:not([type=range]), select, [role=listbox]");
    const pressing = event.key === " " && event.target.closest("button, a, summary");
    // Sliders and rows of tabs use the arrow keys. Their other keys are free: a visitor who has just clicked on this
    // tab votes with the next key.
    const sliding = event.key.startsWith("Arrow") && event.target.closest("input, [role=tab]");
    if (!visible() || busy || pressing || sliding || event.ctrlKey || event.metaKey || event.altKey) return;
    closer(event);
    if (event.repeat) return;
    if (event.key.toLowerCase() === "u") { undo(); return; }
    if (!(event.key in keys) || choices.find((button) => button.dataset.choice === keys[event.key]).hidden) return;
    event.preventDefault();
    vote(keys[event.key], "key");
  });

  one(".hs-own").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = one(".hs-own button"), before = current;
    button.disabled = true;
    tell(say("working"));
    try {
      const found = await decoded(await ask("own", { prompt: one("#hs-own-prompt").value }, await gpuHeaders()));
      if (study) tell("");  // it waits in the open arena
      else if (current === before) { tell(found.warnings.join(" ")); show(found); } else { tell([say("coming"), ...found.warnings].join(" ")); next = Promise.resolve(found); ahead = found.battle; }
    } catch (error) { tell(error.message, true); }
    button.disabled = false;
  });

  const counted = ask("progress").then(count).catch(() => {});
  if (study) counted.then(begin); else begin();  // a study sets the allowed choices
};
  found();
}
