// Fills a receipt while the stages go on: fetches the same fragment that the page was made with, until it says it is complete.
// Without this script the page works too, by its link to load it again.
"use strict";

(() => {
  const SOON = 1000;
  const LATEST = 10000;
  const MOST_FAILURES = 8;
  const region = document.querySelector("[data-progress]");
  const words = document.querySelector("[data-progress-words]");
  const again = document.querySelector("[data-load-again]");
  if (!region || !words || isComplete()) return;

  let pause = SOON;
  let failures = 0;
  let shown = "";
  again.hidden = true;
  setTimeout(refresh, pause);

  function isComplete() {
    return region.querySelector("[data-complete]") !== null;
  }

  async function refresh() {
    if (document.hidden) return document.addEventListener("visibilitychange", refresh, { once: true });
    try {
      show(await fetched());
      failures = 0;
    } catch {
      failures += 1;
      pause = Math.min(pause * 2, LATEST);
    }
    if (failures >= MOST_FAILURES) return giveUp();
    if (!isComplete()) setTimeout(refresh, pause);
  }

  async function fetched() {
    const answer = await fetch(region.dataset.progress, { redirect: "error", cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.text();
  }

  function show(fragment) {
    if (fragment === shown) {
      pause = Math.min(pause * 1.5, LATEST);
      return;
    }
    // The fragment comes from our own templates, which escape what members sent; the policy of the page runs no script in it.
    region.innerHTML = fragment;
    shown = fragment;
    pause = SOON;
    const said = region.querySelector("[data-words]");
    if (said && words.textContent !== said.dataset.words) words.textContent = said.dataset.words;
  }

  function giveUp() {
    words.textContent = "The receipt could not be loaded again just now.";
    again.hidden = false;
  }
})();
