// Live values: without this script every page can be read, and is as new as its last load.
"use strict";
(() => {
  const take = () => {  // the code of the QR code: it is in no request, and not in the history
    const code = document.getElementById("code");
    if (!code || !/^#\d{8}$/.test(location.hash)) return;
    code.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
  };
  addEventListener("hashchange", take);
  take();
  if (!document.querySelector("[data-live]")) return;
  const newest = (now, place) => {
    const { live, sensor: name, key } = place.dataset;
    if (name === undefined) return now[live];
    const sensor = Object.hasOwn(now.sensors, name) ? now.sensors[name] : null;
    return sensor && (live === "value" ? sensor.values[key] : sensor[live]);
  };
  const scan = document.querySelector("[data-scanned]");
  const show = (now) => {
    if (scan && now.scanned !== scan.dataset.scanned) {  // a find, or the end: the page is another one
      source.close();
      return location.reload();
    }
    document.querySelectorAll("[data-live]").forEach((place) => {
      const text = newest(now, place);
      if (typeof text !== "string" || place.textContent === text) return;
      place.textContent = text;
      if (place.dataset.live === "state") place.className = "state " + (text === "ok" ? "good" : "bad");
    });
  };
  let source = null;
  const open = () => {
    if (document.hidden || source) return;
    source = new EventSource("/events");
    source.onmessage = (event) => show(JSON.parse(event.data));
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) { source.close(); source = null; } else open();
  });
  addEventListener("submit", () => source && source.close());  // else a reload could take an action's place
  open();
})();
