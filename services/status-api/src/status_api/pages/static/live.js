// Makes an open page live: asks for it again with its ETag, follows a running log, walks the grid by arrow keys.
"use strict";
(() => {
  const EVERY = 4000;
  const main = () => document.getElementById("main");
  const told = document.getElementById("told");
  const pause = document.getElementById("pause");
  let paused = false, tag = null, stream = null;

  function localTimes() {
    for (const time of main().querySelectorAll("time")) {
      time.title = new Date(time.dateTime).toLocaleString();
    }
  }

  function grid() {
    const table = document.querySelector("table.grid");
    if (!table) return;
    const cells = [...table.querySelectorAll("a.c")];
    cells.forEach((cell, at) => { cell.tabIndex = at === 0 ? 0 : -1; });
    const inTime = [...cells].sort((a, b) => (a.pathname < b.pathname ? -1 : 1)); // from a day's first hour to the day before
    const failed = cells.findIndex((cell) => cell.classList.contains("failed"));
    if (failed > 0) { cells[0].tabIndex = -1; cells[failed].tabIndex = 0; }
    table.onkeydown = (event) => {
      const here = event.target.closest("td");
      if (!here) return;
      const row = here.parentNode, column = here.cellIndex;
      const to = {
        ArrowLeft: () => inTime[inTime.indexOf(event.target) - 1],
        ArrowRight: () => inTime[inTime.indexOf(event.target) + 1],
        ArrowUp: () => row.previousElementSibling?.cells[column]?.querySelector("a"),
        ArrowDown: () => row.nextElementSibling?.cells[column]?.querySelector("a"),
      }[event.key]?.();
      if (!to) return;
      event.preventDefault();
      event.target.tabIndex = -1;
      to.tabIndex = 0;
      to.focus();
    };
  }

  function busy() {
    const here = document.activeElement;
    if (here && main().contains(here) && here.matches("input, select, textarea")) return true;
    return [...main().querySelectorAll("input, select, textarea")].some((field) =>
      field.type === "checkbox" ? field.checked !== field.defaultChecked
        : field.tagName === "SELECT" ? [...field.options].some((option) => option.selected !== option.defaultSelected && option.defaultSelected)
          : field.value !== field.defaultValue);
  }

  async function look() {
    if (paused || document.hidden || busy() || document.querySelector("[data-live]")) return;
    let answer;
    try {
      answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    } catch { told.textContent = "The service does not answer."; return; }
    if (answer.status === 304) { told.textContent = ""; return; }
    if (!answer.ok) return;
    const first = tag === null;
    tag = answer.headers.get("ETag");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    if (!fresh || busy() || fresh.innerHTML === main().innerHTML) return;
    const open = [...main().querySelectorAll("details")].map((part) => part.open);
    const focused = document.activeElement && main().contains(document.activeElement)
      ? document.activeElement.getAttribute("href") : null;
    const scrolled = [window.scrollX, window.scrollY];
    main().replaceChildren(...fresh.childNodes);
    main().querySelectorAll("details").forEach((part, at) => { if (open[at]) part.open = true; });
    ready();
    window.scrollTo(...scrolled);
    if (focused) [...main().querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
    if (!first) told.textContent = "Updated.";
  }

  function line(data) {
    const item = document.createElement("li");
    item.id = "L" + data.number;
    item.className = data.level;
    const number = document.createElement("a");
    number.href = location.pathname + "?line=" + data.number + "#L" + data.number;
    number.textContent = data.number;
    const at = document.createElement("span");
    at.className = "at";
    at.textContent = " " + (data.time || "").slice(11, 19) + " " + data.level + " ";
    const event = document.createElement("strong");
    event.textContent = data.event;
    const text = document.createElement("bdi");
    text.textContent = " " + (data.model || data.step || "") + " " + data.text;
    item.append(number, at, event, text);
    return item;
  }

  function follow() {
    const log = document.querySelector("[data-live]");
    if (!log || stream) return;
    stream = new EventSource("/api/v1/runs/" + log.dataset.run + "/logs/live?after=" + log.dataset.last);
    stream.onmessage = (message) => {
      const atEnd = window.innerHeight + window.scrollY >= document.body.scrollHeight - 60;
      log.append(line(JSON.parse(message.data)));
      if (atEnd && !paused) window.scrollTo(0, document.body.scrollHeight);
    };
    stream.addEventListener("end", () => { stream.close(); told.textContent = "The run has ended."; });
  }

  function once() {
    for (const form of main().querySelectorAll("form[method=post]")) {
      form.addEventListener("submit", () => {
        setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }), 0);
      });
    }
  }

  function ready() { localTimes(); grid(); once(); follow(); }

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Updates are paused" : "Pause updates";
  });
  ready();
  setInterval(look, EVERY);
})();
