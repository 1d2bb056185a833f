// Everything works without this file. With it, a page is looked at again when something happened,
// times stay true, and a link with a token behind # signs in.
"use strict";
(() => {
  const main = () => document.getElementById("main");
  const note = document.getElementById("live");

  const ago = (at, now) => {
    const seconds = Math.round((now - at) / 1000);
    const size = Math.abs(seconds);
    const text = size < 90 ? `${size} s`
      : size < 5400 ? `${Math.round(size / 60)} min`
      : size < 172800 ? `${Math.round(size / 3600)} h`
      : `${Math.round(size / 86400)} d`;
    return seconds < 0 ? `in ${text}` : `${text} ago`;
  };
  // The clock of the machine that made the page counts, not the reader's.
  let skew = 0;
  const times = () => {
    for (const time of document.querySelectorAll("time[title]")) {
      const at = Date.parse(time.dateTime);
      if (!Number.isNaN(at)) time.textContent = ago(at, Date.now() + skew);
    }
  };
  const learn = (answer) => {
    const date = Date.parse(answer.headers.get("date") || "");
    if (!Number.isNaN(date)) skew = date - Date.now();
  };

  // Whoever is typing, or has a form open, is not disturbed.
  const busy = () => {
    const at = document.activeElement;
    const typing = at && main().contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName);
    return typing || main().querySelector("details.act[open]") !== null;
  };
  let wanted = false;
  let running = false;
  const again = async () => {
    // What a form was answered with is not at this address: it stays until somebody leaves it.
    if (main().querySelector(".answer")) return;
    wanted = true;
    if (running) return;
    running = true;
    while (wanted) {
      if (busy()) {
        note.textContent = "something happened: load the page again to see it";
        break;
      }
      wanted = false;
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html", "x-kconfigd-again": "1" } });
        learn(answer);
        if (answer.redirected || !answer.ok) break;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("main");
        if (fresh && !busy()) {
          const open = [...main().querySelectorAll("details[open]")].map((one) => one.className);
          main().replaceWith(fresh);
          for (const name of open) {
            for (const one of main().querySelectorAll("details")) {
              if (one.className === name) one.open = true;
            }
          }
          document.title = page.title;
          note.textContent = "";
        }
      } catch {
        break;
      }
    }
    running = false;
  };
  document.addEventListener("toggle", () => { if (wanted && !busy()) again(); }, true);

  const events = (document.body.dataset.events || "").split(" ").filter(Boolean);
  if (events.length > 0) {
    let opened = false;
    let stream = null;
    const listen = () => {
      stream = new EventSource("/live");
      stream.onopen = () => {
        note.textContent = "";
        document.body.dataset.live = "yes";
        // What happened while nobody listened is on the page.
        if (opened) again();
        opened = true;
      };
      stream.onerror = () => {
        delete document.body.dataset.live;
        note.textContent = "not connected: what this page shows may be old";
      };
      for (const name of events) stream.addEventListener(name, again);
    };
    // A page that is kept to go back to would keep its connection, and a browser has few of them.
    addEventListener("pagehide", () => stream.close());
    addEventListener("pageshow", (shown) => { if (shown.persisted) listen(); });
    listen();
    setInterval(times, 5000);
  }

  const form = document.getElementById("sign-in");
  if (form && location.hash.length > 1) {
    form.elements.token.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname + location.search);
    form.requestSubmit();
  }
})();
