// Keeps an open page new: asks for it again every few seconds, and replaces what has changed. Focus, scroll and what was
// opened stay. Without this script the page is complete, and shows what was so when it was loaded.
"use strict";
(() => {
  const EVERY = 3000;
  const said = document.getElementById("live-status");
  let etag = null;
  let lost = false;
  const now = () => `${new Date().toISOString().slice(11, 16)} UTC`;

  // What the focus is on, as the new page names it.
  const keyOf = (element) => element && (element.dataset.key || element.id);
  const find = (within, key) =>
    [within, ...within.querySelectorAll("[data-key], [id]")].find((one) => one.dataset.key === key || one.id === key);

  // An element as the server gave it: without this script's mark, and with nothing opened by whoever reads it.
  const asGiven = (element) => {
    const given = element.cloneNode(true);
    given.classList.remove("changed");
    if (!given.getAttribute("class")) given.removeAttribute("class");
    for (const opened of given.querySelectorAll("details[open][id]")) opened.removeAttribute("open");
    return given;
  };

  const replace = (old, made) => {
    if (asGiven(old).isEqualNode(made)) return false;
    const focus = old.contains(document.activeElement) ? keyOf(document.activeElement) : null;
    for (const opened of old.querySelectorAll("details[open][id]")) {
      const same = made.querySelector(`#${CSS.escape(opened.id)}`);
      if (same) same.open = true;
    }
    old.replaceWith(made);
    if (focus) find(made, focus)?.focus({ preventScroll: true });
    return true;
  };

  // The children of a list by their ids: those that are new come in, those that are gone go.
  const relist = (old, made, changed) => {
    const wanted = [...made.children];
    const gone = new Set(wanted.map((row) => row.id));
    for (const row of [...old.children]) if (!gone.has(row.id)) row.remove();
    wanted.forEach((row, at) => {
      const there = document.getElementById(row.id);
      let kept = there;
      if (!there || replace(there, row)) {
        kept = row;
        changed.push(row);
      }
      // Moving an element would take the focus from it.
      if (old.children[at] !== kept) old.insertBefore(kept, old.children[at] || null);
    });
  };

  const renew = (page) => {
    const changed = [];
    for (const made of [...page.querySelectorAll("[data-live]")]) {
      const old = document.getElementById(made.id);
      if (!old) continue;
      const matters = made.tagName === "SECTION";
      const entered = document.importNode(made, true);
      if (replace(old, entered) && matters) changed.push(entered);
    }
    for (const made of page.querySelectorAll("[data-live-list]")) {
      const old = document.getElementById(made.id);
      if (old) relist(old, document.importNode(made, true), changed);
    }
    const names = changed.map((element) => element.dataset.name).filter(Boolean);
    for (const element of changed) element.classList.add("changed");
    if (names.length) {
      const shown = names.length > 3 ? `${names.length} models` : names.join(", ");
      said.textContent = `Updated at ${now()}: ${shown}`;
    }
    document.dispatchEvent(new CustomEvent("renewed", { detail: { page } }));
  };

  const look = async () => {
    if (document.hidden) return;
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const answer = await fetch(location.href, { headers, credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) {
        said.textContent = "The server asks for the key again: open its link anew (tomorrow status --links).";
        lost = true;
        return;
      }
      if (!answer.ok && answer.status !== 304) {
        if (!lost) said.textContent = `Since ${now()} the server cannot show this page (${answer.status}): what stands here is older.`;
        lost = true;
        return;
      }
      if (lost) said.textContent = "The server answers again.";
      lost = false;
      if (answer.status === 304) return;
      etag = answer.headers.get("ETag");
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!document.getElementById("rows") !== !page.getElementById("rows")) return location.reload();
      renew(page);
    } catch {
      if (!lost) said.textContent = `The server has not answered since ${now()}.`;
      lost = true;
    }
  };

  const again = async () => {
    await look();
    setTimeout(again, EVERY);
  };
  document.addEventListener("visibilitychange", look);
  setTimeout(again, EVERY);
})();
