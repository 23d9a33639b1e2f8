// The colours that the reader chose, the filters, and the traces that open: without this script
// everything is shown and every <details> opens by itself.
"use strict";

(() => {
  const root = document.documentElement;
  const kept = "lossproof-colours";

  const remembered = () => {
    try {
      return localStorage.getItem(kept);
    } catch {
      return null; // a browser may refuse storage to files
    }
  };
  const remember = (scheme) => {
    try {
      localStorage.setItem(kept, scheme);
    } catch {
      // chosen for this page only
    }
  };
  const isDark = () =>
    (root.style.colorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  // Before anything is painted.
  const scheme = remembered();
  if (scheme === "dark" || scheme === "light") root.style.colorScheme = scheme;

  const setUpTheme = () => {
    const button = document.getElementById("theme");
    const name = () => {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", `Use ${isDark() ? "light" : "dark"} colours`);
    };
    button.addEventListener("click", () => {
      root.style.colorScheme = isDark() ? "light" : "dark";
      remember(root.style.colorScheme);
      name();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
    name();
    button.hidden = false;
  };

  // A box that scrolls can be reached with the keyboard and has a name.
  const nameScrollers = () => {
    for (const box of document.querySelectorAll(".formula, .wide, figure")) {
      if (box.scrollWidth <= box.clientWidth || box.hasAttribute("tabindex")) continue;
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `${box.matches(".wide") ? "Table" : box.matches("figure") ? "Picture" : "Formula"}, scrolls`);
    }
  };

  const openTarget = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.hidden) document.getElementById("all")?.click();
    const trace = target.querySelector("details.trace");
    if (trace) trace.open = true;
    target.scrollIntoView();
  };

  const setUpFilters = () => {
    const form = document.getElementById("filters");
    if (!form) return;
    const entries = [...document.querySelectorAll(".entry")];
    const sections = [...document.querySelectorAll(".statements")];
    const places = new Map([...document.querySelectorAll(".map a")].map((a) => [a.dataset.of, a.parentElement]));
    const boxes = [...form.querySelectorAll("[name=verdict]")];
    const words = document.getElementById("words");
    const found = document.getElementById("found");

    const keepInAddress = (verdicts) => {
      const query = new URLSearchParams();
      if (verdicts.length) query.set("verdict", verdicts.join(","));
      if (words.value.trim()) query.set("q", words.value.trim());
      const search = query.size ? `?${query.toString().replaceAll("%2C", ",")}` : location.pathname;
      try {
        history.replaceState(null, "", search + location.hash);
      } catch {
        // some browsers refuse it for files: the filter works all the same
      }
    };

    const apply = () => {
      const verdicts = boxes.filter((box) => box.checked).map((box) => box.value);
      const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const entry of entries) {
        const fits =
          (!verdicts.length || verdicts.includes(entry.dataset.verdict)) &&
          asked.every((word) => entry.dataset.words.includes(word));
        entry.hidden = !fits;
        const place = places.get(entry.id);
        if (place) place.hidden = !fits;
        shown += fits;
      }
      for (const section of sections) section.hidden = !section.querySelector(".entry:not([hidden])");
      document.getElementById("none").hidden = shown > 0;
      found.textContent = `${shown} of ${entries.length} statements`;
      keepInAddress(verdicts);
    };

    const read = () => {
      const query = new URLSearchParams(location.search);
      const verdicts = (query.get("verdict") ?? "").split(",");
      for (const box of boxes) box.checked = verdicts.includes(box.value);
      words.value = query.get("q") ?? "";
    };

    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("all").addEventListener("click", () => {
      for (const box of boxes) box.checked = false;
      words.value = "";
      apply();
    });
    const open = document.getElementById("open");
    open.addEventListener("click", () => {
      const traces = entries.filter((entry) => !entry.hidden).map((entry) => entry.querySelector("details.trace"));
      const close = traces.every((trace) => trace.open);
      for (const trace of traces) trace.open = !close;
      open.textContent = close ? "Open all traces" : "Close all traces";
      nameScrollers();
    });
    form.hidden = false;
    read();
    apply();
  };

  addEventListener("DOMContentLoaded", () => {
    setUpTheme();
    setUpFilters();
    openTarget();
    nameScrollers();
    addEventListener("hashchange", openTarget);
    addEventListener("resize", nameScrollers);
    document.addEventListener("toggle", nameScrollers, true);
  });
})();
